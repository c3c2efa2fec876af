/*
 * The register's database and services, without the transport: what is asked, what is answered.
 * Expected values come from the database by SQL of the test's own, read through sqlite3 itself.
 */
#include "base/err.h"
#include "base/timeval.h"
#include "registry/census.h"
#include "registry/registry_api.h"
#include "registry/registry_conf.h"
#include "test.h"

#include <jansson.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEOPLE 4000
#define EACH 20
#define NOW_MS (timeval_days(2026, 6, 1) * 86400000)

static char dir[64], path[128];

static void remove_all(void)
{
    static const char *const suffix[] = {"", "-wal", "-shm", ".new"};
    char name[192];
    for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
        snprintf(name, sizeof name, "%s%s", path, suffix[i]);
        unlink(name);
    }
    rmdir(dir);
}

static const char *database(void)
{
    if (path[0] != 0)
        return path;
    struct census c = {"population", PEOPLE, 11, (int32_t)timeval_days(2026, 1, 1)};
    struct diag d = {0};
    snprintf(dir, sizeof dir, "/tmp/sild-registry-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/population.db", dir);
    if (census_make(path, &c, &d) != 0)
        FAIL("no database: %s", d.text);
    return path;
}

/* One text by SQL, from a connection of the test's own. */
static const char *ask(const char *sql)
{
    static char out[4][256];
    static int turn;
    sqlite3 *h;
    sqlite3_stmt *s;
    char *to = out[turn++ % 4];
    CHECK(sqlite3_open_v2(database(), &h, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(h, sql, -1, &s, NULL) == SQLITE_OK);
    CHECK_INT(sqlite3_step(s), SQLITE_ROW);
    const unsigned char *text = sqlite3_column_text(s, 0);
    snprintf(to, sizeof out[0], "%s", text == NULL ? "" : (const char *)text);
    sqlite3_finalize(s);
    sqlite3_close(h);
    return to;
}

static struct registry_api *api;
static struct registry_reply reply;

static struct registry_api *service(void)
{
    struct people *p;
    struct diag d = {0};
    if (api != NULL)
        return api;
    if (people_open(database(), DB_WRITE, &p, &d) != 0)
        FAIL("cannot open: %s", d.text);
    api = registry_api_new(p, &d);
    CHECK(api != NULL);
    registry_reply_init(&reply);
    return api;
}

/* Asks and returns the reply's body as JSON; the caller's to decref. */
static json_t *request(const char *method, const char *target, const char *type, const char *body)
{
    struct registry_request q = {slice_str(method), slice_str(target), slice_str(type),
                                 slice_str(body)};
    struct diag d = {0};
    json_error_t e;
    if (registry_api_answer(service(), &q, NOW_MS, &reply, &d) != 0)
        FAIL("%s %s: %s", method, target, d.text);
    json_t *o = json_loadb((const char *)reply.body.p, reply.body.n, JSON_REJECT_DUPLICATES, &e);
    if (o == NULL)
        FAIL("%s %s: not JSON: %s", method, target, e.text);
    return o;
}

static json_t *get(const char *form, const char *argument)
{
    char target[256];
    snprintf(target, sizeof target, form, argument);
    return request("GET", target, NULL, NULL);
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s == NULL ? "" : s;
}

/* Refused with this status and a sentence that holds `says`. */
static void refused(const char *method, const char *target, const char *type, const char *body,
                    int status, const char *says)
{
    json_t *o = request(method, target, type, body);
    bool good = reply.status == status && strstr(text(o, "detail"), says) != NULL &&
                json_integer_value(json_object_get(o, "status")) == status &&
                strcmp(reply.content_type, "application/problem+json") == 0;
    if (!good)
        FAIL("%s %s %s: %d, %s", method, target, body == NULL ? "" : body, reply.status,
             text(o, "detail"));
    json_decref(o);
}

TEST(a_person_is_what_the_database_says)
{
    const char *code = ask("SELECT code FROM person WHERE death_date IS NULL AND mother IS NOT NULL"
                           " ORDER BY substr(code, 4) LIMIT 1");
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT given_name||'|'||surname||'|'||sex||'|'||birth_date||'|'||birth_place||'|'||"
             "native_language||'|'||resident_since FROM person WHERE code = '%s'",
             code);
    json_t *o = get("/persons/%s", code);
    json_t *home = json_object_get(o, "residence");
    char got[512];
    CHECK_INT(reply.status, 200);
    snprintf(got, sizeof got, "%s|%s|%s|%s|%s|%s|%s", text(o, "given_name"), text(o, "surname"),
             text(o, "sex"), text(o, "birth_date"), text(o, "birth_place"),
             text(o, "native_language"), text(home, "since"));
    CHECK_STR(got, ask(sql));
    CHECK_STR(text(o, "code"), code);
    CHECK(json_is_null(json_object_get(o, "death_date")));
    snprintf(sql, sizeof sql,
             "SELECT a.street FROM address a JOIN person p ON p.address = a.id"
             " WHERE p.code = '%s'",
             code);
    CHECK_STR(text(json_object_get(home, "address"), "street"), ask(sql));
    json_decref(o);
}

