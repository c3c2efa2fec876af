#include "registry/people.h"
#include "base/err.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

#define BRIEF "code, given_name, surname, sex, birth_date, death_date"
#define ADDRESS                                                                                    \
    "a.id, a.county, a.municipality, a.settlement, a.street, a.house, a.apartment, a.postal_code"

enum statement {
    BEGIN,
    END,
    PERSON,
    RELATIVE,
    PARTNER,
    CHILDREN,
    ADDRESS_BY_ID,
    RESIDENCE,
    SAMPLE,
    STATEMENTS,
};

static const char *const sql[STATEMENTS] = {
    [BEGIN] = "BEGIN",
    [END] = "END",
    [PERSON] = "SELECT p.code, p.given_name, p.surname, p.sex, p.birth_date, p.death_date,"
               " p.birth_place, p.native_language, p.resident_since, " ADDRESS
               " FROM person p LEFT JOIN address a ON a.id = p.address WHERE p.code = ?1",
    [RELATIVE] = "SELECT " BRIEF ", mother, father FROM person WHERE code = ?1",
    [PARTNER] = "SELECT kind, since, person_b FROM partnership"
                " WHERE person_a = ?1 AND until IS NULL UNION ALL "
                "SELECT kind, since, person_a FROM partnership"
                " WHERE person_b = ?1 AND until IS NULL LIMIT 1",
    [CHILDREN] = "SELECT " BRIEF " FROM person WHERE mother = ?1 UNION ALL "
                 "SELECT " BRIEF " FROM person WHERE father = ?1 ORDER BY birth_date, code",
    [ADDRESS_BY_ID] = "SELECT " ADDRESS " FROM address a WHERE a.id = ?1",
    [RESIDENCE] = "SELECT p.resident_since, " ADDRESS
                  " FROM person p LEFT JOIN address a ON a.id = p.address WHERE p.code = ?1",
    [SAMPLE] = "SELECT m.code, m.given_name, m.surname, m.birth_date, a.settlement, count(*)"
               " FROM person m JOIN person k ON k.mother = m.code"
               " JOIN partnership s ON s.person_a = m.code AND s.until IS NULL"
               " JOIN address a ON a.id = m.address, register r"
               " WHERE k.death_date IS NULL AND k.birth_date > date(r.made_as_of, '-18 years')"
               " AND k.birth_date <= r.made_as_of AND s.kind = 'marriage'"
               " GROUP BY m.code HAVING count(*) >= 2"
               " ORDER BY substr(m.code, 8), m.code LIMIT ?1",
};

struct people {
    struct db *db;
    struct db_stmt *st[STATEMENTS];
    struct people_about about;
    char name[128];
};

static int read_about(struct people *p, struct diag *d)
{
    struct db_stmt *s;
    bool row;
    int rc = db_prepare(p->db, "SELECT name, people, seed, made_as_of FROM register", &s, d);
    if (rc == 0)
        rc = db_step(s, &row, d);
    if (rc != 0)
        return diag_set(d, ERR_CORRUPT, "the database is not a population register");
    bool good = row && slice_cstr(db_text(s, 0), p->name, sizeof p->name) &&
                slice_cstr(db_text(s, 3), p->about.made_as_of, sizeof p->about.made_as_of);
    p->about.name = p->name;
    p->about.people = row ? db_int(s, 1) : 0;
    p->about.seed = row ? db_int(s, 2) : 0;
    db_reset(s);
    return good ? 0 : diag_set(d, ERR_CORRUPT, "the database does not say what register it is");
}

