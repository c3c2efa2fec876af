#include <stdio.h>

int main(void)
{
    printf("sild %s\n", SILD_VERSION);
    return 0;
}