TEST(the_dead_have_a_day_of_death_and_no_residence)
{
    const char *code = ask("SELECT code FROM person WHERE death_date IS NOT NULL LIMIT 1");
    json_t *o = get("/persons/%s", code);
    CHECK_INT((int)strlen(text(o, "death_date")), 10);
    CHECK(json_is_null(json_object_get(o, "residence")));
    json_decref(o);
    char target[64];
    snprintf(target, sizeof target, "/addresses?person=%s", code);
    refused("GET", target, NULL, NULL, 404, "no residence");
}

TEST(a_family_has_parents_partner_and_children)
{
    const char *mother =
        ask("SELECT m.code FROM person m JOIN person k ON k.mother = m.code JOIN partnership s ON"
            " s.person_a = m.code AND s.until IS NULL AND s.kind = 'marriage'"
            " WHERE m.mother IS NOT NULL AND m.father IS NOT NULL"
            " GROUP BY m.code HAVING count(*) = 3 LIMIT 1");
    char sql[256];
    json_t *o = get("/families/%s", mother);
    CHECK_INT(reply.status, 200);
    CHECK_STR(text(json_object_get(o, "person"), "code"), mother);
    CHECK_INT(json_array_size(json_object_get(o, "children")), 3);
    const char *before = "";
    for (size_t i = 0; i < 3; i++) {
        const char *born = text(json_array_get(json_object_get(o, "children"), i), "birth_date");
        CHECK(strcmp(before, born) <= 0 && born[0] != 0);
        before = born;
    }
    snprintf(sql, sizeof sql, "SELECT mother FROM person WHERE code = '%s'", mother);
    CHECK_STR(text(json_object_get(o, "mother"), "code"), ask(sql));
    snprintf(sql, sizeof sql, "SELECT father FROM person WHERE code = '%s'", mother);
    CHECK_STR(text(json_object_get(o, "father"), "code"), ask(sql));
    snprintf(sql, sizeof sql,
             "SELECT person_b FROM partnership WHERE person_a = '%s' AND until IS NULL", mother);
    const json_t *partner = json_object_get(o, "partner");
    CHECK_STR(text(partner, "code"), ask(sql));
    CHECK_STR(text(partner, "kind"), "marriage");
    /* seen from the other side */
    json_t *his = get("/families/%s", text(partner, "code"));
    CHECK_STR(text(json_object_get(his, "partner"), "code"), mother);
    json_decref(his);
    /* and from a child */
    json_t *child =
        get("/families/%s", text(json_array_get(json_object_get(o, "children"), 0), "code"));
    CHECK_STR(text(json_object_get(child, "mother"), "code"), mother);
    json_decref(child);
    json_decref(o);
}

