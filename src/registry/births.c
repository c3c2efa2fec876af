#include "registry/births.h"
#include "base/err.h"
#include "base/timeval.h"
#include "registry/date.h"
#include "registry/names.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000LL
#define NAME_MAX_BYTES 64
#define PLACE_MAX_BYTES 100
#define PARENT_AGE_MIN 12
#define MOTHER_AGE_MAX 60
#define PREGNANCY_DAYS_MAX 300
/* The day in Tallinn begins up to three hours before the day in UTC. */
#define LOCAL_AHEAD_MS (3 * 3600000LL)

enum statement {
    PARENT,
    REGISTERED,
    SIBLING,
    LAST_SERIAL,
    INSERT,
    STATEMENTS,
};

static const char *const sql[STATEMENTS] = {
    [PARENT] = "SELECT sex, birth_date, death_date, native_language, surname, address"
               " FROM person WHERE code = ?1",
    [REGISTERED] = "SELECT code FROM person"
                   " WHERE mother = ?1 AND birth_date = ?2 AND given_name = ?3",
    [SIBLING] = "SELECT surname FROM person WHERE mother = ?1 AND father = ?2"
                " ORDER BY birth_date, code LIMIT 1",
    [LAST_SERIAL] = "SELECT max(substr(code, 8, 3)) FROM person"
                    " WHERE (code >= ?1 AND code < ?2) OR (code >= ?3 AND code < ?4)",
    [INSERT] = "INSERT INTO person VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, ?7, ?8, ?9, ?10, ?11,"
               " ?12)",
};

struct births {
    struct db *db;
    struct names *names;
    struct db_stmt *st[STATEMENTS];
};

/* What a birth takes from a parent's record. */
struct parent {
    enum sex sex;
    int32_t birth, death; /* death: INT32_MAX while alive */
    char language[8], surname[256];
    int64_t address; /* 0: none */
};

/* --- the request --- */

static bool is_separator(uint8_t c)
{
    return c == ' ' || c == '-' || c == '\'';
}

/* Letters of any script; blank, hyphen and apostrophe only between letters. */
static bool is_name(struct slice s)
{
    bool separator = true;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
        bool control = c == 0xC2 && s.p[i + 1] < 0xA0;
        if (control || (!letter && (!is_separator(c) || separator)))
            return false;
        separator = !letter;
    }
    return !separator;
}

static bool is_plain_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7F || (s.p[i] == 0xC2 && s.p[i + 1] < 0xA0))
            return false;
    return slice_trim(s).n == s.n;
}

/* A required text of 1 to max bytes. */
static int get_text(const json_t *o, const char *key, size_t max, struct slice *out, struct diag *d)
{
    const json_t *v = json_object_get(o, key);
    if (v == NULL)
        return diag_set(d, ERR_BAD_REQUEST, "%s is missing", key);
    if (!json_is_string(v))
        return diag_set(d, ERR_BAD_REQUEST, "%s is not a text", key);
    *out = slice_of(json_string_value(v), json_string_length(v));
    if (out->n == 0 || out->n > max || memchr(out->p, 0, out->n) != NULL)
        return diag_set(d, ERR_BAD_REQUEST, "%s has 1 to %zu bytes", key, max);
    return 0;
}

static int get_code(const json_t *o, const char *key, struct slice *out, struct diag *d)
{
    struct personcode c;
    int rc = get_text(o, key, 64, out, d);
    return rc != 0 || personcode_parse(*out, &c, d) == 0 ? rc : diag_where(d, "%s", key);
}

static int check_keys(const json_t *o, struct diag *d)
{
    static const char *const known[] = {"mother", "father",     "given_name",
                                        "sex",    "birth_date", "birth_place"};
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)o, key, v)
    {
        size_t i = 0;
        while (i < ARRAY_LEN(known) && strcmp(key, known[i]) != 0)
            i++;
        if (i == ARRAY_LEN(known))
            return diag_set(d, ERR_BAD_REQUEST, "unknown field: %.64s", key);
    }
    return 0;
}

