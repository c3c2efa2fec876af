/*
 * Cursors over bytes, little-endian, with a sticky error: read or write a group of fields, then
 * check `bad` once. Used for our own formats: journal records, messages between processes, tables.
 */
#ifndef SILD_BASE_CURSOR_H
#define SILD_BASE_CURSOR_H

#include "base/buf.h"
#include "base/slice.h"

struct rd {
    struct slice s;
    size_t at;
    bool bad;
};

static inline struct rd rd_of(struct slice s)
{
    return (struct rd){s, 0, false};
}

/* After the first read past the end all reads give 0 and `bad` is set. */
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
/* n bytes, borrowed from the input. */
struct slice rd_bytes(struct rd *r, size_t n);
/* A u32 length and that many bytes; more than max is bad. */
struct slice rd_var(struct rd *r, size_t max);
size_t rd_left(const struct rd *r);
/* True when everything was read and nothing went wrong: a message must be consumed to its end. */
bool rd_done(const struct rd *r);

/* The writing side appends to a buf, whose `failed` is the sticky error. */
void wr_u8(struct buf *b, uint8_t v);
void wr_u16(struct buf *b, uint16_t v);
void wr_u32(struct buf *b, uint32_t v);
void wr_u64(struct buf *b, uint64_t v);
void wr_var(struct buf *b, struct slice s);

/* In place, at p. */
void put_u16(uint8_t *p, uint16_t v);
void put_u32(uint8_t *p, uint32_t v);
void put_u64(uint8_t *p, uint64_t v);
uint16_t get_u16(const uint8_t *p);
uint32_t get_u32(const uint8_t *p);
uint64_t get_u64(const uint8_t *p);
/* The same, big-endian, for formats that others have fixed so. */
void put_be16(uint8_t *p, uint16_t v);
void put_be64(uint8_t *p, uint64_t v);
uint16_t get_be16(const uint8_t *p);
uint64_t get_be64(const uint8_t *p);

#endif
