#include "cli/journal_vkey.h"
#include "authority/authority_conf.h"
#include "base/err.h"
#include "base/opt.h"
#include "gateway/conffile.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "submit/submit_key.h"
#include "trust/trust_conf.h"

#include <stdio.h>

#define FILE_MAX (1u << 20)

/* What is needed of a role's configuration. */
struct journal_of {
    char dir[2048], origin[SUBMIT_ORIGIN_MAX + 1];
};

static int take(struct journal_of *j, const char *dir, const struct submit_conf *c, struct diag *d)
{
    snprintf(j->dir, sizeof j->dir, "%s", dir);
    if (!submit_conf_is_origin(c->origin) || !slice_cstr(c->origin, j->origin, sizeof j->origin))
        return diag_set(d, ERR_SYNTAX, "[ledger] journal must give the journal a name");
    return 0;
}

static int of_gateway(const char *path, struct journal_of *j, struct diag *d)
{
    struct conffile c;
    char dir[2048] = "";
    int rc = conffile_read(path, &c, d);
    if (rc == 0) {
        snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(c.conf.dir));
        rc = take(j, dir, &c.conf.ledger, d);
    }
    conffile_free(&c);
    return rc;
}

static int of_authority(const char *path, struct journal_of *j, struct diag *d)
{
    struct authority_conf c;
    int rc = authority_conf_read(path, &c, d);
    rc = rc != 0 ? rc : take(j, c.dir, &c.ledger, d);
    authority_conf_free(&c);
    return rc;
}

static int of_trust(const char *path, struct journal_of *j, struct diag *d)
{
    struct trust_conf c;
    int rc = trust_conf_read(path, &c, d);
    rc = rc != 0 ? rc : take(j, c.dir, &c.ledger, d);
    trust_conf_free(&c);
    return rc;
}

static int find(const char *path, struct journal_of *j, struct diag *d)
{
    static const struct {
        const char *head;
        int (*read)(const char *path, struct journal_of *j, struct diag *d);
    } roles[] = {{"[gateway]", of_gateway}, {"[authority]", of_authority}, {"[trust]", of_trust}};
    struct buf text;
    size_t i = 0;
    buf_init(&text, FILE_MAX);
    int rc = fs_read(path, &text, d);
    while (i < ARRAY_LEN(roles) &&
           slice_find_slice(buf_view(&text), slice_str(roles[i].head)) == SIZE_MAX)
        i++;
    buf_free(&text);
    if (rc == 0 && i == ARRAY_LEN(roles))
        return diag_set(d, ERR_USAGE, "%s is of no role that has a journal", path);
    return rc != 0 ? rc : roles[i].read(path, j, d);
}

static int make(const char *dir, struct diag *d)
{
    struct keystore *store = NULL;
    int rc = keystore_open(dir, true, &store, d);
    rc = rc != 0 ? rc : submit_key_make(store, d);
    keystore_close(store);
    return rc;
}

int cli_journal_vkey(int argc, char **argv)
{
    const char *config = NULL, *wanted = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "the role's configuration", &config, NULL},
        {"--make", NULL, "make the key when there is none yet", &wanted, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild journal vkey --config FILE [--make]",
        .text = "Prints the key that a gateway, authority or trust role signs its journal's heads\n"
                "with: NAME+ID+KEY, one line, as the ledger's list of journals wants it.",
        .opts = opts,
        .needs = "--config",
    };
    struct journal_of j;
    struct note_key key;
    struct diag d = {0};
    struct buf text;
    char *args[argc + 1];
    int code;
    if (!command_parse("journal vkey", &cmd, argc, argv, args, &code))
        return code;
    int rc = find(config, &j, &d);
    rc = rc == 0 && wanted != NULL ? make(j.dir, &d) : rc;
    rc = rc != 0 ? rc : submit_key_read(j.dir, slice_str(j.origin), &key, &d);
    if (rc != 0)
        return command_fail("journal vkey", &d, command_exit(rc));
    buf_init(&text, NOTE_VKEY_MAX);
    note_key_print(&key, &text);
    printf("%s\n", buf_cstr(&text));
    buf_free(&text);
    note_key_free(&key);
    return EXIT_DONE;
}
