/* varint: Avro's integers on the wire, inline, for the encoder's hot path and for whoever writes a few fields by hand.
 *
 * int and long are zig-zag coded and cut into groups of seven bits, lowest first (Avro 1.11 specification, "Binary
 * Encoding"). varint_put writes at p and returns the place after; p must have VARINT_ROOM bytes of room, because the
 * fast path stores whole words. varint_read takes at most ten bytes from a cursor and fails it on more. Knows no
 * schema. Thread: any. */
#ifndef PILLION_AVRO_VARINT_H
#define PILLION_AVRO_VARINT_H

#include <stdint.h>
#include <string.h>

#include "base/cursor.h"

enum { VARINT_ROOM = 16 };

static inline uint64_t varint_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static inline uint8_t *varint_put(uint8_t *p, int64_t v)
{
    uint64_t z = varint_zigzag(v);

    if (z < 0x80) {
        *p = (uint8_t)z;
        return p + 1;
    }
    if (__builtin_expect(z < (UINT64_C(1) << 56), 1)) {
        /* Spread the seven-bit groups over eight bytes without a loop, then set the continuation bits of all but the
         * last. */
        unsigned bits = 64u - (unsigned)__builtin_clzll(z);
        unsigned n = (bits + 6u) / 7u;
        uint64_t x = z;

        x = (x & UINT64_C(0x000000000fffffff)) | ((x & UINT64_C(0x00fffffff0000000)) << 4);
        x = (x & UINT64_C(0x00003fff00003fff)) | ((x & UINT64_C(0x0fffc0000fffc000)) << 2);
        x = (x & UINT64_C(0x007f007f007f007f)) | ((x & UINT64_C(0x3f803f803f803f80)) << 1);
        x |= UINT64_C(0x8080808080808080) & ((UINT64_C(1) << (8u * (n - 1u))) - 1u);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        x = __builtin_bswap64(x);
#endif
        memcpy(p, &x, sizeof x);
        return p + n;
    }
    while (z >= 0x80) {
        *p++ = (uint8_t)(z | 0x80);
        z >>= 7;
    }
    *p++ = (uint8_t)z;
    return p;
}

/* How many bytes varint_put uses. */
static inline size_t varint_size(int64_t v)
{
    uint64_t z = varint_zigzag(v) | 1;

    return ((64u - (unsigned)__builtin_clzll(z)) + 6u) / 7u;
}

static inline int64_t varint_read(struct cursor *c)
{
    uint64_t z = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t b = cursor_u8(c);

        if (shift == 63 && b > 1)
            break;
        z |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
    }
    c->failed = true;
    c->p = c->end;
    return 0;
}

#endif
