#include "proc/certfile.h"

#include "proc/fs.h"

#include <stdio.h>

struct cert *certfile_read(const char *dir, const char *name, struct diag *d)
{
    char path[1200];
    struct buf der;
    buf_init(&der, 65536);
    snprintf(path, sizeof path, "%s/certs/%s.der", dir, name);
    int rc = fs_read(path, &der, d);
    struct cert *cert = rc == 0 ? cert_parse(buf_view(&der), d) : NULL;
    if (rc == 0 && cert == NULL)
        diag_where(d, "%s", path);
    buf_free(&der);
    return cert;
}