TEST(an_address_by_number_and_by_person)
{
    const char *code = ask("SELECT code FROM person WHERE address IS NOT NULL LIMIT 1 OFFSET 17");
    json_t *o = get("/addresses?person=%s", code);
    json_t *address = json_object_get(o, "address");
    CHECK_STR(text(o, "person"), code);
    char id[32];
    snprintf(id, sizeof id, "%lld", (long long)json_integer_value(json_object_get(address, "id")));
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT address FROM person WHERE code = '%s'", code);
    CHECK_STR(id, ask(sql));
    json_t *same = get("/addresses/%s", id);
    CHECK(json_equal(same, address));
    CHECK(strstr(text(same, "text"), text(same, "street")) != NULL);
    CHECK(strstr(text(same, "text"), text(same, "postal_code")) != NULL);
    json_decref(same);
    json_decref(o);
}

TEST(what_is_wrong_is_said)
{
    static const struct {
        const char *method, *target;
        int status;
        const char *says;
    } t[] = {
        {"GET", "/persons/59912310001", 404, "no person"},
        {"GET", "/families/59912310001", 404, "no person"},
        {"GET", "/addresses?person=59912310001", 404, "no person"},
        {"GET", "/persons/59912310002", 400, "check digit"},
        {"GET", "/families/5991231000", 400, "11 digits"},
        {"GET", "/persons/EE59912310001", 400, "11 digits"},
        {"GET", "/persons/%359912310001", 400, "11 digits"},
        {"GET", "/addresses", 400, "person=CODE"},
        {"GET", "/addresses?person=", 400, "11 digits"},
        {"GET", "/addresses?persons=59912310001", 400, "person=CODE"},
        {"GET", "/addresses/999999999", 404, "no address"},
        {"GET", "/addresses/-1", 400, "decimal number"},
        {"GET", "/addresses/99999999999999999999", 400, "decimal number"},
        {"GET", "/", 404, "openapi.json"},
        {"GET", "/persons", 404, "openapi.json"},
        {"GET", "/persons/", 404, "openapi.json"},
        {"GET", "/persons/59912310001/x", 404, "openapi.json"},
        {"GET", "/personsx/1", 404, "openapi.json"},
        {"GET", "/healthzz", 404, "openapi.json"},
        {"GET", "*", 404, "openapi.json"},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        refused(t[i].method, t[i].target, NULL, NULL, t[i].status, t[i].says);
}

TEST(a_wrong_method_is_told_the_right_ones)
{
    refused("DELETE", "/persons/59912310001", NULL, NULL, 405, "Allow");
    CHECK_STR(buf_cstr(&reply.headers), "Allow: GET, HEAD\r\n");
    refused("GET", "/births", NULL, NULL, 405, "Allow");
    CHECK_STR(buf_cstr(&reply.headers), "Allow: POST\r\n");
    refused("get", "/healthz", NULL, NULL, 405, "Allow");
}

TEST(head_is_answered_like_get)
{
    json_t *o = request("HEAD", "/healthz", NULL, NULL);
    CHECK_INT(reply.status, 200);
    CHECK_STR(text(o, "status"), "ok");
    CHECK_STR(text(o, "register"), "population");
    json_decref(o);
}

/* Every route of the description exists, and the other way round the description knows them. */
TEST(the_description_names_the_services)
{
    json_t *o = request("GET", "/openapi.json", NULL, NULL), *paths = json_object_get(o, "paths");
    CHECK_STR(text(o, "openapi"), "3.0.3");
    const char *p;
    json_t *v;
    CHECK_INT(json_object_size(paths), 7);
    json_object_foreach(paths, p, v)
    {
        char target[64];
        const char *brace = strchr(p, '{');
        snprintf(target, sizeof target, "%.*s%s", brace == NULL ? 60 : (int)(brace - p), p,
                 brace == NULL ? "" : "1");
        json_decref(request("OPTIONS", target, NULL, NULL));
        CHECK_INT(reply.status, 405); /* there, though not for this method */
    }
    json_decref(o);
}

static const char *birth(const char *mother, const char *father, const char *name, const char *sex,
                         const char *date)
{
    static char body[512];
    snprintf(body, sizeof body,
             "{\"mother\":\"%s\",%s%s%s\"given_name\":\"%s\",\"sex\":\"%s\","
             "\"birth_date\":\"%s\",\"birth_place\":\"Tartu\"}",
             mother, father == NULL ? "" : "\"father\":\"", father == NULL ? "" : father,
             father == NULL ? "" : "\",", name, sex, date);
    return body;
}

static const char *a_mother(void)
{
    return ask("SELECT m.code FROM person m JOIN partnership s ON s.person_a = m.code AND"
               " s.until IS NULL WHERE m.birth_date > '1990' AND m.address IS NOT NULL"
               " AND m.death_date IS NULL AND m.native_language = 'ru' AND m.surname LIKE '%ova'"
               " AND (SELECT surname FROM person WHERE code = s.person_b) LIKE '%ov'"
               " AND NOT EXISTS (SELECT 1 FROM person k WHERE k.mother = m.code) LIMIT 1");
}

static const char *partner_of(const char *woman)
{
    char sql[128];
    snprintf(sql, sizeof sql,
             "SELECT person_b FROM partnership WHERE person_a = '%s' AND until IS NULL", woman);
    return ask(sql);
}

TEST(a_birth_gives_a_person)
{
    char mother[12], father[12], girl[12], boy[12], sql[256];
    snprintf(mother, sizeof mother, "%s", a_mother());
    snprintf(father, sizeof father, "%s", partner_of(mother));
    json_t *o = request("POST", "/births", "application/json; charset=utf-8",
                        birth(mother, father, "Anna-Liisa", "female", "2026-05-31"));
    CHECK_INT(reply.status, 201);
    snprintf(girl, sizeof girl, "%s", text(o, "code"));
    char location[64];
    snprintf(location, sizeof location, "Location: /persons/%s\r\n", girl);
    CHECK_STR(buf_cstr(&reply.headers), location);
    CHECK(strncmp(girl, "6260531", 7) == 0);
    CHECK_STR(text(o, "given_name"), "Anna-Liisa");
    CHECK_STR(text(o, "native_language"), "ru");
    CHECK_STR(text(o, "birth_place"), "Tartu");
    CHECK_STR(text(json_object_get(o, "residence"), "since"), "2026-05-31");
    snprintf(sql, sizeof sql, "SELECT surname || 'a' FROM person WHERE code = '%s'", father);
    CHECK_STR(text(o, "surname"), ask(sql));
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM person k JOIN person m ON m.code = k.mother"
             " WHERE k.code = '%s' AND k.mother = '%s' AND k.father = '%s'"
             " AND k.address = m.address",
             girl, mother, father);
    CHECK_STR(ask(sql), "1");
    json_decref(o);
    /* her twin brother: the same day, the next serial, the man's form of the name */
    o = request("POST", "/births", "application/json",
                birth(mother, father, "Artur", "male", "2026-05-31"));
    CHECK_INT(reply.status, 201);
    snprintf(boy, sizeof boy, "%s", text(o, "code"));
    CHECK(strncmp(boy, "5260531", 7) == 0);
    CHECK(strncmp(boy + 7, girl + 7, 3) != 0);
    snprintf(sql, sizeof sql, "SELECT surname FROM person WHERE code = '%s'", father);
    CHECK_STR(text(o, "surname"), ask(sql));
    json_decref(o);
    /* the family knows them */
    o = get("/families/%s", mother);
    CHECK_INT(json_array_size(json_object_get(o, "children")), 2);
    json_decref(o);
    /* once is enough */
    refused("POST", "/births", "application/json",
            birth(mother, father, "Artur", "male", "2026-05-31"), 409, "already");
    snprintf(location, sizeof location, "Location: /persons/%s\r\n", boy);
    CHECK_STR(buf_cstr(&reply.headers), location);
}

