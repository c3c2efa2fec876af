/* Certificate profiles (signature.md 9): whom a certificate names, and how one is to be named. */
#include "base/err.h"
#include "crypto/cert_issue.h"
#include "xroad/trust.h"

#include <string.h>

#define PACKAGE "ee.ria.xroad.common.certificateprofile.impl."
#define SUFFIX "CertificateProfileInfoProvider"

#define OID_CN "2.5.4.3"
#define OID_SERIAL "2.5.4.5"
#define OID_C "2.5.4.6"
#define OID_O "2.5.4.10"
#define OID_OU "2.5.4.11"
#define OID_CATEGORY "2.5.4.15"
#define OID_ORGANIZATION_ID "2.5.4.97"

/* A certificate being read: what is wrong with its name has one code per profile. */
struct reading {
    const struct cert *c;
    const struct id_client *claimed;
    struct arena *a;
    int code;
    struct diag *d;
};

/* The first value of that type; p is NULL when absent. */
static struct slice field(const struct reading *r, const char *oid)
{
    struct buf b;
    struct slice out = SLICE_NONE;
    buf_init(&b, 4096);
    if (cert_subject_field(r->c, oid, &b) && !b.failed)
        out = arena_dup(r->a, buf_view(&b));
    buf_free(&b);
    return out;
}

static int wrong(const struct reading *r, const char *what)
{
    return diag_set(r->d, r->code, "Certificate subject name %s", what);
}

static int must(const struct reading *r, const char *oid, const char *name, struct slice *out)
{
    *out = field(r, oid);
    if (out->p == NULL)
        return diag_set(r->d, r->code, "Certificate subject name does not contain %s", name);
    return 0;
}

static int must_country(const struct reading *r, const char *country)
{
    if (!slice_eq_str(field(r, OID_C), country))
        return wrong(r, "does not contain valid country code");
    return 0;
}

static int read_ejbca(const struct reading *r, struct id_client *out)
{
    int err = must(r, OID_C, "country code", &out->instance);
    if (err == 0)
        err = must(r, OID_O, "organization", &out->member_class);
    return err == 0 ? must(r, OID_CN, "common name", &out->member_code) : err;
}

static int read_basic(const struct reading *r, struct id_client *out)
{
    out->instance = r->claimed->instance;
    int err = must(r, OID_CATEGORY, "business category", &out->member_class);
    return err == 0 ? must(r, OID_SERIAL, "serial number", &out->member_code) : err;
}

/* O = instance, OU = class, CN = code. */
static int read_units(const struct reading *r, const char *country, struct id_client *out)
{
    int err = must_country(r, country);
    if (err == 0)
        err = must(r, OID_O, "organization", &out->instance);
    if (err == 0)
        err = must(r, OID_OU, "organization unit", &out->member_class);
    return err == 0 ? must(r, OID_CN, "common name", &out->member_code) : err;
}

/* serialNumber = instance/server code/class. */
static int read_fi_serial(const struct reading *r, struct slice serial, struct id_client *out)
{
    struct slice part[3], ignored, rest = serial;
    int err = must_country(r, "FI");
    if (err == 0)
        err = must(r, OID_O, "organization", &ignored);
    if (err == 0)
        err = must(r, OID_CN, "common name", &out->member_code);
    if (err != 0)
        return err;
    size_t n = 0;
    while (n < 3 && slice_next(&rest, '/', &part[n]))
        n++;
    if (n != 3 || rest.p != NULL)
        return wrong(r, "has a serialNumber that is not instance/server/class");
    out->instance = part[0];
    out->member_class = part[2];
    return 0;
}

static int read_fi(const struct reading *r, struct id_client *out)
{
    struct slice serial = field(r, OID_SERIAL);
    if (serial.p != NULL)
        return read_fi_serial(r, serial, out);
    return field(r, OID_OU).p != NULL ? read_units(r, "FI", out) : read_ejbca(r, out);
}

