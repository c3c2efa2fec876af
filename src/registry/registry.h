/*
 * `sild registry`: the reference registry. A population register behind REST, an ordinary
 * information system: it knows nothing of gateways. A parent keeps the listening socket, its
 * workers answer, each with a database connection of its own.
 */
#ifndef SILD_REGISTRY_REGISTRY_H
#define SILD_REGISTRY_REGISTRY_H

/* The role's main, argv[0] is "registry". Returns an exit code of base/opt.h. */
int registry_main(int argc, char **argv);

#endif
