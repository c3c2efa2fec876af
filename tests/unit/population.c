/* The synthetic population: personal codes, families, homes, and that a seed decides everything. */
#include "base/timeval.h"
#include "registry/date.h"
#include "registry/personcode.h"
#include "registry/population.h"
#include "test.h"

#include <openssl/sha.h>

#define PEOPLE 20000

static struct population *made(uint32_t n, uint64_t seed)
{
    struct diag d = {0};
    struct population *p = population_new(n, seed, (int32_t)timeval_days(2026, 1, 1), &d);
    if (p == NULL)
        FAIL("no population: %s", d.text);
    return p;
}

/* The check digit, computed on the number and from its end, unlike the code under test. */
static int judge_check(long long code)
{
    static const int first[] = {1, 9, 8, 7, 6, 5, 4, 3, 2, 1};
    static const int second[] = {3, 2, 1, 9, 8, 7, 6, 5, 4, 3};
    int a = 0, b = 0;
    code /= 10;
    for (int i = 0; i < 10; i++, code /= 10) {
        a += first[i] * (int)(code % 10);
        b += second[i] * (int)(code % 10);
    }
    return a % 11 != 10 ? a % 11 : b % 11 != 10 ? b % 11 : 0;
}

TEST(published_codes_are_valid)
{
    static const char *const good[] = {"59912310001", "59912310012", "69912310002", "70001010008",
                                       "59912310090", "59912310108", "69912310080", "70001010147",
                                       "59912310460", "59912311010", "69912310450", "70001010020"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct personcode c;
        struct diag d = {0};
        char again[PERSONCODE_LEN + 1];
        if (personcode_parse(slice_str(good[i]), &c, &d) != 0)
            FAIL("%s: %s", good[i], d.text);
        CHECK_INT(c.sex, good[i][0] % 2 == 1 ? SEX_MALE : SEX_FEMALE);
        personcode_print(&c, again);
        CHECK_STR(again, good[i]);
    }
}

TEST(each_other_check_digit_is_refused)
{
    for (char last = '0'; last <= '9'; last++) {
        char code[] = "59912310460";
        struct personcode c;
        code[10] = last;
        CHECK((personcode_parse(slice_str(code), &c, NULL) == 0) == (last == '0'));
    }
}

