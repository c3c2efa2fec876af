#include "xroad/acl.h"

#include "wire/uri.h"

/*
 * One step through the pattern: an ordinary byte, a run of "*" as one star, or a run of two and
 * more as the deep star.
 */
enum token {
    TOKEN_BYTE,
    TOKEN_STAR,
    TOKEN_DEEP,
};

static enum token next_token(struct slice p, size_t *at, uint8_t *byte)
{
    uint8_t c = p.p[(*at)++];
    if (c == '*') {
        if (*at == p.n || p.p[*at] != '*')
            return TOKEN_STAR;
        while (*at < p.n && p.p[*at] == '*')
            (*at)++;
        return TOKEN_DEEP;
    }
    if (c == '\\' && *at < p.n && (p.p[*at] == '*' || p.p[*at] == '\\'))
        c = p.p[(*at)++];
    *byte = c;
    return TOKEN_BYTE;
}

/*
 * A single star takes all up to the next "/" and never gives back (X-Road's possessive group). So
 * what stands between two deep stars ends, from a given start, at one place only, and from a later
 * start never earlier: the only place to come back to is the last deep star, one byte further on.
 */
bool acl_path_matches(struct slice pattern, struct slice path)
{
    size_t p = 0, s = 0, deep_p = SIZE_MAX, deep_s = 0;
    while (p < pattern.n || s < path.n) {
        uint8_t byte = 0;
        bool fits = false;
        if (p < pattern.n) {
            switch (next_token(pattern, &p, &byte)) {
            case TOKEN_DEEP:
                deep_p = p;
                deep_s = s;
                fits = true;
                break;
            case TOKEN_STAR:
                while (s < path.n && path.p[s] != '/')
                    s++;
                fits = true;
                break;
            case TOKEN_BYTE:
                fits = s < path.n && path.p[s] == byte;
                s += fits;
                break;
            }
        }
        if (fits)
            continue;
        if (deep_p == SIZE_MAX || deep_s >= path.n)
            return false;
        p = deep_p;
        s = ++deep_s;
    }
    return true;
}

bool acl_method_matches(struct slice pattern, struct slice method)
{
    return slice_eq_str(pattern, "*") || slice_ieq(pattern, method);
}

bool acl_covers(struct slice method, struct slice pattern, struct slice other_method,
                struct slice other_pattern)
{
    return acl_method_matches(method, other_method) && acl_path_matches(pattern, other_pattern);
}

int acl_normalise(struct slice raw_service_path, struct buf *out, struct diag *d)
{
    struct diag why = {0};
    int err = uri_path_normalise(raw_service_path, out, &why);
    if (err != 0)
        return diag_set(d, err, "Request is not allowed: %s", why.text);
    return 0;
}
