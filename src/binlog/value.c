#include "binlog/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* -- civil times -- */

static const uint8_t month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static enum civil_state check_date(const struct civil *t)
{
    bool leap = t->year % 4 == 0 && (t->year % 100 != 0 || t->year % 400 == 0);

    if (!t->year && !t->month && !t->day)
        return t->hour || t->minute || t->second || t->micros ? CIVIL_PARTIAL : CIVIL_ZERO;
    if (t->month > 12 || t->day > 31 || t->hour > 23 || t->minute > 59 || t->second > 59 || t->micros > 999999)
        return CIVIL_BAD;
    if (!t->month || !t->day)
        return CIVIL_PARTIAL;
    if (t->day > month_days[t->month - 1] + (leap && t->month == 2))
        return CIVIL_BAD;
    return CIVIL_OK;
}

enum civil_state value_date(struct cursor *c, struct civil *out)
{
    uint32_t v = cursor_u24le(c);

    *out = (struct civil){.year = (int)(v >> 9), .month = (int)(v >> 5 & 15), .day = (int)(v & 31)};
    return check_date(out);
}

/* The fraction's bytes after the whole seconds, as microseconds. */
static int fraction(struct cursor *c, unsigned fsp)
{
    switch (fsp) {
    case 1:
    case 2:
        return cursor_u8(c) * 10000;
    case 3:
    case 4:
        return (int)cursor_be(c, 2) * 100;
    case 5:
    case 6:
        return (int)cursor_be(c, 3);
    default:
        return 0;
    }
}

enum civil_state value_datetime(struct cursor *c, const struct wire_column *w, struct civil *out)
{
    uint64_t v;

    *out = (struct civil){0};
    if (w->type == WIRE_DATETIME) { /* YYYYMMDDhhmmss as a decimal number */
        v = cursor_u64le(c);
        if (v > 99991231235959)
            return CIVIL_BAD;
        out->second = (int)(v % 100);
        out->minute = (int)(v / 100 % 100);
        out->hour = (int)(v / 10000 % 100);
        out->day = (int)(v / 1000000 % 100);
        out->month = (int)(v / 100000000 % 100);
        out->year = (int)(v / 10000000000);
        return check_date(out);
    }
    v = cursor_be(c, 5) & 0x7fffffffff; /* the top bit is a sign that is always set */
    out->second = (int)(v & 63);
    out->minute = (int)(v >> 6 & 63);
    out->hour = (int)(v >> 12 & 31);
    out->day = (int)(v >> 17 & 31);
    out->month = (int)((v >> 22) % 13);
    out->year = (int)((v >> 22) / 13);
    out->micros = fraction(c, w->fsp);
    return check_date(out);
}

void value_time(struct cursor *c, const struct wire_column *w, struct civil *out)
{
    int64_t packed;
    int64_t whole, part;

    *out = (struct civil){0};
    if (w->type == WIRE_TIME) { /* HHMMSS as a signed decimal number */
        int32_t v = (int32_t)value_int(c, 3, false);

        out->negative = v < 0;
        v = abs(v);
        out->second = v % 100;
        out->minute = v / 100 % 100;
        out->hour = v / 10000;
        return;
    }
    switch (w->fsp) {
    case 1:
    case 2:
        whole = (int64_t)cursor_be(c, 3) - 0x800000;
        part = cursor_u8(c);
        if (whole < 0 && part) { /* the fraction of a negative time counts downwards */
            whole++;
            part -= 0x100;
        }
        packed = whole * (1 << 24) + part * 10000;
        break;
    case 3:
    case 4:
        whole = (int64_t)cursor_be(c, 3) - 0x800000;
        part = (int64_t)cursor_be(c, 2);
        if (whole < 0 && part) {
            whole++;
            part -= 0x10000;
        }
        packed = whole * (1 << 24) + part * 100;
        break;
    case 5:
    case 6:
        packed = (int64_t)cursor_be(c, 6) - 0x800000000000;
        break;
    default:
        packed = ((int64_t)cursor_be(c, 3) - 0x800000) * (1 << 24);
        break;
    }
    out->negative = packed < 0;
    if (packed < 0)
        packed = -packed;
    out->micros = (int)(packed & 0xffffff);
    out->second = (int)(packed >> 24 & 63);
    out->minute = (int)(packed >> 30 & 63);
    out->hour = (int)(packed >> 36 & 1023);
}

int64_t value_timestamp(struct cursor *c, const struct wire_column *w, bool *zero)
{
    int64_t seconds, micros;

    if (w->type == WIRE_TIMESTAMP) {
        seconds = cursor_u32le(c);
        micros = 0;
    } else {
        seconds = (int64_t)cursor_be(c, 4);
        micros = fraction(c, w->fsp);
    }
    *zero = !seconds && !micros;
    return seconds * 1000000 + micros;
}