TEST(a_birth_without_father_takes_the_mothers_name)
{
    char mother[12], sql[128];
    snprintf(mother, sizeof mother, "%s",
             ask("SELECT code FROM person WHERE sex = 'female' AND native_language = 'et' AND"
                 " birth_date BETWEEN '1995' AND '2000' AND address IS NOT NULL LIMIT 1"));
    json_t *o = request("POST", "/births", "application/json",
                        birth(mother, NULL, "Mart", "male", "2026-05-01"));
    CHECK_INT(reply.status, 201);
    snprintf(sql, sizeof sql, "SELECT surname FROM person WHERE code = '%s'", mother);
    CHECK_STR(text(o, "surname"), ask(sql));
    json_t *family = get("/families/%s", text(o, "code"));
    CHECK(json_is_null(json_object_get(family, "father")));
    CHECK_STR(text(json_object_get(family, "mother"), "code"), mother);
    json_decref(family);
    json_decref(o);
}

TEST(who_cannot_be_a_parent_is_refused)
{
    char woman[12], man[12];
    const char *json = "application/json", *day = "2026-05-01";
    snprintf(woman, sizeof woman, "%s", a_mother());
    snprintf(man, sizeof man, "%s", partner_of(woman));
    refused("POST", "/births", json, birth(man, NULL, "Mart", "male", day), 409, "not a woman");
    refused("POST", "/births", json, birth(woman, woman, "Mart", "male", day), 409, "not a man");
    refused("POST", "/births", json, birth("69912310002", NULL, "Mart", "male", day), 404,
            "mother: no person");
    refused("POST", "/births", json, birth(woman, "59912310001", "Mart", "male", day), 404,
            "father: no person");
    const char *dead = ask("SELECT code FROM person WHERE sex = 'female' AND death_date IS NOT NULL"
                           " LIMIT 1");
    refused("POST", "/births", json, birth(dead, NULL, "Mart", "male", day), 409,
            "died before the birth");
    const char *girl = ask("SELECT code FROM person WHERE sex = 'female' AND birth_date > '2016'"
                           " LIMIT 1");
    refused("POST", "/births", json, birth(girl, NULL, "Mart", "male", day), 409, "under 12");
    const char *old = ask("SELECT code FROM person WHERE sex = 'female' AND birth_date < '1950' AND"
                          " death_date IS NULL LIMIT 1");
    refused("POST", "/births", json, birth(old, NULL, "Mart", "male", day), 409, "over 60");
    /* before the mother's own birth */
    refused("POST", "/births", json, birth(girl, NULL, "Mart", "male", "1990-01-01"), 409,
            "under 12");
    const char *late = ask("SELECT code FROM person WHERE sex = 'male' AND death_date < '2025'"
                           " LIMIT 1");
    refused("POST", "/births", json, birth(woman, late, "Mart", "male", day), 409,
            "died more than");
    const char *boy = ask("SELECT code FROM person WHERE sex = 'male' AND birth_date > '2016'"
                          " LIMIT 1");
    refused("POST", "/births", json, birth(woman, boy, "Mart", "male", day), 409, "under 12");
    char sql[128];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM person WHERE mother = '%s' AND given_name ="
             " 'Mart'",
             woman);
    CHECK_STR(ask(sql), "0");
}