static int read_is(const struct reading *r, struct id_client *out)
{
    struct slice serial = field(r, OID_SERIAL);
    if (serial.p == NULL && field(r, OID_OU).p == NULL)
        return read_ejbca(r, out);
    int err = read_units(r, "IS", out);
    return err == 0 ? must(r, OID_SERIAL, "serial number", &serial) : err;
}

static int read_fo(const struct reading *r, struct id_client *out)
{
    struct slice serial;
    int err = read_units(r, "FO", out);
    return err == 0 ? must(r, OID_SERIAL, "serial number", &serial) : err;
}

static int read_sk_serial(const struct reading *r, struct id_client *out)
{
    uint64_t number;
    int err = must(r, OID_SERIAL, "serial number", &out->member_code);
    if (err != 0)
        return err;
    if (out->member_code.n != 8 || !slice_u64(out->member_code, &number))
        return wrong(r, "has a serial number that is not 8 digits long");
    switch (out->member_code.p[0]) {
    case '0':
        return wrong(r, "has a malformed serial number");
    case '7':
        out->member_class = SLICE_LIT("GOV");
        return 0;
    case '8':
    case '9':
        out->member_class = SLICE_LIT("NGO");
        return 0;
    default:
        out->member_class = SLICE_LIT("COM");
        return 0;
    }
}

static int read_sk(const struct reading *r, struct id_client *out)
{
    static const struct {
        const char *prefix;
        struct slice member_class;
    } registers[] = {{"NTREE-", {(const uint8_t *)"COM", 3}},
                     {"GO:EE-", {(const uint8_t *)"GOV", 3}},
                     {"NP:EE-", {(const uint8_t *)"NGO", 3}}};
    struct slice id = field(r, OID_ORGANIZATION_ID);
    out->instance = r->claimed->instance;
    if (id.n == 0)
        return read_sk_serial(r, out);
    out->member_class = SLICE_LIT("NEE");
    out->member_code = id;
    for (size_t i = 0; i < ARRAY_LEN(registers); i++) {
        if (!slice_starts(id, registers[i].prefix))
            continue;
        out->member_class = registers[i].member_class;
        out->member_code = slice_from(id, strlen(registers[i].prefix));
    }
    return 0;
}

static int read_sk_person(const struct reading *r, struct id_client *out)
{
    out->instance = r->claimed->instance;
    out->member_class = SLICE_LIT("PERSON");
    return must(r, OID_SERIAL, "serial number", &out->member_code);
}

/* --- subjects to issue --- */

/* What a field holds. */
enum value {
    NOTHING,
    INSTANCE,
    MEMBER_CLASS,
    MEMBER_CODE,
    MEMBER_NAME,
    SERVER_CODE,
    DNS,
    COUNTRY,
    FI,
    IS,
    FO,
    SERVER_CLASS, /* instance/serverCode/class */
    SERVER_ID,    /* instance/class/code/serverCode */
};

struct rdn {
    const char *oid;
    enum value value;
};

#define RDNS_MAX 5

