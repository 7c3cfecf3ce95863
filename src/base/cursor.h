/* cursor: the only way to read bytes that came from outside.
 *
 * A cursor never reads past its end: a read that would sets `failed` for good and gives zeros, so a decoder may read a
 * whole structure and look at cursor_ok() once. It borrows the bytes. Integers are named by width and order as on the
 * wire. Thread: one owner. */
#ifndef PILLION_BASE_CURSOR_H
#define PILLION_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
    const uint8_t *p;
    const uint8_t *end;
    bool failed;
};

static inline struct cursor cursor_of(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    return (struct cursor){p, p ? p + len : p, false};
}

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->p);
}

static inline bool cursor_ok(const struct cursor *c)
{
    return !c->failed;
}

static inline bool cursor_done(const struct cursor *c)
{
    return c->p == c->end;
}

/* n bytes, or NULL (and failed) when there are fewer. n == 0 gives a valid pointer. */
static inline const uint8_t *cursor_bytes(struct cursor *c, size_t n)
{
    const uint8_t *p = c->p;

    if (__builtin_expect(n > cursor_left(c) || c->failed, 0)) {
        c->failed = true;
        c->p = c->end;
        return NULL;
    }
    c->p += n;
    return p;
}

/* A cursor over the next n bytes; failed too when there are fewer. */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
    const uint8_t *p = cursor_bytes(c, n);

    return p ? (struct cursor){p, p + n, false} : (struct cursor){c->end, c->end, true};
}

static inline void cursor_skip(struct cursor *c, size_t n)
{
    (void)cursor_bytes(c, n);
}

/* Eight bytes as a little-endian number; the caller has seen that they are there. */
static inline uint64_t cursor_word(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* width: 0 to 8. */
static inline uint64_t cursor_le(struct cursor *c, size_t width)
{
    const uint8_t *p;
    uint64_t v = 0;

    if (__builtin_expect(cursor_left(c) >= 8 && !c->failed && width - 1 < 8, 1)) {
        v = cursor_word(c->p) & (UINT64_MAX >> (64 - 8 * width));
        c->p += width;
        return v;
    }
    p = cursor_bytes(c, width);
    if (!p)
        return 0;
    for (size_t i = 0; i < width; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static inline uint64_t cursor_be(struct cursor *c, size_t width)
{
    const uint8_t *p = cursor_bytes(c, width);
    uint64_t v = 0;

    if (!p)
        return 0;
    for (size_t i = 0; i < width; i++)
        v = v << 8 | p[i];
    return v;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
    const uint8_t *p = cursor_bytes(c, 1);
    return p ? *p : 0;
}
static inline uint16_t cursor_u16le(struct cursor *c)
{
    return (uint16_t)cursor_le(c, 2);
}
static inline uint32_t cursor_u24le(struct cursor *c)
{
    return (uint32_t)cursor_le(c, 3);
}
static inline uint32_t cursor_u32le(struct cursor *c)
{
    return (uint32_t)cursor_le(c, 4);
}
static inline uint64_t cursor_u48le(struct cursor *c)
{
    return cursor_le(c, 6);
}
static inline uint64_t cursor_u64le(struct cursor *c)
{
    return cursor_le(c, 8);
}

/* MySQL's length-encoded integer (Protocol::LengthEncodedInteger). 0xfb and 0xff fail. */
static inline uint64_t cursor_lenenc(struct cursor *c)
{
    uint8_t b = cursor_u8(c);

    if (b < 0xfb)
        return b;
    if (b == 0xfc)
        return cursor_le(c, 2);
    if (b == 0xfd)
        return cursor_le(c, 3);
    if (b == 0xfe)
        return cursor_le(c, 8);
    c->failed = true;
    c->p = c->end;
    return 0;
}

#endif