TEST(a_malformed_birth_is_refused)
{
    char woman[12];
    const char *json = "application/json", *day = "2026-05-01";
    snprintf(woman, sizeof woman, "%s", a_mother());
    refused("POST", "/births", NULL, "{}", 415, "application/json");
    refused("POST", "/births", "text/plain", "{}", 415, "application/json");
    refused("POST", "/births", json, NULL, 400, "not JSON");
    refused("POST", "/births", json, "", 400, "not JSON");
    refused("POST", "/births", json, "[]", 400, "object");
    refused("POST", "/births", json, "{}", 400, "mother is missing");
    refused("POST", "/births", json, "{\"mother\":1}", 400, "not a text");
    refused("POST", "/births", json, "{\"mother\":\"1\",\"mother\":\"2\"}", 400, "not JSON");
    refused("POST", "/births", json, "{\"mum\":\"1\"}", 400, "unknown field: mum");
    refused("POST", "/births", json, birth("69912310003", NULL, "Mart", "male", day), 400,
            "mother: the check digit");
    refused("POST", "/births", json, birth(woman, "59912310002", "Mart", "male", day), 400,
            "father: the check digit");
    refused("POST", "/births", json, birth(woman, NULL, "Mart", "man", day), 400, "female or male");
    refused("POST", "/births", json, birth(woman, NULL, "Mart", "male", "1.5.2026"), 400,
            "birth_date");
    refused("POST", "/births", json, birth(woman, NULL, "Mart", "male", "2026-02-29"), 400,
            "birth_date");
    refused("POST", "/births", json, birth(woman, NULL, "Mart", "male", "2026-06-02"), 400,
            "future");
    static const char *const names[] = {"M4rt", " Mart",   "Mart ", "Mart--Erik",
                                        "-",    "Mart\\n", "<b>",   "Mart\\u0085"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        refused("POST", "/births", json, birth(woman, NULL, names[i], "male", day), 400,
                "given_name");
    refused("POST", "/births", json, birth(woman, NULL, "", "male", day), 400, "given_name");
    refused("POST", "/births", json, birth(woman, NULL, "Ma\\u0000rt", "male", day), 400, "");
}

static void close_service(void)
{
    if (api == NULL)
        return;
    registry_api_free(api);
    registry_reply_free(&reply);
    api = NULL;
}

TEST(a_registered_birth_is_there_after_opening_again)
{
    char mother[12], code[12];
    snprintf(mother, sizeof mother, "%s", a_mother());
    json_t *o = request("POST", "/births", "application/json",
                        birth(mother, NULL, "Õnne", "female", "2026-04-01"));
    CHECK_INT(reply.status, 201);
    snprintf(code, sizeof code, "%s", text(o, "code"));
    json_decref(o);
    close_service();
    o = get("/persons/%s", code);
    CHECK_INT(reply.status, 200);
    CHECK_STR(text(o, "given_name"), "Õnne");
    json_decref(o);
}

/* A process of its own registers births of one mother on one day. */
static void register_many(const char *mother, char first)
{
    for (char c = 'a'; c < 'a' + EACH; c++) {
        char name[] = {first, c, 0};
        struct registry_request q = {SLICE_LIT("POST"), SLICE_LIT("/births"),
                                     SLICE_LIT("application/json"),
                                     slice_str(birth(mother, NULL, name, "female", "2026-03-03"))};
        struct diag d = {0};
        if (registry_api_answer(service(), &q, NOW_MS, &reply, &d) != 0 || reply.status != 201)
            _exit(1);
    }
    _exit(0);
}

TEST(writers_at_the_same_time_give_each_child_its_own_code)
{
    char mother[12], sql[192];
    int status[2] = {-1, -1};
    pid_t pid[2];
    snprintf(mother, sizeof mother, "%s", a_mother());
    close_service(); /* SQLite's connections do not survive a fork */
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        pid[i] = fork();
        CHECK(pid[i] >= 0);
        if (pid[i] == 0)
            register_many(mother, (char)('A' + i));
    }
    for (int i = 0; i < 2; i++)
        CHECK_INT(waitpid(pid[i], &status[i], 0), pid[i]);
    CHECK(status[0] == 0 && status[1] == 0);
    snprintf(sql, sizeof sql,
             "SELECT count(DISTINCT substr(code, 8, 3)) FROM person WHERE mother = '%s'"
             " AND birth_date = '2026-03-03'",
             mother);
    char want[16];
    snprintf(want, sizeof want, "%d", 2 * EACH);
    CHECK_STR(ask(sql), want);
}