static int get_birth(const json_t *o, struct birth *out, struct diag *d)
{
    struct slice sex, date;
    int rc = check_keys(o, d);
    if (rc == 0)
        rc = get_code(o, "mother", &out->mother, d);
    const json_t *father = json_object_get(o, "father");
    if (rc == 0 && father != NULL && !json_is_null(father))
        rc = get_code(o, "father", &out->father, d);
    if (rc == 0)
        rc = get_text(o, "given_name", NAME_MAX_BYTES, &out->given_name, d);
    if (rc == 0 && !is_name(out->given_name))
        rc = diag_set(d, ERR_BAD_REQUEST,
                      "given_name has letters, and between them a blank, hyphen or apostrophe");
    if (rc == 0)
        rc = get_text(o, "sex", 6, &sex, d);
    if (rc == 0 && !slice_eq_str(sex, "female") && !slice_eq_str(sex, "male"))
        rc = diag_set(d, ERR_BAD_REQUEST, "sex is female or male");
    if (rc == 0)
        rc = get_text(o, "birth_date", 32, &date, d);
    if (rc == 0 && !date_parse(date, &out->day))
        rc = diag_set(d, ERR_BAD_REQUEST, "birth_date is not a date such as 2026-01-05");
    if (rc == 0)
        rc = get_text(o, "birth_place", PLACE_MAX_BYTES, &out->place, d);
    if (rc == 0 && !is_plain_text(out->place))
        rc = diag_set(d, ERR_BAD_REQUEST, "birth_place has control characters or outer blanks");
    if (rc == 0)
        out->sex = slice_eq_str(sex, "male") ? SEX_MALE : SEX_FEMALE;
    return rc;
}

int births_parse(struct slice json, struct birth *out, void **hold, struct diag *d)
{
    *out = (struct birth){0};
    struct diag why = {0};
    json_t *o = json_parse(json, BIRTHS_BODY_MAX, &why);
    *hold = o;
    if (o == NULL)
        return diag_set(d, ERR_BAD_REQUEST, "the body is not JSON: %.400s", why.text);
    if (!json_is_object(o))
        return diag_set(d, ERR_BAD_REQUEST, "the body is not a JSON object");
    return get_birth(o, out, d);
}

void births_release(void *hold)
{
    json_decref(hold);
}

/* --- the rules --- */

static int read_parent(struct db_stmt *s, struct parent *p, struct diag *d)
{
    *p = (struct parent){.sex = slice_eq_str(db_text(s, 0), "male") ? SEX_MALE : SEX_FEMALE,
                         .death = INT32_MAX,
                         .address = db_int(s, 5)};
    struct slice death = db_text(s, 2);
    if (!date_parse(db_text(s, 1), &p->birth) || (death.p != NULL && !date_parse(death, &p->death)))
        return diag_set(d, ERR_CORRUPT, "a date in a parent's record is malformed");
    if (!slice_cstr(db_text(s, 3), p->language, sizeof p->language) ||
        !slice_cstr(db_text(s, 4), p->surname, sizeof p->surname))
        return diag_set(d, ERR_CORRUPT, "a text in a parent's record is malformed");
    return 0;
}

static int find_parent(struct births *b, const char *who, struct slice code, struct parent *p,
                       struct diag *d)
{
    struct db_stmt *s = b->st[PARENT];
    bool row;
    db_bind_text(s, 1, code);
    int rc = db_step(s, &row, d);
    if (rc == 0)
        rc = row ? read_parent(s, p, d)
                 : diag_set(d, ERR_NOT_FOUND,
                            "%s: no person in the population register has this personal code", who);
    db_reset(s);
    return rc;
}

