#include "binlog/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binlog/charset.h"
#include "binlog/table_map.h"
#include "binlog/value.h"

/* First byte of a value. */
enum json_type {
    JSON_SMALL_OBJECT = 0,
    JSON_LARGE_OBJECT = 1,
    JSON_SMALL_ARRAY = 2,
    JSON_LARGE_ARRAY = 3,
    JSON_LITERAL = 4,
    JSON_INT16 = 5,
    JSON_UINT16 = 6,
    JSON_INT32 = 7,
    JSON_UINT32 = 8,
    JSON_INT64 = 9,
    JSON_UINT64 = 10,
    JSON_DOUBLE = 11,
    JSON_STRING = 12,
    JSON_OPAQUE = 15
};

enum { DEPTH_MAX = 100, BASE64_LINE = 76 };

struct writer {
    struct buf *out;
    struct err *err;
    unsigned depth;
    size_t values_left; /* a document of n bytes has fewer than n values; more means that values overlap */
};

static int full(struct writer *w)
{
    return err_set(w->err, ERR_LIMIT, "A JSON document is longer as text than the limit of %zu bytes", w->out->cap);
}

static int broken(struct writer *w, const char *what)
{
    return err_set(w->err, ERR_MALFORMED, "A JSON document is broken: %s", what);
}

static int put(struct writer *w, const void *bytes, size_t n)
{
    return buf_put(w->out, bytes, n) ? full(w) : 0;
}

static int put_text(struct writer *w, const char *s)
{
    return put(w, s, strlen(s));
}

static int put_string(struct writer *w, const uint8_t *s, size_t len)
{
    size_t from = 0;

    if (put(w, "\"", 1))
        return -1;
    for (size_t i = 0; i < len; i++) {
        static const char letters[] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
        char escape[8];
        int n;

        if (s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
            continue;
        if (s[i] == '"' || s[i] == '\\')
            n = snprintf(escape, sizeof escape, "\\%c", s[i]);
        else if (s[i] < sizeof letters && letters[s[i]])
            n = snprintf(escape, sizeof escape, "\\%c", letters[s[i]]);
        else
            n = snprintf(escape, sizeof escape, "\\u%04x", s[i]);
        if (put(w, s + from, i - from) || put(w, escape, (size_t)n))
            return -1;
        from = i + 1;
    }
    return put(w, s + from, len - from) || put(w, "\"", 1);
}

/* As the server prints doubles (my_gcvt): the shortest digits that give the same number, plain up to 15 places before
 * the point, with an exponent beyond. */
static int put_double(struct writer *w, double v)
{
    char digits[40], text[64], *e, *p = text, *end = text + sizeof text;
    int precision, exponent, n = 0;

    if (!isfinite(v))
        return broken(w, "a number is not finite");
    if (v == 0)
        return put_text(w, signbit(v) ? "-0.0" : "0.0");
    for (precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision - 1, v);
        if (strtod(digits, NULL) == v)
            break;
    }
    e = strchr(digits, 'e');
    exponent = (int)strtol(e + 1, NULL, 10);
    *e = '\0';
    e = digits;
    if (*e == '-')
        *p++ = *e++;
    if (e[1] == '.')
        memmove(e + 1, e + 2, strlen(e + 2) + 1);
    n = (int)strlen(e);
    if (exponent >= 15 || exponent < -15) {
        *p++ = *e;
        if (n > 1) {
            *p++ = '.';
            memcpy(p, e + 1, (size_t)n - 1);
            p += n - 1;
        }
        p += snprintf(p, (size_t)(end - p), "e%d", exponent);
    } else if (exponent < 0) {
        *p++ = '0';
        *p++ = '.';
        for (int i = -1; i > exponent; i--)
            *p++ = '0';
        memcpy(p, e, (size_t)n);
        p += n;
    } else {
        for (int i = 0; i < n || i <= exponent; i++) {
            if (i == exponent + 1)
                *p++ = '.';
            *p++ = i < n ? e[i] : '0';
        }
        if (n <= exponent + 1) {
            *p++ = '.';
            *p++ = '0';
        }
    }
    return put(w, text, (size_t)(p - text));
}

