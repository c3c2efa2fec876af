/* `sild asic verify`: is this container what it says? */
#ifndef SILD_CLI_ASIC_VERIFY_H
#define SILD_CLI_ASIC_VERIFY_H

int cli_asic_verify(int argc, char **argv);

#endif