static int check_mother(const struct parent *m, int32_t day, struct diag *d)
{
    if (m->sex != SEX_FEMALE)
        return diag_set(d, ERR_INVALID_REQUEST, "mother: the person is not a woman");
    if (m->death < day)
        return diag_set(d, ERR_INVALID_REQUEST, "mother: the person died before the birth");
    int age = day < m->birth ? 0 : date_years(m->birth, day);
    if (age < PARENT_AGE_MIN)
        return diag_set(d, ERR_INVALID_REQUEST,
                        "mother: the person was under %d on the day of the birth", PARENT_AGE_MIN);
    if (age > MOTHER_AGE_MAX)
        return diag_set(d, ERR_INVALID_REQUEST,
                        "mother: the person was over %d on the day of the birth", MOTHER_AGE_MAX);
    return 0;
}

static int check_father(const struct parent *f, int32_t day, struct diag *d)
{
    if (f->sex != SEX_MALE)
        return diag_set(d, ERR_INVALID_REQUEST, "father: the person is not a man");
    if (f->death != INT32_MAX && day - f->death > PREGNANCY_DAYS_MAX)
        return diag_set(d, ERR_INVALID_REQUEST,
                        "father: the person died more than %d days before the birth",
                        PREGNANCY_DAYS_MAX);
    if (day < f->birth || date_years(f->birth, day) < PARENT_AGE_MIN)
        return diag_set(d, ERR_INVALID_REQUEST,
                        "father: the person was under %d on the day of the birth", PARENT_AGE_MIN);
    return 0;
}

static int check_new(struct births *b, const struct birth *x, const char *date, char *code,
                     struct diag *d)
{
    struct db_stmt *s = b->st[REGISTERED];
    bool row;
    db_bind_text(s, 1, x->mother);
    db_bind_text(s, 2, slice_str(date));
    db_bind_text(s, 3, x->given_name);
    int rc = db_step(s, &row, d);
    if (rc == 0 && row && slice_cstr(db_text(s, 0), code, PERSONCODE_LEN + 1))
        rc = diag_set(d, ERR_EXISTS, "this birth is registered already");
    db_reset(s);
    return rc;
}

/* --- the record --- */

/* Into p: the surname that the child is to bear, before its form is chosen. */
static int choose_surname(struct births *b, const struct birth *x, struct parent *mother,
                          const struct parent *father, struct diag *d)
{
    struct db_stmt *s = b->st[SIBLING];
    bool row;
    if (x->father.p == NULL)
        return 0;
    memcpy(mother->surname, father->surname, sizeof mother->surname);
    db_bind_text(s, 1, x->mother);
    db_bind_text(s, 2, x->father);
    int rc = db_step(s, &row, d);
    if (rc == 0 && row && !slice_cstr(db_text(s, 0), mother->surname, sizeof mother->surname))
        rc = diag_set(d, ERR_CORRUPT, "a sibling's surname is malformed");
    db_reset(s);
    return rc;
}

/* The day's next serial, counted over both sexes. */
static int choose_code(struct births *b, const struct birth *x, char *code, struct diag *d)
{
    struct db_stmt *s = b->st[LAST_SERIAL];
    struct timeval_parts t = timeval_split(x->day * DAY_MS);
    char bound[4][PERSONCODE_LEN + 1];
    bool row;
    for (int i = 0; i < 2; i++) {
        struct personcode c = {i == 0 ? SEX_FEMALE : SEX_MALE, t.year, t.month, t.day, 0};
        personcode_print(&c, bound[2 * i]);
        memcpy(bound[2 * i + 1], bound[2 * i], sizeof bound[0]);
        bound[2 * i][7] = 0;
        memcpy(bound[2 * i + 1] + 7, ":", 2); /* the character after '9' */
    }
    for (int i = 0; i < 4; i++)
        db_bind_text(s, i + 1, slice_str(bound[i]));
    uint64_t last = 0;
    int rc = db_step(s, &row, d);
    if (rc == 0 && row && !db_is_null(s, 0) && !slice_u64(db_text(s, 0), &last))
        rc = diag_set(d, ERR_CORRUPT, "a personal code in the register is malformed");
    db_reset(s);
    if (rc != 0)
        return rc;
    if (last >= PERSONCODE_SERIAL_MAX)
        return diag_set(d, ERR_INTERNAL, "the personal codes of this day are used up");
    struct personcode c = {x->sex, t.year, t.month, t.day, (int)last + 1};
    personcode_print(&c, code);
    return 0;
}

