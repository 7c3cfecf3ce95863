#include "avro/avro_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "binlog/charset.h"
#include "binlog/value.h"

static void put_escaped(struct buf *out, uint8_t c)
{
    switch (c) {
    case '"':
    case '\\':
        (void)buf_putf(out, "\\%c", c);
        break;
    case '\n':
        (void)buf_put_str(out, "\\n");
        break;
    case '\t':
        (void)buf_put_str(out, "\\t");
        break;
    case '\r':
        (void)buf_put_str(out, "\\r");
        break;
    default:
        (void)buf_putf(out, "\\u%04x", c);
        break;
    }
}

static void put_valid(struct buf *out, const uint8_t *s, size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i < len; i++) {
        if (s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
            continue;
        (void)buf_put(out, s + from, i - from);
        put_escaped(out, s[i]);
        from = i + 1;
    }
    (void)buf_put(out, s + from, len - from);
}

void avro_json_text(struct buf *out, const uint8_t *text, size_t len)
{
    (void)buf_put_u8(out, '"');
    while (len > 0) {
        size_t valid = utf8_valid(text, len);

        put_valid(out, text, valid);
        text += valid;
        len -= valid;
        if (len > 0) {
            (void)buf_put_str(out, "\xef\xbf\xbd");
            text++;
            len--;
        }
    }
    (void)buf_put_u8(out, '"');
}

void avro_json_base64(struct buf *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = len > SIZE_MAX / 2 ? SIZE_MAX : (len + 2) / 3 * 4 + 2;
    uint8_t *at = buf_room(out, n);

    if (!at)
        return;
    *at++ = '"';
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16;

        if (i + 1 < len)
            v |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < len)
            v |= bytes[i + 2];
        at[0] = (uint8_t)digits[v >> 18];
        at[1] = (uint8_t)digits[v >> 12 & 63];
        at[2] = i + 1 < len ? (uint8_t)digits[v >> 6 & 63] : (uint8_t)'=';
        at[3] = i + 2 < len ? (uint8_t)digits[v & 63] : (uint8_t)'=';
        at += 4;
    }
    *at = '"';
    buf_advance(out, n);
}

/* Divides a big-endian number by ten in place and gives the remainder. */
static unsigned divide(uint8_t *n, size_t len, bool *zero)
{
    unsigned rest = 0;

    *zero = true;
    for (size_t i = 0; i < len; i++) {
        unsigned v = rest << 8 | n[i];

        n[i] = (uint8_t)(v / 10);
        rest = v % 10;
        if (n[i])
            *zero = false;
    }
    return rest;
}

int avro_json_decimal(struct buf *out, const uint8_t *bytes, size_t len, int scale, struct err *err)
{
    uint8_t n[AVRO_DECIMAL_MAX];
    char digits[AVRO_DECIMAL_MAX * 3]; /* lowest first */
    size_t count = 0;
    bool negative, zero = false;

    if (len == 0 || len > AVRO_DECIMAL_MAX)
        return err_set(err, ERR_LIMIT, "a decimal of %zu bytes is none that Pillion takes (1 to %d).", len,
                       (int)AVRO_DECIMAL_MAX);
    memcpy(n, bytes, len);
    negative = n[0] & 0x80;
    if (negative) { /* two's complement to magnitude */
        unsigned carry = 1;

        for (size_t i = len; i-- > 0;) {
            unsigned v = (uint8_t)~n[i] + carry;

            n[i] = (uint8_t)v;
            carry = v >> 8;
        }
    }
    while (!zero)
        digits[count++] = (char)('0' + divide(n, len, &zero));
    if (negative)
        (void)buf_put_u8(out, '-');
    for (int i = (int)count; i <= scale; i++) { /* leading zeros: 0.05 */
        (void)buf_put_u8(out, '0');
        if (i == (int)count && scale > 0)
            (void)buf_put_u8(out, '.');
    }
    while (count > 0) {
        (void)buf_put_u8(out, (uint8_t)digits[--count]);
        if (scale > 0 && (int)count == scale)
            (void)buf_put_u8(out, '.');
    }
    for (int i = scale; i < 0; i++)
        (void)buf_put_u8(out, '0');
    return 0;
}