/* A length in groups of seven bits, low ones first, at most five bytes. */
static uint64_t variable_length(struct cursor *c)
{
    uint64_t v = 0;

    for (int i = 0; i < 5; i++) {
        uint8_t b = cursor_u8(c);

        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (!(b & 0x80))
            return v;
    }
    c->failed = true;
    return 0;
}

static int put_base64(struct writer *w, unsigned type, const uint8_t *s, size_t len)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char head[32];
    size_t column = 0;
    int n = snprintf(head, sizeof head, "\"base64:type%u:", type);

    if (put(w, head, (size_t)n))
        return -1;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)s[i] << 16 | (i + 1 < len ? (uint32_t)s[i + 1] << 8 : 0) | (i + 2 < len ? s[i + 2] : 0);
        char four[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], i + 1 < len ? alphabet[v >> 6 & 63] : '=',
                        i + 2 < len ? alphabet[v & 63] : '='};

        if (column == BASE64_LINE && put(w, "\\n", 2)) /* the server breaks lines, and escapes the breaks */
            return -1;
        if (column == BASE64_LINE)
            column = 0;
        if (put(w, four, sizeof four))
            return -1;
        column += 4;
    }
    return put(w, "\"", 1);
}

/* A date and time packed in 64 bits: my_time_packed, TIME_to_longlong_datetime_packed. */
static int put_time(struct writer *w, unsigned type, struct cursor *c)
{
    int64_t packed = (int64_t)cursor_u64le(c), hms;
    struct civil t = {.negative = packed < 0};
    char text[56] = "\"";
    size_t n;

    if (!cursor_ok(c))
        return broken(w, "a time is too short");
    if (packed == INT64_MIN)
        return broken(w, "a time is out of range");
    if (packed < 0)
        packed = -packed;
    t.micros = (int)(packed & 0xffffff);
    hms = packed >> 24;
    t.second = (int)(hms & 63);
    t.minute = (int)(hms >> 6 & 63);
    if (type == WIRE_TIME) {
        t.hour = (int)(hms >> 12 & 1023);
    } else {
        t.hour = (int)(hms >> 12 & 31);
        t.day = (int)(hms >> 17 & 31);
        t.month = (int)((hms >> 22) % 13);
        if ((hms >> 22) / 13 > 9999)
            return broken(w, "a date is out of range");
        t.year = (int)((hms >> 22) / 13);
    }
    n = civil_format(&t,
                     type == WIRE_TIME   ? COLUMN_TIME
                     : type == WIRE_DATE ? COLUMN_DATE
                                         : COLUMN_DATETIME,
                     6, text + 1);
    text[n + 1] = '"';
    return put(w, text, n + 2);
}

static int put_opaque(struct writer *w, struct cursor *c)
{
    unsigned type = cursor_u8(c);
    size_t len = (size_t)variable_length(c);
    struct cursor data = cursor_sub(c, len);
    struct wire_column column = {.type = WIRE_NEWDECIMAL};
    char text[72];

    if (!cursor_ok(&data))
        return broken(w, "a value is longer than the document");
    switch (type) {
    case WIRE_NEWDECIMAL:
        column.precision = cursor_u8(&data);
        column.scale = cursor_u8(&data);
        return value_decimal_text(&data, &column, text) ? put_text(w, text) : broken(w, "a decimal is malformed");
    case WIRE_DATE:
    case WIRE_TIME:
    case WIRE_DATETIME:
    case WIRE_TIMESTAMP:
        return put_time(w, type, &data);
    default:
        return put_base64(w, type, data.p, len);
    }
}

static int put_value(struct writer *w, uint8_t type, struct cursor c);

