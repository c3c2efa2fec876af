/* sild asic get: a logged message as an ASiC-E container. */
#ifndef SILD_CLI_ASIC_GET_H
#define SILD_CLI_ASIC_GET_H

int cli_asic_get(int argc, char **argv);

#endif