static void put_date(struct buf *out, const struct civil *t)
{
    (void)buf_putf(out, "%04d-%02d-%02d", t->year, t->month, t->day);
}

static void put_clock(struct buf *out, uint64_t micros)
{
    (void)buf_putf(out, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64, micros / 3600000000,
                   micros / 60000000 % 60, micros / 1000000 % 60, micros % 1000000);
}

static void put_datetime(struct buf *out, int64_t micros, const char *zone)
{
    struct civil t;

    civil_from_micros(micros, &t);
    (void)buf_put_u8(out, '"');
    put_date(out, &t);
    (void)buf_putf(out, "T%02d:%02d:%02d.%06d%s\"", t.hour, t.minute, t.second, t.micros, zone);
}

static bool is_json(const uint8_t *text, size_t len)
{
    json_t *json = json_loadb((const char *)text, len, JSON_DECODE_ANY, NULL);

    json_decref(json);
    return json != NULL;
}

int avro_json_value(struct buf *out, const struct field_value *v, struct err *err)
{
    struct civil t;

    switch (v->kind) {
    case FIELD_NULL:
        (void)buf_put_str(out, "null");
        break;
    case FIELD_BOOL:
        (void)buf_put_str(out, v->as.b ? "true" : "false");
        break;
    case FIELD_INT:
    case FIELD_LONG:
        (void)buf_putf(out, "%" PRId64, v->as.i);
        break;
    case FIELD_FLOAT:
    case FIELD_DOUBLE:
        if (isfinite(v->as.d))
            (void)buf_putf(out, "%.*g", v->kind == FIELD_FLOAT ? 9 : 17, v->as.d);
        else
            (void)buf_put_str(out, "null");
        break;
    case FIELD_STRING:
        avro_json_text(out, v->as.data.bytes, v->as.data.len);
        break;
    case FIELD_BYTES:
        avro_json_base64(out, v->as.data.bytes, v->as.data.len);
        break;
    case FIELD_DECIMAL:
        (void)buf_put_u8(out, '"');
        if (avro_json_decimal(out, v->as.data.bytes, v->as.data.len, v->scale, err) < 0)
            return -1;
        (void)buf_put_u8(out, '"');
        break;
    case FIELD_DATE:
        (void)buf_put_u8(out, '"');
        civil_from_micros(v->as.i * INT64_C(86400000000), &t);
        put_date(out, &t);
        (void)buf_put_u8(out, '"');
        break;
    case FIELD_TIMESTAMP_US:
        put_datetime(out, v->as.i, "Z");
        break;
    case FIELD_LOCAL_TIMESTAMP_US:
        put_datetime(out, v->as.i, "");
        break;
    case FIELD_TIME_US:
        (void)buf_put_str(out, v->as.i < 0 ? "\"-" : "\"");
        put_clock(out, v->as.i < 0 ? 0 - (uint64_t)v->as.i : (uint64_t)v->as.i);
        (void)buf_put_u8(out, '"');
        break;
    case FIELD_JSON:
        if (is_json(v->as.data.bytes, v->as.data.len))
            (void)buf_put(out, v->as.data.bytes, v->as.data.len);
        else
            avro_json_text(out, v->as.data.bytes, v->as.data.len);
        break;
    }
    return 0;
}

int avro_json_row(struct buf *out, const char *const names[], const struct field_value *values, size_t n,
                  struct err *err)
{
    (void)buf_put_u8(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            (void)buf_put_u8(out, ',');
        avro_json_text(out, (const uint8_t *)names[i], strlen(names[i]));
        (void)buf_put_u8(out, ':');
        if (avro_json_value(out, &values[i], err) < 0)
            return err_prefix(err, "field %.200s", names[i]);
    }
    (void)buf_put_u8(out, '}');
    if (out->overflow)
        return err_set(err, ERR_LIMIT, "the row is longer than %zu bytes as JSON.", out->cap);
    return 0;
}