TEST(a_sample_is_the_same_each_time)
{
    struct people *p;
    struct diag d = {0};
    struct buf a, b, c;
    buf_init(&a, 4096);
    buf_init(&b, 4096);
    buf_init(&c, 4096);
    service();
    CHECK_INT(people_open(database(), DB_READ, &p, &d), 0);
    CHECK_INT(people_sample(p, 5, false, &a, &d), 0);
    CHECK_INT(people_sample(p, 5, false, &b, &d), 0);
    CHECK_INT(people_sample(p, 5, true, &c, &d), 0);
    people_close(p);
    CHECK_STR(buf_cstr(&a), buf_cstr(&b));
    json_t *list = json_loads(buf_cstr(&c), 0, NULL);
    CHECK_INT(json_array_size(list), 5);
    for (size_t i = 0; i < 5; i++) {
        const char *code = text(json_array_get(list, i), "code");
        CHECK(strstr(buf_cstr(&a), code) != NULL);
        json_t *family = get("/families/%s", code);
        CHECK(!json_is_null(json_object_get(family, "partner")));
        CHECK(json_array_size(json_object_get(family, "children")) >= 2);
        json_decref(family);
    }
    json_decref(list);
    buf_free(&a);
    buf_free(&b);
    buf_free(&c);
}

