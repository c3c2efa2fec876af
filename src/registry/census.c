#include "registry/census.h"
#include "base/err.h"
#include "db/db.h"
#include "registry/country.h"
#include "registry/date.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct text {
    char t[24];
};

static struct slice number(uint32_t n, struct text *out)
{
    int len = snprintf(out->t, sizeof out->t, "%u", (unsigned)n);
    return slice_of(out->t, (size_t)len);
}

static struct slice date(int32_t day, struct text *out)
{
    date_print(day, out->t);
    return slice_of(out->t, DATE_TEXT - 1);
}

static int write_register(struct db *db, const struct census *c, struct diag *d)
{
    struct db_stmt *s;
    struct text day;
    int rc = db_prepare(db, "INSERT INTO register VALUES (?1, ?2, ?3, ?4)", &s, d);
    if (rc != 0)
        return rc;
    db_bind_text(s, 1, slice_str(c->name));
    db_bind_int(s, 2, c->people);
    db_bind_int(s, 3, (int64_t)c->seed);
    db_bind_text(s, 4, date(c->as_of, &day));
    return db_run(s, d);
}

static int write_addresses(struct db *db, const struct population *p, struct diag *d)
{
    struct db_stmt *s;
    int rc = db_prepare(db, "INSERT INTO address VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", &s, d);
    for (uint32_t i = 0; rc == 0 && i < p->n_addresses; i++) {
        const struct address *a = &p->addresses[i];
        const struct place *at = places_get(p->places, a->place);
        struct text house, apartment, postal;
        db_bind_int(s, 1, i + 1);
        db_bind_text(s, 2, at->county);
        db_bind_text(s, 3, at->municipality);
        db_bind_text(s, 4, at->name);
        db_bind_text(s, 5, places_street(p->places, a->place, a->street));
        db_bind_text(s, 6, number(a->house, &house));
        db_bind_text(s, 7, a->apartment == 0 ? SLICE_NONE : number(a->apartment, &apartment));
        db_bind_text(s, 8, number(at->postal + a->street, &postal));
        rc = db_run(s, d);
    }
    return rc;
}

static struct slice code_of(const struct population *p, int32_t person)
{
    return person == POPULATION_NOBODY ? SLICE_NONE
                                       : slice_of(p->people[person].code, PERSONCODE_LEN);
}

static int write_person(struct db_stmt *s, const struct population *p, int32_t i, struct diag *d)
{
    const struct person *x = &p->people[i];
    struct text born, died, since, known;
    snprintf(known.t, sizeof known.t, "%.10sT12:00:00Z", (const char *)date(x->birth, &born).p);
    db_bind_text(s, 1, code_of(p, i));
    db_bind_text(s, 2, x->given_name);
    db_bind_text(s, 3, names_surname_text(p->names, x->surname, x->sex));
    db_bind_text(s, 4, slice_str(personcode_sex(x->sex)));
    db_bind_text(s, 5, date(x->birth, &born));
    db_bind_text(s, 6, places_get(p->places, x->birth_place)->birth_town);
    db_bind_text(s, 7, x->death == POPULATION_NEVER ? SLICE_NONE : date(x->death, &died));
    db_bind_text(s, 8, slice_str(names_language(x->language)));
    db_bind_text(s, 9, code_of(p, x->mother));
    db_bind_text(s, 10, code_of(p, x->father));
    if (x->address != POPULATION_NOBODY) {
        db_bind_int(s, 11, x->address + 1);
        db_bind_text(s, 12, date(x->since, &since));
    }
    db_bind_text(s, 13, slice_str(known.t));
    return db_run(s, d);
}

static int write_people(struct db *db, const struct population *p, struct diag *d)
{
    struct db_stmt *s;
    int rc = db_prepare(db,
                        "INSERT INTO person VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
                        " ?11, ?12, ?13)",
                        &s, d);
    for (uint32_t i = 0; rc == 0 && i < p->n; i++)
        rc = write_person(s, p, (int32_t)i, d);
    return rc;
}

