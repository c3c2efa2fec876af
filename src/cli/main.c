/* The one program: its commands are in one table. */
#include "base/attr.h"
#include "base/opt.h"
#include "authority/authority.h"
#include "cli/asic_get.h"
#include "cli/asic_verify.h"
#include "cli/call.h"
#include "cli/check.h"
#include "cli/down.h"
#include "cli/doctor.h"
#include "cli/drill.h"
#include "cli/journal_verify.h"
#include "cli/journal_vkey.h"
#include "cli/ledger_anchor.h"
#include "cli/proof_extend.h"
#include "cli/proof_get.h"
#include "cli/proof_verify.h"
#include "cli/status.h"
#include "cli/up.h"
#include "gateway/gateway.h"
#include "ledger/aggregate.h"
#include "ledger/ledger.h"
#include "monitor/monitor.h"
#include "proc/command.h"
#include "registry/registry.h"
#include "trust/trust.h"
#include "witness/witness.h"

#include <stdio.h>
#include <string.h>

static int version(int argc, char **argv)
{
    const struct opt_command cmd = {.usage = "sild version", .text = "Prints the version."};
    char *args[argc + 1];
    int code = EXIT_DONE;
    if (command_parse("version", &cmd, argc, argv, args, &code))
        printf("sild %s\n", SILD_VERSION);
    return code;
}

/* A name of two words is a command of a group. */
static const struct {
    const char *name;
    int (*run)(int, char **);
    const char *help;
} commands[] = {
    {"up", cli_up, "bring the demonstration country up"},
    {"down", cli_down, "stop it"},
    {"status", cli_status, "say how it is"},
    {"doctor", cli_doctor, "say which link of the chain fails, since when, and what to do"},
    {"drill", cli_drill, "break the demonstration in one known way, for practice"},
    {"call", cli_call, "make an exchange, like curl"},
    {"check", cli_check, "look for errors in a configuration file"},
    {"asic get", cli_asic_get, "export a logged message as a container"},
    {"asic verify", cli_asic_verify, "verify containers of logged messages"},
    {"proof get", cli_proof_get, "prove a record, for who has nothing but the file"},
    {"proof verify", cli_proof_verify, "verify proofs of records, offline"},
    {"proof extend", cli_proof_extend, "lead a proof to a printed anchor"},
    {"proof extract", cli_proof_extract, "take a proof's ends out as .tlog-proof files"},
    {"journal verify", cli_journal_verify, "check a journal, its signatures and time-stamps"},
    {"journal vkey", cli_journal_vkey, "print the key that a journal's heads are signed with"},
    {"authority", authority_main, "central server: members, trust, global configuration"},
    {"trust", trust_main, "CA, OCSP responder, time-stamp authority"},
    {"gateway", gateway_main, "security server: exchanges signed messages"},
    {"ledger witness", witness_main, "witness: cosigns what a log says when it is consistent"},
    {"ledger aggregate", aggregate_main,
     "aggregator: hands in one signed subtree over the heads of its journals"},
    {"ledger anchor", cli_ledger_anchor, "print a checkpoint as a short string"},
    {"ledger monitor", monitor_main, "follow a ledger and believe nobody"},
    {"ledger", ledger_main, "ledger: rounds over the heads of journals, for anyone to check"},
    {"registry", registry_main, "reference registry: the population register"},
    {"version", version, "print the version"},
};

/* How many arguments from argv[1] on are the command's name; 0 when they are not. */
static int matches(const char *name, int argc, char **argv)
{
    const char *blank = strchr(name, ' ');
    size_t n = blank == NULL ? strlen(name) : (size_t)(blank - name);
    if (argc < 2 || strlen(argv[1]) != n || memcmp(argv[1], name, n) != 0)
        return 0;
    if (blank == NULL)
        return 1;
    return argc > 2 && strcmp(argv[2], blank + 1) == 0 ? 2 : 0;
}

static void usage(FILE *out)
{
    fprintf(out, "usage: sild COMMAND [options]\n\ncommands:\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-16s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\nEach takes --help.\n");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return version(1, argv);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        int n = matches(commands[i].name, argc, argv);
        if (n > 0)
            return commands[i].run(argc - n, argv + n);
    }
    bool asked = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
    usage(asked ? stdout : stderr);
    if (argc > 1 && !asked)
        fprintf(stderr, "\nsild: there is no command \"%s\"\n", argv[1]);
    return asked ? EXIT_DONE : EXIT_USE;
}
