/* quick_value: the common forms of DECIMAL, DATETIME and TIMESTAMP in a few instructions, for the encoder's hot path.
 *
 * Each function looks at bytes whose number the caller has checked and gives false for whatever is not plain: a value
 * out of range, a zero date. Then the caller takes binlog/value.h's way, which knows all forms and all errors; so these
 * add speed and no meaning, and the tests compare the two. Wire forms as in binlog/value.h. Thread: the cache has one
 * owner. */
#ifndef PILLION_AVRO_QUICK_VALUE_H
#define PILLION_AVRO_QUICK_VALUE_H

#include "binlog/value.h"

enum { QUICK_DECIMAL_DIGITS = 18, QUICK_GROUPS = 4 };

/* How a DECIMAL of at most 18 digits lies: groups of up to nine digits, each in 1 to 4 bytes. */
struct quick_decimal {
    uint8_t n_groups; /* 0: too long for this */
    uint8_t size;
    struct {
        uint8_t bytes;
        uint32_t power; /* 10^digits of the group */
    } groups[QUICK_GROUPS];
};

/* The month that the newest date lay in: rows of a log are near each other in time. */
struct quick_month {
    uint32_t year_month; /* year * 13 + month, as DATETIME2 packs it; 0: none yet */
    int32_t length;
    int64_t days; /* of its first day since 1970-01-01 */
};

static inline struct quick_decimal quick_decimal_of(unsigned precision, unsigned scale)
{
    static const uint8_t bytes_of[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
    static const uint32_t powers[10] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    struct quick_decimal q = {0};
    unsigned whole = precision - scale;
    unsigned digits[QUICK_GROUPS] = {whole % 9, whole / 9 ? 9 : 0, scale / 9 ? 9 : 0, scale % 9};

    if (precision == 0 || precision > QUICK_DECIMAL_DIGITS || scale > precision)
        return q;
    if (whole == 18 || scale == 18) /* two whole groups on one side */
        digits[1] = digits[2] = 9;
    for (size_t i = 0; i < QUICK_GROUPS; i++) {
        if (digits[i] == 0)
            continue;
        q.groups[q.n_groups].bytes = bytes_of[digits[i]];
        q.groups[q.n_groups++].power = powers[digits[i]];
        q.size = (uint8_t)(q.size + bytes_of[digits[i]]);
    }
    return q;
}

static inline uint32_t quick_be(const uint8_t *p, unsigned n)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static inline uint32_t quick_be32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

static inline bool quick_decimal(const uint8_t *p, const struct quick_decimal *q, int64_t *out)
{
    uint32_t flip = p[0] & 0x80 ? 0 : UINT32_MAX;
    uint64_t v = 0;
    unsigned first = 0x80;

    for (unsigned i = 0; i < q->n_groups; i++) {
        unsigned n = q->groups[i].bytes;
        uint32_t group = n == 4 ? quick_be32(p) : quick_be(p, n);

        group ^= (uint32_t)first << (8 * (n - 1));
        first = 0;
        group = (group ^ flip) & (UINT32_MAX >> (32 - 8 * n));
        if (group >= q->groups[i].power)
            return false;
        v = v * q->groups[i].power + group;
        p += n;
    }
    *out = flip ? -(int64_t)v : (int64_t)v;
    return true;
}

/* Avro's decimal: a length and the shortest big-endian two's complement. Writes up to nine bytes. */
static inline uint8_t *quick_put_decimal(uint8_t *at, int64_t v)
{
    uint64_t magnitude = (uint64_t)(v < 0 ? ~v : v);
    unsigned n = (64u - (unsigned)__builtin_clzll(magnitude | 1) + 8u) / 8u;
    uint64_t bytes = (uint64_t)v << (64u - 8u * n);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    *at = (uint8_t)(n << 1);
    memcpy(at + 1, &bytes, sizeof bytes);
    return at + 1 + n;
}

/* The fraction behind a temporal value; false when it is none. */
static inline bool quick_fraction(const uint8_t *p, unsigned fsp, uint32_t *micros)
{
    switch ((fsp + 1) / 2) {
    case 0:
        *micros = 0;
        return true;
    case 1:
        *micros = p[0] * UINT32_C(10000);
        break;
    case 2:
        *micros = quick_be(p, 2) * UINT32_C(100);
        break;
    default:
        *micros = quick_be(p, 3);
        break;
    }
    return *micros < 1000000;
}

static inline void quick_month_set(struct quick_month *m, uint32_t year_month)
{
    static const uint8_t lengths[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = (int)(year_month / 13), month = (int)(year_month % 13);

    m->year_month = year_month;
    m->length = 0;
    if (month == 0)
        return;
    m->length = lengths[month] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    m->days = civil_days(year, month, 1);
}

/* DATETIME2 of 5 bytes and its fraction to microseconds since 1970-01-01 00:00. */
static inline bool quick_datetime(const uint8_t *p, unsigned fsp, struct quick_month *m, int64_t *out)
{
    uint64_t v = (uint64_t)quick_be32(p) << 8 | p[4];
    uint32_t second = v & 63, minute = v >> 6 & 63, hour = v >> 12 & 31, day = v >> 17 & 31;
    uint32_t year_month = (uint32_t)(v >> 22 & 0x1ffff);
    uint32_t micros;

    if (year_month != m->year_month || year_month == 0)
        quick_month_set(m, year_month);
    if (day - 1 >= (uint32_t)m->length || hour > 23 || minute > 59 || second > 59 ||
        !quick_fraction(p + 5, fsp, &micros))
        return false;
    *out =
        (m->days + day - 1) * INT64_C(86400000000) + (int64_t)(hour * 3600u + minute * 60u + second) * 1000000 + micros;
    return true;
}

/* TIMESTAMP2 of 4 bytes and its fraction; false for the zero date. */
static inline bool quick_timestamp(const uint8_t *p, unsigned fsp, int64_t *out)
{
    uint32_t seconds = quick_be32(p), micros;

    if (!quick_fraction(p + 4, fsp, &micros) || (seconds == 0 && micros == 0))
        return false;
    *out = (int64_t)seconds * 1000000 + micros;
    return true;
}

#endif
