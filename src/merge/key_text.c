#include "merge/key_text.h"

#include <inttypes.h>
#include <string.h>

enum { DECIMAL_BYTES_MAX = 64, DECIMAL_DIGITS_MAX = 160 };

/* Divides the magnitude by ten, in place; the remainder is the next digit. */
static unsigned divide_by_ten(uint8_t *bytes, size_t len)
{
    unsigned rest = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned v = rest << 8 | bytes[i];
        bytes[i] = (uint8_t)(v / 10);
        rest = v % 10;
    }
    return rest;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

static void negate(uint8_t *bytes, size_t len)
{
    unsigned carry = 1;

    for (size_t i = len; i-- > 0;) {
        unsigned v = (unsigned)(uint8_t)~bytes[i] + carry;
        bytes[i] = (uint8_t)v;
        carry = v >> 8;
    }
}

int key_text_decimal(struct buf *out, const uint8_t *bytes, size_t len, int scale, bool strip, struct err *err)
{
    uint8_t magnitude[DECIMAL_BYTES_MAX];
    char digits[DECIMAL_DIGITS_MAX]; /* least first */
    int n = 0, from = 0;
    bool negative;

    if (len == 0 || len > sizeof magnitude || scale < 0 || scale > 100)
        return err_set(err, ERR_LIMIT, "A decimal of %zu bytes and scale %d is beyond what silver can hold.", len,
                       scale);
    memcpy(magnitude, bytes, len);
    negative = magnitude[0] & 0x80;
    if (negative)
        negate(magnitude, len);
    while (n <= scale || !all_zero(magnitude, len)) {
        if (n == DECIMAL_DIGITS_MAX)
            return err_set(err, ERR_LIMIT, "A decimal has more than %d digits.", DECIMAL_DIGITS_MAX);
        digits[n++] = (char)('0' + divide_by_ten(magnitude, len));
    }
    while (strip && from < scale && digits[from] == '0')
        from++;
    if (negative)
        buf_put_u8(out, '-');
    for (int i = n; i-- > from;) {
        if (i == scale - 1)
            buf_put_u8(out, '.');
        buf_put_u8(out, (uint8_t)digits[i]);
    }
    return 0;
}

static void put_escaped(struct buf *out, const uint8_t *text, size_t len, bool escape)
{
    for (size_t i = 0; i < len; i++) {
        if (escape && (text[i] == '\\' || text[i] == ','))
            buf_put_u8(out, '\\');
        buf_put_u8(out, text[i]);
    }
}

static int put_value(struct buf *out, const struct field_value *v, bool several, struct err *err)
{
    switch (v->kind) {
    case FIELD_BOOL:
        return buf_put_u8(out, v->as.b ? '1' : '0');
    case FIELD_INT:
    case FIELD_LONG:
    case FIELD_DATE:
    case FIELD_TIMESTAMP_US:
    case FIELD_LOCAL_TIMESTAMP_US:
    case FIELD_TIME_US:
        return buf_putf(out, "%" PRId64, v->as.i);
    case FIELD_FLOAT:
    case FIELD_DOUBLE:
        return buf_putf(out, "%.17g", v->as.d);
    case FIELD_DECIMAL:
        return key_text_decimal(out, v->as.data.bytes, v->as.data.len, v->scale, true, err);
    case FIELD_BYTES:
        buf_put_str(out, "0x");
        for (size_t i = 0; i < v->as.data.len; i++)
            buf_putf(out, "%02x", v->as.data.bytes[i]);
        return 0;
    case FIELD_STRING:
    case FIELD_JSON:
        if (memchr(v->as.data.bytes, 0, v->as.data.len))
            return err_set(err, ERR_VALUE, "A key holds a NUL character, which no key of a document can.");
        put_escaped(out, v->as.data.bytes, v->as.data.len, several);
        return 0;
    case FIELD_NULL:
        break;
    }
    return err_set(err, ERR_BUG, "A key value of an unknown kind was met.");
}

int key_text_put(struct buf *out, const struct field_value *const values[], size_t n, bool *null, struct err *err)
{
    size_t start = out->len;

    *null = false;
    for (size_t i = 0; i < n; i++)
        if (values[i]->kind == FIELD_NULL)
            *null = true;
    for (size_t i = 0; !*null && i < n; i++) {
        if (i)
            buf_put_u8(out, ',');
        if (put_value(out, values[i], n > 1, err))
            return out->overflow ? err_set(err, ERR_LIMIT, "A key is longer than is allowed.") : -1;
    }
    if (out->overflow || out->len - start > KEY_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "A key is longer than the %d bytes that are allowed.", KEY_TEXT_MAX);
    return 0;
}
