/* The certificates of a role's own keys, in its folder. */
#ifndef SILD_PROC_CERTFILE_H
#define SILD_PROC_CERTFILE_H

#include "crypto/cert.h"

/* DIR/certs/NAME.der; NULL after an error, which names the file. Free with cert_free. */
struct cert *certfile_read(const char *dir, const char *name, struct diag *d) MUST_USE;

#endif