TEST(a_refusal_says_which_check_failed)
{
    static const struct {
        const char *code, *says;
    } bad[] = {{"5991231000", "11 digits"},
               {"599123100011", "11 digits"},
               {"", "11 digits"},
               {"5991231000x", "character 11"},
               {"09912310001", "century"},
               {"99912310001", "century"},
               {"59902300001", "date of birth"},
               {"59913010001", "date of birth"},
               {"59912310002", "check digit"},
               {"49912310001", "check digit"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct personcode c;
        struct diag d = {0};
        CHECK(personcode_parse(slice_str(bad[i].code), &c, &d) != 0);
        if (strstr(d.text, bad[i].says) == NULL)
            FAIL("%s: \"%s\" does not say \"%s\"", bad[i].code, d.text, bad[i].says);
    }
}

TEST(days_and_ages)
{
    int32_t a, b;
    char text[DATE_TEXT];
    CHECK(date_parse(SLICE_LIT("2004-02-29"), &a) && date_parse(SLICE_LIT("2026-02-28"), &b));
    CHECK_INT(date_years(a, b), 21);
    CHECK_INT(date_years(a, b + 1), 22);
    date_print(a, text);
    CHECK_STR(text, "2004-02-29");
    CHECK(!date_parse(SLICE_LIT("2026-02-29"), &a));
    CHECK(!date_parse(SLICE_LIT("2026-2-28"), &a));
    CHECK(!date_parse(SLICE_LIT("2026-02-28T"), &a));
    CHECK(!date_parse(SLICE_LIT("+026-02-28"), &a));
}

TEST(every_code_is_valid_and_fits_its_person)
{
    struct population *p = made(PEOPLE, 7);
    for (uint32_t i = 0; i < p->n; i++) {
        const struct person *x = &p->people[i];
        char *end;
        long long code = strtoll(x->code, &end, 10);
        CHECK(*end == 0 && end == x->code + 11);
        CHECK_INT(code % 10, judge_check(code));
        long long day = code / 10000 % 1000000;
        long long century = code / 10000000000LL;
        struct timeval_parts t = timeval_split((int64_t)x->birth * 86400000);
        CHECK_INT(day, t.year % 100 * 10000 + t.month * 100 + t.day);
        CHECK_INT(century, (t.year < 2000 ? 3 : 5) + (x->sex == SEX_FEMALE));
    }
    population_free(p);
}

static int by_code(const void *a, const void *b)
{
    return strcmp(((const struct person *)a)->code, ((const struct person *)b)->code);
}

TEST(no_two_people_share_a_code)
{
    struct population *p = made(100000, 2026);
    qsort(p->people, p->n, sizeof *p->people, by_code);
    for (uint32_t i = 1; i < p->n; i++)
        CHECK(strcmp(p->people[i - 1].code, p->people[i].code) != 0);
    population_free(p);
}

static void dump(const struct population *p, unsigned char out[SHA256_DIGEST_LENGTH])
{
    char line[512];
    unsigned char chain[SHA256_DIGEST_LENGTH + sizeof line] = {0};
    for (uint32_t i = 0; i < p->n; i++) {
        const struct person *x = &p->people[i];
        struct slice s = names_surname_text(p->names, x->surname, x->sex);
        int n = snprintf(line, sizeof line, "%s|%.*s|%.*s|%d|%d|%d|%d|%d|%u|%u\n", x->code,
                         SLICE_ARG(x->given_name), SLICE_ARG(s), (int)x->mother, (int)x->father,
                         (int)x->death, (int)x->address, (int)x->since, (unsigned)x->place,
                         (unsigned)x->birth_place);
        memcpy(chain + SHA256_DIGEST_LENGTH, line, (size_t)n);
        SHA256(chain, SHA256_DIGEST_LENGTH + (size_t)n, chain);
    }
    memcpy(out, chain, SHA256_DIGEST_LENGTH);
}

TEST(the_seed_decides_everything)
{
    unsigned char a[SHA256_DIGEST_LENGTH], b[SHA256_DIGEST_LENGTH], c[SHA256_DIGEST_LENGTH];
    struct population *p = made(PEOPLE, 1), *q = made(PEOPLE, 1), *r = made(PEOPLE, 2);
    dump(p, a);
    dump(q, b);
    dump(r, c);
    population_free(p);
    population_free(q);
    population_free(r);
    CHECK(memcmp(a, b, sizeof a) == 0);
    CHECK(memcmp(a, c, sizeof a) != 0);
}

TEST(parents_fit_their_children)
{
    struct population *p = made(PEOPLE, 3);
    uint32_t with_parents = 0, recent = 0, recent_with = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct person *x = &p->people[i];
        bool young = x->birth >= (int32_t)timeval_days(1995, 1, 1);
        recent += young;
        if (x->mother == POPULATION_NOBODY) {
            CHECK_INT(x->father, POPULATION_NOBODY);
            continue;
        }
        const struct person *m = &p->people[x->mother];
        with_parents++;
        recent_with += young;
        CHECK_INT(m->sex, SEX_FEMALE);
        CHECK(x->birth - m->birth >= 15 * 365 && x->birth - m->birth < 55 * 366);
        CHECK(m->death >= x->birth);
        CHECK_INT(x->language, m->language);
        if (x->father == POPULATION_NOBODY)
            continue;
        const struct person *f = &p->people[x->father];
        CHECK_INT(f->sex, SEX_MALE);
        CHECK(x->birth - f->birth >= 15 * 365);
        CHECK(f->death > x->birth - 300);
        CHECK(x->father != m->father);
    }
    CHECK(with_parents > p->n / 2);
    CHECK(recent_with * 100 > recent * 90);
    population_free(p);
}

/* Full siblings bear one name at birth; it changes only by a woman's marriage. */
TEST(full_siblings_share_their_surname)
{
    struct population *p = made(PEOPLE, 4);
    uint32_t pairs = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct person *x = &p->people[i];
        if (x->father == POPULATION_NOBODY || x->unions != POPULATION_NOBODY)
            continue;
        for (uint32_t k = i + 1; k < p->n && k < i + 3000; k++) {
            const struct person *y = &p->people[k];
            if (y->mother != x->mother || y->father != x->father || y->unions != POPULATION_NOBODY)
                continue;
            CHECK_INT(y->surname, x->surname);
            CHECK(!slice_eq(y->given_name, x->given_name));
            pairs++;
        }
    }
    CHECK(pairs > 100);
    population_free(p);
}

/* No mother gives birth twice within nine months, but for twins on one day. */
TEST(births_of_a_mother_keep_their_distance)
{
    struct population *p = made(PEOPLE, 5);
    int32_t *last = calloc(p->n, sizeof *last);
    CHECK(last != NULL);
    uint32_t twins = 0, wrong = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct person *x = &p->people[i];
        if (x->mother == POPULATION_NOBODY)
            continue;
        int32_t before = last[x->mother];
        twins += before == x->birth;
        wrong += before != 0 && before != x->birth && x->birth - before < 270;
        last[x->mother] = x->birth;
    }
    free(last);
    population_free(p);
    CHECK_INT(wrong, 0);
    CHECK(twins > 20);
}