/* After Howard Hinnant's description of the proleptic Gregorian calendar in eras of 400 years that begin on 1 March. */
int64_t civil_days(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t civil_micros(const struct civil *t)
{
    return (civil_days(t->year, t->month, t->day) * 86400 + t->hour * 3600 + t->minute * 60 + t->second) * 1000000 +
           t->micros;
}

int64_t civil_time_micros(const struct civil *t)
{
    int64_t v = ((int64_t)t->hour * 3600 + t->minute * 60 + t->second) * 1000000 + t->micros;

    return t->negative ? -v : v;
}

void civil_from_micros(int64_t micros, struct civil *out)
{
    int64_t days = micros / 86400000000, rest = micros % 86400000000, era, of_era, year, of_year, month;

    if (rest < 0) {
        rest += 86400000000;
        days--;
    }
    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;
    *out = (struct civil){.day = (int)(of_year - (153 * month + 2) / 5 + 1),
                          .month = (int)(month < 10 ? month + 3 : month - 9),
                          .hour = (int)(rest / 3600000000),
                          .minute = (int)(rest / 60000000 % 60),
                          .second = (int)(rest / 1000000 % 60),
                          .micros = (int)(rest % 1000000)};
    out->year = (int)(year + era * 400 + (out->month <= 2));
}

static char *put_digits(char *to, int v, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return to + digits;
}

size_t civil_format(const struct civil *t, enum column_kind kind, int fsp, char out[48])
{
    static const int divisors[7] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    char *p = out;

    if (kind != COLUMN_TIME) {
        p = put_digits(p, t->year, 4);
        *p++ = '-';
        p = put_digits(p, t->month, 2);
        *p++ = '-';
        p = put_digits(p, t->day, 2);
    }
    if (kind != COLUMN_DATE) {
        if (kind != COLUMN_TIME)
            *p++ = ' ';
        else if (t->negative)
            *p++ = '-';
        p = put_digits(p, t->hour, t->hour > 99 ? 3 : 2);
        *p++ = ':';
        p = put_digits(p, t->minute, 2);
        *p++ = ':';
        p = put_digits(p, t->second, 2);
        if (fsp > 0 && fsp <= 6) {
            *p++ = '.';
            p = put_digits(p, t->micros / divisors[fsp], fsp);
        }
    }
    *p = '\0';
    return (size_t)(p - out);
}

/* -- NEWDECIMAL: groups of nine decimal digits in four bytes, the outermost groups in fewer; big-endian; the first bit
 * inverted, and all bits of a negative number -- */

static const uint8_t group_bytes[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

size_t decimal_size(unsigned precision, unsigned scale)
{
    unsigned whole = precision - scale;

    return whole / 9 * 4u + group_bytes[whole % 9] + scale / 9 * 4u + group_bytes[scale % 9];
}

struct decimal {
    const uint8_t *p;
    uint8_t mask;  /* what each byte is inverted with */
    uint8_t first; /* what the first byte is inverted with too */
    bool negative;
};

static bool decimal_begin(struct decimal *d, struct cursor *c, const struct wire_column *w)
{
    d->p = cursor_bytes(c, decimal_size(w->precision, w->scale));
    if (!d->p || !w->precision || w->precision > 65 || w->scale > w->precision)
        return false;
    d->negative = !(*d->p & 0x80);
    d->mask = d->negative ? 0xff : 0;
    d->first = 0x80;
    return true;
}

static uint32_t decimal_group(struct decimal *d, unsigned digits)
{
    uint32_t v = 0;

    for (unsigned n = group_bytes[digits]; n; n--) {
        v = v << 8 | (uint8_t)(*d->p++ ^ d->mask ^ d->first);
        d->first = 0;
    }
    return v;
}

size_t value_decimal_text(struct cursor *c, const struct wire_column *w, char out[72])
{
    struct decimal d;
    unsigned whole = (unsigned)(w->precision - w->scale), scale = w->scale;
    char *p = out;
    bool any = false;

    if (!decimal_begin(&d, c, w))
        return 0;
    if (d.negative)
        *p++ = '-';
    for (unsigned first = whole % 9, left = whole; left; first = 9) {
        unsigned digits = first ? first : 9;
        uint32_t v = decimal_group(&d, digits);
        char group[9];

        if (v > 999999999) {
            c->failed = true;
            return 0;
        }
        put_digits(group, (int)v, 9);
        for (unsigned i = 9 - digits; i < 9; i++) {
            any |= group[i] != '0';
            if (any)
                *p++ = group[i];
        }
        left -= digits;
    }
    if (!any)
        *p++ = '0';
    if (scale)
        *p++ = '.';
    while (scale) {
        unsigned digits = scale < 9 ? scale : 9;
        uint32_t v = decimal_group(&d, digits);

        if (v > 999999999) {
            c->failed = true;
            return 0;
        }
        p = put_digits(p, (int)v, (int)digits);
        scale -= digits;
    }
    *p = '\0';
    return (size_t)(p - out);
}

size_t value_decimal_bytes(struct cursor *c, const struct wire_column *w, uint8_t out[32])
{
    static const uint32_t powers[10] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    uint32_t limbs[8] = {0}; /* least first; 10^65 needs 216 bits */
    unsigned n_limbs = 1, whole = (unsigned)(w->precision - w->scale), scale = w->scale;
    struct decimal d;
    size_t len = 0, begin;
    uint8_t bytes[33] = {0};

    if (!decimal_begin(&d, c, w))
        return 0;
    for (unsigned left = whole + scale, first = whole % 9; left;) {
        unsigned digits, of_scale = left <= scale;
        uint64_t carry;

        if (!of_scale) {
            digits = first ? first : 9;
            first = 0;
        } else {
            digits = left < 9 ? left : 9;
        }
        carry = decimal_group(&d, digits);
        if (carry >= powers[digits]) {
            c->failed = true;
            return 0;
        }
        for (unsigned i = 0; i < n_limbs; i++) {
            carry += (uint64_t)limbs[i] * powers[digits];
            limbs[i] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry)
            limbs[n_limbs++] = (uint32_t)carry;
        left -= digits;
    }
    for (unsigned i = n_limbs; i-- > 0;)
        for (int shift = 24; shift >= 0; shift -= 8)
            bytes[len++] = (uint8_t)(limbs[i] >> shift);
    if (d.negative) {
        unsigned carry = 1;

        for (size_t i = len; i-- > 0;) {
            carry += (uint8_t)~bytes[i];
            bytes[i] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry) { /* minus zero */
            out[0] = 0;
            return 1;
        }
        if (!(bytes[0] & 0x80)) { /* room for the sign */
            memmove(bytes + 1, bytes, len++);
            bytes[0] = 0xff;
        }
    } else if (bytes[0] & 0x80) {
        memmove(bytes + 1, bytes, len++);
        bytes[0] = 0;
    }
    for (begin = 0; begin + 1 < len; begin++)
        if (!((bytes[begin] == 0 && !(bytes[begin + 1] & 0x80)) || (bytes[begin] == 0xff && (bytes[begin + 1] & 0x80))))
            break;
    len -= begin;
    if (len > 32) {
        c->failed = true;
        return 0;
    }
    memcpy(out, bytes + begin, len);
    return len;
}

/* -- others -- */

uint64_t value_bit(struct cursor *c, const struct wire_column *w)
{
    return cursor_be(c, w->length_bytes);
}

float value_float(struct cursor *c)
{
    uint32_t bits = cursor_u32le(c);
    float v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

double value_double(struct cursor *c)
{
    uint64_t bits = cursor_u64le(c);
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

void value_skip(struct cursor *c, const struct wire_column *w)
{
    size_t len = w->length_bytes;

    if (w->skip == SKIP_PREFIXED)
        len = (size_t)cursor_le(c, len);
    (void)cursor_bytes(c, len);
}

int value_uncompress(const uint8_t *bytes, size_t len, struct buf *out, struct err *err)
{
    struct cursor c = cursor_of(bytes, len);
    z_stream z = {0};
    uint8_t head, *to;
    uint64_t size;
    int state;

    if (!len)
        return 0;
    head = cursor_u8(&c);
    if (!head) {
        if (buf_put(out, c.p, cursor_left(&c)))
            return err_set(err, ERR_LIMIT, "A value of %zu bytes is above the limit of %zu", len, out->cap);
        return 0;
    }
    if ((head & 0xf0) != 0x80)
        return err_set(err, ERR_UNSUPPORTED, "A COMPRESSED column uses the unknown method %u; update Pillion",
                       (unsigned)(head >> 4));
    size = cursor_be(&c, head & 7);
    if (!cursor_ok(&c) || !(head & 7))
        return err_set(err, ERR_MALFORMED, "A value of a COMPRESSED column ends inside its head");
    to = size <= out->cap ? buf_room(out, (size_t)size) : NULL;
    if (!to)
        return err_set(err, ERR_LIMIT, "A value of a COMPRESSED column has %llu bytes unpacked, above the limit of %zu",
                       (unsigned long long)size, out->cap);
    if (inflateInit2(&z, head & 8 ? -MAX_WBITS : MAX_WBITS) != Z_OK)
        return err_set(err, ERR_BUG, "zlib could not be started");
    memcpy(&z.next_in, &c.p, sizeof z.next_in); /* zlib's type lacks a const */
    z.avail_in = (uInt)cursor_left(&c);
    z.next_out = to;
    z.avail_out = (uInt)size;
    state = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if (state != Z_STREAM_END || z.avail_out)
        return err_set(err, ERR_MALFORMED, "A value of a COMPRESSED column cannot be unpacked");
    buf_advance(out, (size_t)size);
    return 0;
}