static int insert(struct births *b, const struct birth *x, const struct parent *m, const char *date,
                  const char *code, int64_t now_ms, struct diag *d)
{
    struct db_stmt *s = b->st[INSERT];
    char now[TIMEVAL_TEXT];
    timeval_print_iso(now_ms, false, now);
    db_bind_text(s, 1, slice_str(code));
    db_bind_text(s, 2, x->given_name);
    db_bind_text(s, 3, names_surname_form(b->names, slice_str(m->surname), x->sex));
    db_bind_text(s, 4, slice_str(personcode_sex(x->sex)));
    db_bind_text(s, 5, slice_str(date));
    db_bind_text(s, 6, x->place);
    db_bind_text(s, 7, slice_str(m->language));
    db_bind_text(s, 8, x->mother);
    db_bind_text(s, 9, x->father);
    if (m->address != 0) {
        db_bind_int(s, 10, m->address);
        db_bind_text(s, 11, slice_str(date));
    }
    db_bind_text(s, 12, slice_str(now));
    return db_run(s, d);
}

/* Inside the transaction: what is read here is still true when it is written. */
static int enter(struct births *b, const struct birth *x, int64_t now_ms, char *code,
                 struct diag *d)
{
    struct parent mother, father;
    char date[DATE_TEXT];
    date_print(x->day, date);
    int rc = find_parent(b, "mother", x->mother, &mother, d);
    if (rc == 0)
        rc = check_mother(&mother, x->day, d);
    if (rc == 0 && x->father.p != NULL)
        rc = find_parent(b, "father", x->father, &father, d);
    if (rc == 0 && x->father.p != NULL)
        rc = check_father(&father, x->day, d);
    if (rc == 0)
        rc = check_new(b, x, date, code, d);
    if (rc == 0)
        rc = choose_surname(b, x, &mother, &father, d);
    if (rc == 0)
        rc = choose_code(b, x, code, d);
    return rc != 0 ? rc : insert(b, x, &mother, date, code, now_ms, d);
}

int births_register(struct births *b, const struct birth *x, int64_t now_ms,
                    char code[PERSONCODE_LEN + 1], struct diag *d)
{
    code[0] = 0;
    if (x->day > (now_ms + LOCAL_AHEAD_MS) / DAY_MS)
        return diag_set(d, ERR_BAD_REQUEST, "birth_date is in the future");
    int rc = db_begin(b->db, d);
    if (rc != 0)
        return rc;
    rc = enter(b, x, now_ms, code, d);
    if (rc != 0) {
        db_rollback(b->db);
        return rc;
    }
    return db_commit(b->db, d);
}

struct births *births_new(struct db *db, struct diag *d)
{
    struct births *b = calloc(1, sizeof *b);
    if (b == NULL) {
        diag_set(d, ERR_NOMEM, "no memory for births");
        return NULL;
    }
    b->db = db;
    b->names = names_new(d);
    int rc = b->names == NULL ? ERR_INTERNAL : 0;
    for (int i = 0; rc == 0 && i < STATEMENTS; i++)
        rc = db_prepare(db, sql[i], &b->st[i], d);
    if (rc != 0) {
        births_free(b);
        return NULL;
    }
    return b;
}

void births_free(struct births *b)
{
    if (b == NULL)
        return;
    names_free(b->names);
    free(b);
}
