#include "base/cursor.h"

void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)v);
    put_u16(p + 2, (uint16_t)(v >> 16));
}

void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t get_u32(const uint8_t *p)
{
    return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

uint64_t get_u64(const uint8_t *p)
{
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

size_t rd_left(const struct rd *r)
{
    return r->bad ? 0 : r->s.n - r->at;
}

bool rd_done(const struct rd *r)
{
    return !r->bad && r->at == r->s.n;
}

static const uint8_t *take(struct rd *r, size_t n)
{
    if (r->bad || n > r->s.n - r->at) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->s.p + r->at;
    r->at += n;
    return p;
}

uint8_t rd_u8(struct rd *r)
{
    const uint8_t *p = take(r, 1);
    return p == NULL ? 0 : p[0];
}

uint16_t rd_u16(struct rd *r)
{
    const uint8_t *p = take(r, 2);
    return p == NULL ? 0 : get_u16(p);
}

uint32_t rd_u32(struct rd *r)
{
    const uint8_t *p = take(r, 4);
    return p == NULL ? 0 : get_u32(p);
}

uint64_t rd_u64(struct rd *r)
{
    const uint8_t *p = take(r, 8);
    return p == NULL ? 0 : get_u64(p);
}

struct slice rd_bytes(struct rd *r, size_t n)
{
    if (r->bad || n > r->s.n - r->at) {
        r->bad = true;
        return SLICE_NONE;
    }
    struct slice s = slice_sub(r->s, r->at, n);
    r->at += n;
    return s;
}

struct slice rd_var(struct rd *r, size_t max)
{
    uint32_t n = rd_u32(r);
    if (n > max)
        r->bad = true;
    return rd_bytes(r, n);
}

void wr_u8(struct buf *b, uint8_t v)
{
    buf_byte(b, v);
}

void wr_u16(struct buf *b, uint16_t v)
{
    uint8_t t[2];
    put_u16(t, v);
    buf_add(b, t, sizeof t);
}

void wr_u32(struct buf *b, uint32_t v)
{
    uint8_t t[4];
    put_u32(t, v);
    buf_add(b, t, sizeof t);
}

void wr_u64(struct buf *b, uint64_t v)
{
    uint8_t t[8];
    put_u64(t, v);
    buf_add(b, t, sizeof t);
}

void wr_var(struct buf *b, struct slice s)
{
    if (s.n > UINT32_MAX) {
        b->failed = true;
        return;
    }
    wr_u32(b, (uint32_t)s.n);
    buf_slice(b, s);
}

void put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void put_be64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

uint16_t get_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

uint64_t get_be64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}