TEST(a_database_is_made_once)
{
    struct census c = {"population", 10, 1, (int32_t)timeval_days(2026, 1, 1)};
    struct diag d = {0};
    CHECK_INT(census_make(database(), &c, &d), ERR_EXISTS);
    CHECK_STR(ask("SELECT made_as_of || people FROM register"), "2026-01-014000");
    CHECK_INT(census_make("/nonexistent/x.db", &c, &d), ERR_NOT_FOUND);
}

TEST(what_is_no_register_is_not_opened)
{
    struct people *p;
    struct diag d = {0};
    CHECK_INT(people_open("/nonexistent/x.db", DB_WRITE, &p, &d), ERR_NOT_FOUND);
    CHECK(people_open("/etc/passwd", DB_READ, &p, &d) != 0);
    CHECK(d.text[0] != 0);
}

TEST(the_database_is_in_order)
{
    CHECK_STR(ask("PRAGMA integrity_check"), "ok");
    CHECK_STR(ask("SELECT count(*) FROM pragma_foreign_key_check"), "0");
    CHECK_STR(ask("PRAGMA journal_mode"), "wal");
}

TEST(configuration)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"[registry]\n", "database"},
        {"[registry]\ndatabase = x\nlisten = 9001\n", "listen"},
        {"[registry]\ndatabase = x\nlisten = 127.0.0.1:0\n", "listen"},
        {"[registry]\ndatabase = x\npeople = 0\n", "people"},
        {"[registry]\ndatabase = x\nworkers = 99\n", "workers"},
        {"[registry]\ndatabase = x\ndate = 2026-02-30\n", "date"},
        {"[registry]\ndatabase = x\ncolour = red\n", "colour"},
        {"[gateway]\n", "gateway"},
    };
    struct registry_conf c;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct diag d = {0};
        CHECK(registry_conf_parse(slice_str(bad[i].text), &c, &d) != 0);
        if (strstr(d.text, bad[i].says) == NULL)
            FAIL("\"%s\" does not say \"%s\"", d.text, bad[i].says);
        registry_conf_free(&c);
    }
    struct diag d = {0};
    CHECK_INT(registry_conf_parse(SLICE_LIT("[registry]\nlisten = 127.0.3.1:9001\n"
                                            "database = country.d/population/population.db\n"
                                            "people = 500\nseed = 9\n"),
                                  &c, &d),
              0);
    CHECK_STR(c.host, "127.0.3.1");
    CHECK_INT(c.port, 9001);
    CHECK_STR(c.dir, "country.d/population");
    CHECK_STR(c.name, "population");
    CHECK_INT(c.census.people, 500);
    CHECK_INT(c.census.seed, 9);
    CHECK_INT(c.census.as_of, timeval_days(2026, 1, 1));
    CHECK_INT(c.workers, 1);
    registry_conf_free(&c);
}

__attribute__((destructor)) static void close_all(void)
{
    close_service();
    if (path[0] != 0)
        remove_all();
}