/* container: all bytes of the object or array, from its count on; offsets are relative to there. */
static int put_container(struct writer *w, struct cursor container, bool object, size_t width)
{
    struct cursor c = container;
    const uint8_t *begin = container.p;
    uint64_t n = cursor_le(&c, width), size = cursor_le(&c, width);
    struct cursor keys, values;

    if (!cursor_ok(&c) || size < 2 * width || size > (uint64_t)(container.end - begin))
        return broken(w, "an object or array is longer than the document");
    if (w->depth >= DEPTH_MAX)
        return err_set(w->err, ERR_LIMIT, "A JSON document is nested more than %d levels deep", DEPTH_MAX);
    if (n > size)
        return broken(w, "an object or array has more elements than bytes");
    container.end = c.end = begin + size;
    keys = cursor_sub(&c, object ? (size_t)n * (width + 2) : 0);
    values = cursor_sub(&c, (size_t)n * (width + 1));
    if (!cursor_ok(&c))
        return broken(w, "an object or array is shorter than its elements");
    if (put(w, object ? "{" : "[", 1))
        return -1;
    w->depth++;
    for (uint64_t i = 0; i < n; i++) {
        struct cursor at = values;
        uint8_t type = cursor_u8(&values);
        uint64_t offset = cursor_le(&values, width);
        bool here = type == JSON_LITERAL || type == JSON_INT16 || type == JSON_UINT16 ||
                    (width == 4 && (type == JSON_INT32 || type == JSON_UINT32));

        if (i && put(w, ", ", 2))
            return -1;
        if (object) {
            uint64_t key = cursor_le(&keys, width), len = cursor_u16le(&keys);

            if (key > size || len > size - key || utf8_valid(begin + key, (size_t)len) != len)
                return broken(w, "a key lies outside of its object");
            if (put_string(w, begin + key, (size_t)len) || put(w, ": ", 2))
                return -1;
        }
        if (here) {
            cursor_skip(&at, 1);
        } else {
            if (offset > size)
                return broken(w, "a value lies outside of its object or array");
            at = (struct cursor){begin + offset, container.end, false};
        }
        if (put_value(w, type, at))
            return -1;
    }
    w->depth--;
    return put(w, object ? "}" : "]", 1);
}

static int put_integer(struct writer *w, struct cursor *c, size_t width, bool is_unsigned)
{
    int64_t v = value_int(c, width, is_unsigned);
    char text[24];

    if (!cursor_ok(c))
        return broken(w, "a number is longer than the document");
    if (is_unsigned)
        snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    else
        snprintf(text, sizeof text, "%lld", (long long)v);
    return put_text(w, text);
}

static int put_value(struct writer *w, uint8_t type, struct cursor c)
{
    const uint8_t *bytes;
    size_t len;
    double number;

    if (!w->values_left--)
        return broken(w, "values overlap");
    switch (type) {
    case JSON_SMALL_OBJECT:
    case JSON_LARGE_OBJECT:
    case JSON_SMALL_ARRAY:
    case JSON_LARGE_ARRAY:
        return put_container(w, c, type <= JSON_LARGE_OBJECT, type % 2 ? 4 : 2);
    case JSON_LITERAL:
        switch (cursor_u8(&c)) {
        case 0:
            return cursor_ok(&c) ? put_text(w, "null") : broken(w, "a literal is missing");
        case 1:
            return put_text(w, "true");
        case 2:
            return put_text(w, "false");
        default:
            return broken(w, "an unknown literal");
        }
    case JSON_INT16:
    case JSON_UINT16:
        return put_integer(w, &c, 2, type == JSON_UINT16);
    case JSON_INT32:
    case JSON_UINT32:
        return put_integer(w, &c, 4, type == JSON_UINT32);
    case JSON_INT64:
    case JSON_UINT64:
        return put_integer(w, &c, 8, type == JSON_UINT64);
    case JSON_DOUBLE:
        number = value_double(&c);
        return cursor_ok(&c) ? put_double(w, number) : broken(w, "a number is longer than the document");
    case JSON_STRING:
        len = (size_t)variable_length(&c);
        bytes = cursor_bytes(&c, len);
        if (!bytes || utf8_valid(bytes, len) != len)
            return broken(w, "a string is longer than the document, or no UTF-8");
        return put_string(w, bytes, len);
    case JSON_OPAQUE:
        return put_opaque(w, &c);
    default:
        return err_set(w->err, ERR_UNSUPPORTED, "A JSON document has a value of the unknown type %u; update Pillion",
                       type);
    }
}

int json_to_text(struct cursor bytes, struct buf *out, struct err *err)
{
    struct writer w = {.out = out, .err = err, .values_left = cursor_left(&bytes) + 1};
    uint8_t type = cursor_u8(&bytes);

    if (!cursor_ok(&bytes))
        return err_set(err, ERR_TRUNCATED, "A JSON document has no bytes");
    return put_value(&w, type, bytes);
}