int people_open(const char *path, enum db_mode mode, struct people **out, struct diag *d)
{
    *out = NULL;
    struct people *p = calloc(1, sizeof *p);
    if (p == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a register");
    int rc = db_open(path, mode, &p->db, d);
    if (rc == 0)
        rc = read_about(p, d);
    for (int i = 0; rc == 0 && i < STATEMENTS; i++)
        rc = db_prepare(p->db, sql[i], &p->st[i], d);
    if (rc != 0) {
        people_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

void people_close(struct people *p)
{
    if (p == NULL)
        return;
    db_close(p->db);
    free(p);
}

struct db *people_db(struct people *p)
{
    return p->db;
}

const struct people_about *people_about(const struct people *p)
{
    return &p->about;
}

static void text_or_null(struct json_out *j, const char *key, struct slice text)
{
    json_key(j, key);
    if (text.p == NULL)
        json_none(j);
    else
        json_str(j, text);
}

/* The columns BRIEF, from col on. */
static void write_brief(struct json_out *j, struct db_stmt *s, int col)
{
    json_kslice(j, "code", db_text(s, col));
    json_kslice(j, "given_name", db_text(s, col + 1));
    json_kslice(j, "surname", db_text(s, col + 2));
    json_kslice(j, "sex", db_text(s, col + 3));
    json_kslice(j, "birth_date", db_text(s, col + 4));
    text_or_null(j, "death_date", db_text(s, col + 5));
}

/* "Pikk tn 3-5, Tabasalu, Harku vald, 76901 Harju maakond"; a town that is its own municipality
 * stands once. */
static void write_address_text(struct json_out *j, struct db_stmt *s, int col)
{
    struct buf t;
    struct slice municipality = db_text(s, col + 2), settlement = db_text(s, col + 3);
    struct slice apartment = db_text(s, col + 6);
    buf_init(&t, 1024);
    buf_slice(&t, db_text(s, col + 4));
    buf_byte(&t, ' ');
    buf_slice(&t, db_text(s, col + 5));
    if (apartment.p != NULL) {
        buf_byte(&t, '-');
        buf_slice(&t, apartment);
    }
    buf_str(&t, ", ");
    buf_slice(&t, settlement);
    if (!slice_eq(slice_sub(municipality, 0, settlement.n), settlement)) {
        buf_str(&t, ", ");
        buf_slice(&t, municipality);
    }
    buf_str(&t, ", ");
    buf_slice(&t, db_text(s, col + 7));
    buf_byte(&t, ' ');
    buf_slice(&t, db_text(s, col + 1));
    json_kslice(j, "text", buf_view(&t));
    buf_free(&t);
}

/* The columns ADDRESS, from col on, as an object's members. */
static void write_address(struct json_out *j, struct db_stmt *s, int col)
{
    json_knum(j, "id", db_int(s, col));
    json_kslice(j, "county", db_text(s, col + 1));
    json_kslice(j, "municipality", db_text(s, col + 2));
    json_kslice(j, "settlement", db_text(s, col + 3));
    json_kslice(j, "street", db_text(s, col + 4));
    json_kslice(j, "house", db_text(s, col + 5));
    text_or_null(j, "apartment", db_text(s, col + 6));
    json_kslice(j, "postal_code", db_text(s, col + 7));
    write_address_text(j, s, col);
}

/* Binds and steps to the one row; ERR_NOT_FOUND with the sentence. The caller resets. */
static int one_row(struct db_stmt *s, struct slice code, const char *none, struct diag *d)
{
    bool row;
    db_bind_text(s, 1, code);
    int rc = db_step(s, &row, d);
    return rc != 0 || row ? rc : diag_set(d, ERR_NOT_FOUND, "%s", none);
}

static int finish(struct db_stmt *s, const struct buf *out, int rc, struct diag *d)
{
    db_reset(s);
    return rc == 0 && out->failed ? diag_set(d, ERR_TOO_LARGE, "the record is too large") : rc;
}

static const char *const no_person = "no person in the population register has this personal code";

static void write_person(struct json_out *j, struct db_stmt *s)
{
    json_open(j, '{');
    write_brief(j, s, 0);
    json_kslice(j, "birth_place", db_text(s, 6));
    json_kslice(j, "native_language", db_text(s, 7));
    json_key(j, "residence");
    if (db_is_null(s, 9)) {
        json_none(j);
    } else {
        json_open(j, '{');
        json_kslice(j, "since", db_text(s, 8));
        json_key(j, "address");
        json_open(j, '{');
        write_address(j, s, 9);
        json_close(j, '}');
        json_close(j, '}');
    }
    json_close(j, '}');
}

int people_person(struct people *p, struct slice code, struct buf *out, struct diag *d)
{
    struct db_stmt *s = p->st[PERSON];
    int rc = one_row(s, code, no_person, d);
    if (rc == 0) {
        struct json_out j;
        json_begin(&j, out);
        write_person(&j, s);
    }
    return finish(s, out, rc, d);
}

/* "key": a relative as an object, or null when the register has none. extra: further members. */
static int write_relative(struct people *p, struct json_out *j, const char *key, const char *code,
                          const char *kind, const char *since, struct diag *d)
{
    struct db_stmt *s = p->st[RELATIVE];
    json_key(j, key);
    if (code[0] == 0) {
        json_none(j);
        return 0;
    }
    int rc = one_row(s, slice_str(code), "a relative is missing in the register", d);
    if (rc == 0) {
        json_open(j, '{');
        write_brief(j, s, 0);
        if (kind != NULL) {
            json_kstr(j, "kind", kind);
            json_kstr(j, "since", since);
        }
        json_close(j, '}');
    }
    db_reset(s);
    return rc == ERR_NOT_FOUND ? diag_set(d, ERR_CORRUPT, "a relative is missing") : rc;
}

static int write_partner(struct people *p, struct json_out *j, struct slice code, struct diag *d)
{
    struct db_stmt *s = p->st[PARTNER];
    char kind[32] = "", since[16] = "", partner[16] = "";
    bool row;
    db_bind_text(s, 1, code);
    int rc = db_step(s, &row, d);
    bool fits = !row || (slice_cstr(db_text(s, 0), kind, sizeof kind) &&
                         slice_cstr(db_text(s, 1), since, sizeof since) &&
                         slice_cstr(db_text(s, 2), partner, sizeof partner));
    db_reset(s);
    if (rc != 0)
        return rc;
    if (!fits)
        return diag_set(d, ERR_CORRUPT, "a partnership is malformed");
    return write_relative(p, j, "partner", partner, kind, since, d);
}

static int write_children(struct people *p, struct json_out *j, struct slice code, struct diag *d)
{
    struct db_stmt *s = p->st[CHILDREN];
    bool row = false;
    json_key(j, "children");
    json_open(j, '[');
    db_bind_text(s, 1, code);
    int rc = db_step(s, &row, d);
    for (; rc == 0 && row; rc = db_step(s, &row, d)) {
        json_open(j, '{');
        write_brief(j, s, 0);
        json_close(j, '}');
    }
    db_reset(s);
    json_close(j, ']');
    return rc;
}

static int write_family(struct people *p, struct slice code, struct buf *out, struct diag *d)
{
    struct db_stmt *s = p->st[RELATIVE];
    char mother[16] = "", father[16] = "";
    size_t start = out->n;
    struct json_out j;
    int rc = one_row(s, code, no_person, d);
    if (rc == 0) {
        json_begin(&j, out);
        json_open(&j, '{');
        json_key(&j, "person");
        json_open(&j, '{');
        write_brief(&j, s, 0);
        json_close(&j, '}');
        (void)slice_cstr(db_text(s, 6), mother, sizeof mother);
        (void)slice_cstr(db_text(s, 7), father, sizeof father);
    }
    db_reset(s);
    if (rc == 0)
        rc = write_relative(p, &j, "mother", mother, NULL, NULL, d);
    if (rc == 0)
        rc = write_relative(p, &j, "father", father, NULL, NULL, d);
    if (rc == 0)
        rc = write_partner(p, &j, code, d);
    if (rc == 0)
        rc = write_children(p, &j, code, d);
    if (rc == 0)
        json_close(&j, '}');
    else
        out->n = start;
    return finish(s, out, rc, d);
}

/* In one read transaction: the family of one moment, and the database is locked once, not for each
 * relative. */
int people_family(struct people *p, struct slice code, struct buf *out, struct diag *d)
{
    size_t start = out->n;
    int rc = db_run(p->st[BEGIN], d);
    if (rc != 0)
        return rc;
    rc = write_family(p, code, out, d);
    int ended = db_run(p->st[END], rc == 0 ? d : NULL);
    if (rc == 0 && ended != 0)
        out->n = start;
    return rc != 0 ? rc : ended;
}

int people_address(struct people *p, int64_t id, struct buf *out, struct diag *d)
{
    struct db_stmt *s = p->st[ADDRESS_BY_ID];
    bool row;
    db_bind_int(s, 1, id);
    int rc = db_step(s, &row, d);
    if (rc == 0 && !row)
        rc = diag_set(d, ERR_NOT_FOUND, "no address in the population register has this number");
    if (rc == 0) {
        struct json_out j;
        json_begin(&j, out);
        json_open(&j, '{');
        write_address(&j, s, 0);
        json_close(&j, '}');
    }
    return finish(s, out, rc, d);
}

int people_residence(struct people *p, struct slice code, struct buf *out, struct diag *d)
{
    struct db_stmt *s = p->st[RESIDENCE];
    int rc = one_row(s, code, no_person, d);
    if (rc == 0 && db_is_null(s, 1))
        rc = diag_set(d, ERR_NOT_FOUND, "the person has no residence in the register");
    if (rc == 0) {
        struct json_out j;
        json_begin(&j, out);
        json_open(&j, '{');
        json_kslice(&j, "person", code);
        json_kslice(&j, "since", db_text(s, 0));
        json_key(&j, "address");
        json_open(&j, '{');
        write_address(&j, s, 1);
        json_close(&j, '}');
        json_close(&j, '}');
    }
    return finish(s, out, rc, d);
}

static void write_sample_json(struct json_out *j, struct db_stmt *s)
{
    json_open(j, '{');
    json_kslice(j, "code", db_text(s, 0));
    json_kslice(j, "given_name", db_text(s, 1));
    json_kslice(j, "surname", db_text(s, 2));
    json_kslice(j, "birth_date", db_text(s, 3));
    json_kslice(j, "settlement", db_text(s, 4));
    json_knum(j, "children", db_int(s, 5));
    json_close(j, '}');
}

static void write_sample_line(struct buf *out, struct db_stmt *s)
{
    buf_slice(out, db_text(s, 0));
    buf_printf(out, "  %.*s", SLICE_ARG(db_text(s, 1)));
    buf_printf(out, " %.*s", SLICE_ARG(db_text(s, 2)));
    buf_printf(out, ", born %.*s", SLICE_ARG(db_text(s, 3)));
    buf_printf(out, ", %.*s", SLICE_ARG(db_text(s, 4)));
    buf_printf(out, "; married, %lld children\n", (long long)db_int(s, 5));
}

int people_sample(struct people *p, int64_t n, bool json, struct buf *out, struct diag *d)
{
    struct db_stmt *s = p->st[SAMPLE];
    struct json_out j;
    bool row = false;
    json_begin(&j, out);
    if (json)
        json_open(&j, '[');
    db_bind_int(s, 1, n);
    int rc = db_step(s, &row, d);
    for (; rc == 0 && row; rc = db_step(s, &row, d)) {
        if (json)
            write_sample_json(&j, s);
        else
            write_sample_line(out, s);
    }
    if (json)
        json_close(&j, ']');
    return finish(s, out, rc, d);
}