static const char *end_of(const struct household *h)
{
    if (h->end == POPULATION_NEVER)
        return NULL;
    return h->ended_by_death ? "death" : h->kind == UNION_MARRIAGE ? "divorce" : "termination";
}

static int write_partnerships(struct db *db, const struct population *p, struct diag *d)
{
    struct db_stmt *s;
    int rc = db_prepare(db,
                        "INSERT INTO partnership (person_a, person_b, kind, since, until, ended_by)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        &s, d);
    for (uint32_t i = 0; rc == 0 && i < p->n_unions; i++) {
        const struct household *h = &p->unions[i];
        struct text since, until;
        if (h->kind != UNION_MARRIAGE && h->kind != UNION_PARTNERSHIP)
            continue;
        db_bind_text(s, 1, code_of(p, h->woman));
        db_bind_text(s, 2, code_of(p, h->man));
        db_bind_text(s, 3,
                     slice_str(h->kind == UNION_MARRIAGE ? "marriage" : "registered_partnership"));
        db_bind_text(s, 4, date(h->start, &since));
        db_bind_text(s, 5, h->end == POPULATION_NEVER ? SLICE_NONE : date(h->end, &until));
        db_bind_text(s, 6, slice_str(end_of(h)));
        rc = db_run(s, d);
    }
    return rc;
}

static int write_schema(struct db *db, struct diag *d)
{
    char sql[8192];
    if (!slice_cstr(country_text("population.sql"), sql, sizeof sql) || sql[0] == 0)
        return diag_set(d, ERR_INTERNAL, "the schema is missing");
    return db_exec(db, sql, d);
}

static int write_all(struct db *db, const struct census *c, const struct population *p,
                     struct diag *d)
{
    int rc = write_schema(db, d);
    if (rc == 0)
        rc = db_begin(db, d);
    if (rc == 0)
        rc = write_register(db, c, d);
    if (rc == 0)
        rc = write_addresses(db, p, d);
    if (rc == 0)
        rc = write_people(db, p, d);
    if (rc == 0)
        rc = write_partnerships(db, p, d);
    if (rc == 0)
        rc = db_commit(db, d);
    return rc == 0 ? db_finish(db, d) : rc;
}

static int io_error(const char *what, const char *path, struct diag *d)
{
    int code = err_from_errno(errno);
    return diag_set(d, code, "cannot %s %s: %s", what, path, strerror(errno));
}

/* The file under its name for good: renamed, and the folder synced. */
static int publish(const char *temporary, const char *path, struct diag *d)
{
    char copy[PATH_MAX]; /* dirname may write into it */
    if (!slice_cstr(slice_str(path), copy, sizeof copy))
        return diag_set(d, ERR_USAGE, "the path of the database is too long");
    if (rename(temporary, path) != 0)
        return io_error("name", path, d);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return io_error("open the folder of", path, d);
    int rc = fsync(fd) == 0 ? 0 : io_error("sync the folder of", path, d);
    close(fd);
    return rc;
}

int census_make(const char *path, const struct census *c, struct diag *d)
{
    char temporary[PATH_MAX + 4];
    if (!slice_cstr(slice_str(path), temporary, PATH_MAX))
        return diag_set(d, ERR_USAGE, "the path of the database is too long");
    strcat(temporary, ".new");
    if (access(path, F_OK) == 0)
        return diag_set(d, ERR_EXISTS, "%s exists already", path);
    if (unlink(temporary) != 0 && errno != ENOENT)
        return io_error("remove", temporary, d);
    struct diag why = {0};
    struct population *p = population_new(c->people, c->seed, c->as_of, &why);
    if (p == NULL)
        return diag_set(d, why.code, "%s", why.text);
    struct db *db;
    int rc = db_open(temporary, DB_CREATE, &db, d);
    if (rc == 0)
        rc = write_all(db, c, p, d);
    db_close(db);
    population_free(p);
    if (rc == 0)
        rc = publish(temporary, path, d);
    if (rc != 0)
        (void)unlink(temporary);
    return rc;
}
