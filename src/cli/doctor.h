/* sild doctor: walks the chain of trust and names the link that fails. */
#ifndef SILD_CLI_DOCTOR_H
#define SILD_CLI_DOCTOR_H

int cli_doctor(int argc, char **argv);

#endif