TEST(unions_are_of_two_adults_one_at_a_time)
{
    struct population *p = made(PEOPLE, 6);
    int32_t *until = malloc(p->n * sizeof *until);
    CHECK(until != NULL);
    for (uint32_t i = 0; i < p->n; i++)
        until[i] = INT32_MIN;
    uint32_t wrong = 0, lasting = 0;
    int32_t before = INT32_MIN;
    for (uint32_t i = 0; i < p->n_unions; i++) {
        const struct household *h = &p->unions[i];
        const int32_t who[] = {h->woman, h->man};
        wrong += h->end <= h->start || timeval_split(h->start * 86400000LL).year < before;
        before = timeval_split(h->start * 86400000LL).year;
        lasting += h->end == POPULATION_NEVER && h->man != POPULATION_NOBODY;
        for (int k = 0; k < 2; k++) {
            if (who[k] == POPULATION_NOBODY)
                continue;
            const struct person *x = &p->people[who[k]];
            wrong += x->sex != (k == 0 ? SEX_FEMALE : SEX_MALE);
            wrong += h->start - x->birth < 18 * 365 || h->start > x->death;
            wrong += until[who[k]] > h->start; /* the union before is over */
            until[who[k]] = h->end;
        }
    }
    free(until);
    population_free(p);
    CHECK_INT(wrong, 0);
    CHECK(lasting > PEOPLE / 6);
}

TEST(the_living_have_a_home_and_minors_live_with_a_parent)
{
    struct population *p = made(PEOPLE, 8);
    uint32_t dead = 0, minors = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct person *x = &p->people[i];
        CHECK(x->birth < p->as_of);
        if (x->death != POPULATION_NEVER) {
            CHECK(x->death < p->as_of && x->death > x->birth);
            CHECK_INT(x->address, POPULATION_NOBODY);
            dead++;
            continue;
        }
        CHECK(x->address >= 0 && (uint32_t)x->address < p->n_addresses);
        CHECK(x->since >= x->birth && x->since < p->as_of);
        bool minor = p->as_of - x->birth < 18 * 365;
        if (!minor || x->mother == POPULATION_NOBODY)
            continue;
        const struct person *m = &p->people[x->mother];
        const struct person *f = x->father >= 0 ? &p->people[x->father] : NULL;
        if (m->death == POPULATION_NEVER)
            CHECK_INT(x->address, m->address);
        else if (f != NULL && f->death == POPULATION_NEVER)
            CHECK_INT(x->address, f->address);
        minors++;
    }
    CHECK(dead > 100 && dead < PEOPLE / 10);
    CHECK(minors > PEOPLE / 10);
    population_free(p);
}

TEST(surnames_take_the_form_of_the_sex)
{
    struct diag d = {0};
    struct names *n = names_new(&d);
    CHECK(n != NULL);
    CHECK(slice_eq_str(names_surname_form(n, SLICE_LIT("Ivanov"), SEX_FEMALE), "Ivanova"));
    CHECK(slice_eq_str(names_surname_form(n, SLICE_LIT("Ivanova"), SEX_MALE), "Ivanov"));
    CHECK(slice_eq_str(names_surname_form(n, SLICE_LIT("Novitski"), SEX_FEMALE), "Novitskaja"));
    CHECK(slice_eq_str(names_surname_form(n, SLICE_LIT("Ševtšenko"), SEX_FEMALE), "Ševtšenko"));
    CHECK(slice_eq_str(names_surname_form(n, SLICE_LIT("Matsin"), SEX_FEMALE), "Matsin"));
    CHECK(slice_eq_str(names_surname_form(n, SLICE_LIT("O'Neill"), SEX_FEMALE), "O'Neill"));
    names_free(n);
}

TEST(sizes_and_days_out_of_range_are_refused)
{
    struct diag d = {0};
    CHECK(population_new(0, 1, (int32_t)timeval_days(2026, 1, 1), &d) == NULL);
    CHECK(population_new(POPULATION_MAX + 1, 1, (int32_t)timeval_days(2026, 1, 1), &d) == NULL);
    CHECK(population_new(10, 1, (int32_t)timeval_days(1999, 12, 31), &d) == NULL);
    population_free(made(1, 1));
    population_free(made(2, 1));
}