static const struct profile {
    const char *name, *class_name;
    int code; /* of a name that does not fit */
    int (*read)(const struct reading *r, struct id_client *out);
    struct rdn sign[RDNS_MAX], auth[RDNS_MAX];
} profiles[] = {
    {"Ejbca",
     PACKAGE "Ejbca" SUFFIX,
     ERR_INCORRECT_CERTIFICATE,
     read_ejbca,
     {{OID_C, INSTANCE}, {OID_O, MEMBER_CLASS}, {OID_CN, MEMBER_CODE}},
     {{OID_C, INSTANCE}, {OID_CN, SERVER_CODE}}},
    {"Basic",
     PACKAGE "Basic" SUFFIX,
     ERR_INCORRECT_CERTIFICATE,
     read_basic,
     {{OID_CN, MEMBER_NAME},
      {OID_O, MEMBER_NAME},
      {OID_CATEGORY, MEMBER_CLASS},
      {OID_C, COUNTRY},
      {OID_SERIAL, MEMBER_CODE}},
     {{OID_CN, DNS}, {OID_SERIAL, MEMBER_CODE}, {OID_C, COUNTRY}, {OID_O, MEMBER_NAME}}},
    {"BasicACME",
     PACKAGE "BasicACME" SUFFIX,
     ERR_INVALID_CERTIFICATE,
     read_basic,
     {{OID_C, COUNTRY},
      {OID_O, MEMBER_NAME},
      {OID_CATEGORY, MEMBER_CLASS},
      {OID_SERIAL, MEMBER_CODE},
      {OID_CN, MEMBER_NAME}},
     {{OID_C, COUNTRY}, {OID_O, MEMBER_NAME}, {OID_SERIAL, MEMBER_CODE}, {OID_CN, DNS}}},
    {"FiVRK",
     PACKAGE "FiVRK" SUFFIX,
     ERR_INCORRECT_CERTIFICATE,
     read_fi,
     {{OID_C, FI}, {OID_O, MEMBER_NAME}, {OID_SERIAL, SERVER_CLASS}, {OID_CN, MEMBER_CODE}},
     {{OID_C, FI}, {OID_O, MEMBER_NAME}, {OID_SERIAL, SERVER_CLASS}, {OID_CN, DNS}}},
    {"Is",
     PACKAGE "Is" SUFFIX,
     ERR_INCORRECT_CERTIFICATE,
     read_is,
     {{OID_C, IS},
      {OID_O, INSTANCE},
      {OID_OU, MEMBER_CLASS},
      {OID_CN, MEMBER_CODE},
      {OID_SERIAL, SERVER_ID}},
     {{OID_C, IS}, {OID_CN, DNS}, {OID_SERIAL, SERVER_ID}}},
    {"Fo",
     PACKAGE "Fo" SUFFIX,
     ERR_INCORRECT_CERTIFICATE,
     read_fo,
     {{OID_C, FO},
      {OID_O, INSTANCE},
      {OID_OU, MEMBER_CLASS},
      {OID_CN, MEMBER_CODE},
      {OID_SERIAL, SERVER_ID}},
     {{OID_C, FO}, {OID_O, INSTANCE}, {OID_CN, SERVER_ID}}},
    {"SkKlass3",
     PACKAGE "SkKlass3" SUFFIX,
     ERR_INVALID_CERTIFICATE,
     read_sk,
     {{OID_SERIAL, MEMBER_CODE}, {OID_CN, MEMBER_NAME}},
     {{OID_SERIAL, MEMBER_CODE}, {OID_CN, MEMBER_NAME}}},
    {"SkEsteId",
     PACKAGE "SkEsteId" SUFFIX,
     ERR_INVALID_CERTIFICATE,
     read_sk_person,
     {{NULL, NOTHING}},
     {{NULL, NOTHING}}},
};

/* By class name, or also by short name; NULL when unknown. */
static const struct profile *find_profile(struct slice name, bool short_too)
{
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
        if (slice_eq_str(name, profiles[i].class_name) ||
            (short_too && slice_eq_str(name, profiles[i].name)))
            return &profiles[i];
    return NULL;
}

int trust_profile_member(struct slice profile, const struct cert *c,
                         const struct id_client *claimed, struct arena *a, struct id_client *out,
                         struct diag *d)
{
    const struct profile *p = find_profile(profile, false);
    if (p == NULL)
        return diag_set(d, ERR_INTERNAL, "certificate profile \"%.*s\" is not known",
                        SLICE_ARG(slice_sub(profile, 0, 120)));
    struct reading r = {c, claimed, a, p->code, d};
    *out = (struct id_client){0};
    int err = p->read(&r, out);
    if (err == 0 && arena_failed(a))
        return diag_set(d, ERR_NOMEM, "no memory for a certificate's names");
    if (err == 0 && (id_part_is_blank(out->instance) || id_part_is_blank(out->member_class) ||
                     id_part_is_blank(out->member_code)))
        return wrong(&r, "has a blank identifier");
    return err;
}

