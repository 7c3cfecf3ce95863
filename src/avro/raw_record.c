#include "avro/raw_record.h"

#include <inttypes.h>

#include "avro/varint.h"

const char raw_record_schema[] =
    "{\"type\":\"record\",\"name\":\"BronzeRecord\",\"namespace\":\"pillion\",\"fields\":["
    "{\"name\":\"topic\",\"type\":\"string\"},"
    "{\"name\":\"partition\",\"type\":\"int\"},"
    "{\"name\":\"offset\",\"type\":\"long\"},"
    "{\"name\":\"timestamp\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"key\",\"type\":[\"null\",\"bytes\"],\"default\":null},"
    "{\"name\":\"value\",\"type\":[\"null\",\"bytes\"],\"default\":null},"
    "{\"name\":\"headers\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Header\",\"fields\":["
    "{\"name\":\"name\",\"type\":\"string\"},"
    "{\"name\":\"value\",\"type\":[\"null\",\"bytes\"],\"default\":null}]}}}]}";

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t len)
{
    at = varint_put(at, (int64_t)len);
    if (len > 0)
        memcpy(at, bytes, len);
    return at + len;
}

static uint8_t *put_optional(uint8_t *at, const void *bytes, size_t len)
{
    if (!bytes) {
        *at++ = 0;
        return at;
    }
    *at++ = 2;
    return put_bytes(at, bytes, len);
}

int raw_record_encode(const struct raw_record *r, struct buf *out, struct err *err)
{
    size_t room = 16 * VARINT_ROOM + r->topic_len + r->key_len + r->value_len;
    uint8_t *start, *at;

    for (size_t i = 0; i < r->n_headers; i++)
        room += 3 * VARINT_ROOM + r->headers[i].name_len + r->headers[i].len;
    start = at = buf_room(out, room);
    if (!at)
        return err_set(err, ERR_LIMIT, "the record at offset %" PRId64 " does not fit in a buffer of %zu bytes.",
                       r->offset, out->cap);
    at = put_bytes(at, r->topic, r->topic_len);
    at = varint_put(at, r->partition);
    at = varint_put(at, r->offset);
    at = varint_put(at, r->timestamp_ms);
    at = put_optional(at, r->key, r->key_len);
    at = put_optional(at, r->value, r->value_len);
    if (r->n_headers > 0)
        at = varint_put(at, (int64_t)r->n_headers);
    for (size_t i = 0; i < r->n_headers; i++) {
        at = put_bytes(at, r->headers[i].name, r->headers[i].name_len);
        at = put_optional(at, r->headers[i].value, r->headers[i].len);
    }
    *at++ = 0;
    buf_advance(out, (size_t)(at - start));
    return 0;
}

static const void *take_bytes(struct cursor *c, size_t *len)
{
    int64_t n = varint_read(c);

    *len = n < 0 ? SIZE_MAX : (size_t)n;
    return cursor_bytes(c, *len);
}

static const void *take_optional(struct cursor *c, size_t *len)
{
    int64_t branch = varint_read(c);

    *len = 0;
    if (branch == 1)
        return take_bytes(c, len);
    if (branch != 0) {
        c->failed = true;
        c->p = c->end;
    }
    return NULL;
}

/* Other writers may cut the array into blocks, with or without their sizes. */
static int read_headers(struct raw_record *out, struct raw_header *headers, struct cursor *c, struct err *err)
{
    for (;;) {
        int64_t n = varint_read(c);

        if (n < 0 && n >= -RAW_HEADERS_MAX) {
            n = -n;
            (void)varint_read(c);
        }
        if (n == 0 || c->failed)
            return 0;
        if (n < 0 || (uint64_t)n > RAW_HEADERS_MAX - out->n_headers)
            return err_set(err, ERR_LIMIT, "the bronze record at offset %" PRId64 " has more than %d headers.",
                           out->offset, (int)RAW_HEADERS_MAX);
        for (; n > 0; n--) {
            struct raw_header *h = &headers[out->n_headers++];

            h->name = take_bytes(c, &h->name_len);
            h->value = take_optional(c, &h->len);
        }
    }
}

int raw_record_decode(struct raw_record *out, struct raw_header *headers, struct cursor *c, struct err *err)
{
    *out = (struct raw_record){.headers = headers};
    out->topic = take_bytes(c, &out->topic_len);
    out->partition = (int32_t)varint_read(c);
    out->offset = varint_read(c);
    out->timestamp_ms = varint_read(c);
    out->key = take_optional(c, &out->key_len);
    out->value = take_optional(c, &out->value_len);
    if (read_headers(out, headers, c, err) < 0)
        return -1;
    if (c->failed)
        return err_set(err, ERR_TRUNCATED, "a bronze record ends before its fields do.");
    return 0;
}