/* "instance/x/y[/z]"; NULL when one of them is not given. */
static const char *joined(struct arena *a, const char *instance, const char *x, const char *y,
                          const char *z)
{
    if (instance == NULL || x == NULL || y == NULL || instance[0] == 0 || x[0] == 0 || y[0] == 0)
        return NULL;
    return z == NULL ? arena_printf(a, "%s/%s/%s", instance, x, y)
                     : arena_printf(a, "%s/%s/%s/%s", instance, x, y, z);
}

static const char *value_of(const struct trust_subject *s, enum value value, struct arena *a)
{
    switch (value) {
    case INSTANCE:
        return s->instance;
    case MEMBER_CLASS:
        return s->member_class;
    case MEMBER_CODE:
        return s->member_code;
    case MEMBER_NAME:
        return s->member_name;
    case SERVER_CODE:
        return s->server_code;
    case DNS:
        return s->dns;
    case COUNTRY:
        return s->country;
    case FI:
        return "FI";
    case IS:
        return "IS";
    case FO:
        return "FO";
    case SERVER_CLASS:
        return joined(a, s->instance, s->server_code, s->member_class, NULL);
    case SERVER_ID:
        return s->server_code == NULL || s->server_code[0] == 0
                   ? NULL
                   : joined(a, s->instance, s->member_class, s->member_code, s->server_code);
    case NOTHING:
        break;
    }
    return NULL;
}

/* What is missing when a field cannot be filled. */
static const char *missing(const struct trust_subject *s, enum value value)
{
    bool instance = value == INSTANCE || value == SERVER_CLASS || value == SERVER_ID;
    bool member_class = value == MEMBER_CLASS || value == SERVER_CLASS || value == SERVER_ID;
    if (instance && (s->instance == NULL || s->instance[0] == 0))
        return "instance";
    if (member_class && (s->member_class == NULL || s->member_class[0] == 0))
        return "member class";
    if (value == MEMBER_NAME)
        return "member name";
    if (value == DNS)
        return "DNS name";
    return value == MEMBER_CODE ||
                   (value == SERVER_ID && (s->member_code == NULL || s->member_code[0] == 0))
               ? "member code"
               : "server code";
}

int trust_profile_subject(struct slice profile, enum trust_cert_kind kind,
                          const struct trust_subject *s, struct arena *a, struct cert_rdn *rdns,
                          size_t max, size_t *n, struct diag *d)
{
    const struct profile *p = find_profile(profile, true);
    *n = 0;
    if (p == NULL)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "certificate profile \"%.*s\" is not known",
                        SLICE_ARG(slice_sub(profile, 0, 120)));
    const struct rdn *list = kind == TRUST_SIGN ? p->sign : p->auth;
    for (size_t i = 0; i < RDNS_MAX && list[i].oid != NULL; i++) {
        const char *value = value_of(s, list[i].value, a);
        if (arena_failed(a))
            return diag_set(d, ERR_NOMEM, "no memory for a certificate's names");
        bool empty = value == NULL || value[0] == 0;
        if (empty && list[i].value != COUNTRY)
            return diag_set(d, ERR_USAGE, "profile %s wants a %s", p->name,
                            missing(s, list[i].value));
        if (empty)
            continue;
        if (*n == max)
            return diag_set(d, ERR_TOO_LARGE, "a subject of profile %s has more than %zu fields",
                            p->name, max);
        rdns[(*n)++] = (struct cert_rdn){list[i].oid, value};
    }
    return 0;
}

const char *trust_profile_class(const char *short_name)
{
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
        if (strcmp(profiles[i].name, short_name) == 0)
            return profiles[i].class_name;
    return NULL;
}
