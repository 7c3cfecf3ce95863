#include "binlog/payload.h"

#include <zstd.h>

#include "binlog/event.h"

enum field { FIELD_END = 0, FIELD_PAYLOAD_SIZE = 1, FIELD_COMPRESSION = 2, FIELD_UNCOMPRESSED_SIZE = 3 };
enum { COMPRESSION_ZSTD = 0, COMPRESSION_NONE = 255 };

void payload_init(struct payload *p)
{
    *p = (struct payload){0};
    buf_init(&p->event, EVENT_BYTES_MAX);
}

void payload_release(struct payload *p)
{
    ZSTD_freeDStream(p->stream);
    buf_release(&p->event);
    *p = (struct payload){0};
}

int payload_begin(struct payload *p, struct cursor c, uint64_t max, struct err *err)
{
    uint64_t compression = COMPRESSION_NONE, size = UINT64_MAX;

    p->declared = 0;
    for (;;) {
        uint64_t field = cursor_lenenc(&c), len;
        struct cursor value;

        if (!cursor_ok(&c))
            return err_set(err, ERR_TRUNCATED, "A compressed transaction ends inside its head");
        if (field == FIELD_END)
            break;
        len = cursor_lenenc(&c);
        value = cursor_sub(&c, (size_t)len);
        switch (field) {
        case FIELD_PAYLOAD_SIZE:
            size = cursor_lenenc(&value);
            break;
        case FIELD_COMPRESSION:
            compression = cursor_lenenc(&value);
            break;
        case FIELD_UNCOMPRESSED_SIZE:
            p->declared = cursor_lenenc(&value);
            break;
        default:
            return err_set(err, ERR_UNSUPPORTED,
                           "A compressed transaction has a field %llu that Pillion does not understand; update Pillion",
                           (unsigned long long)field);
        }
        if (!cursor_ok(&value))
            return err_set(err, ERR_MALFORMED, "A compressed transaction has a broken head");
    }
    if (size != cursor_left(&c))
        return err_set(err, ERR_MALFORMED, "A compressed transaction says that it has %llu bytes, but it has %zu",
                       (unsigned long long)size, cursor_left(&c));
    if (compression != COMPRESSION_ZSTD && compression != COMPRESSION_NONE)
        return err_set(
            err, ERR_UNSUPPORTED,
            "A transaction is compressed by the unknown method %llu; run SET PERSIST binlog_transaction_compression = "
            "OFF, or update Pillion",
            (unsigned long long)compression);
    p->packed = compression == COMPRESSION_ZSTD;
    if (!p->packed && !p->declared)
        p->declared = size;
    if (p->declared > max)
        return err_set(err, ERR_LIMIT, "A transaction has %llu bytes unpacked, above the limit of %llu",
                       (unsigned long long)p->declared, (unsigned long long)max);
    if (p->packed) {
        if (!p->stream)
            p->stream = ZSTD_createDStream();
        if (!p->stream || ZSTD_isError(ZSTD_initDStream(p->stream)))
            return err_set(err, ERR_BUG, "zstd could not be started");
    }
    p->in = c;
    p->given = 0;
    p->frame_done = false;
    p->active = true;
    return 0;
}

/* The payload must end where its head says. */
static int end(struct payload *p, struct err *err)
{
    while (p->packed && !p->frame_done) {
        uint8_t more;
        ZSTD_outBuffer out = {&more, 1, 0};
        ZSTD_inBuffer in = {p->in.p, cursor_left(&p->in), 0};
        size_t state = ZSTD_decompressStream(p->stream, &out, &in);

        p->in.p += in.pos;
        if (ZSTD_isError(state) || out.pos || (state && !in.pos))
            return err_set(err, ERR_MALFORMED, "A compressed transaction does not end where its head says");
        p->frame_done = state == 0;
    }
    if (!cursor_done(&p->in))
        return err_set(err, ERR_MALFORMED, "A compressed transaction goes on after its end");
    return 0;
}

/* Brings the event's buffer to `want` bytes. */
static int fill(struct payload *p, size_t want, struct err *err)
{
    size_t need = want - p->event.len;
    ZSTD_outBuffer out;
    ZSTD_inBuffer in;

    if (need > p->declared - p->given)
        return err_set(err, ERR_MALFORMED,
                       "A compressed transaction has an event that is longer than what is left of it");
    if (!buf_room(&p->event, need))
        return err_set(err, ERR_LIMIT, "An event has %zu bytes, above the limit of %d", want, (int)EVENT_BYTES_MAX);
    if (!p->packed) {
        const uint8_t *bytes = cursor_bytes(&p->in, need);

        if (!bytes || buf_put(&p->event, bytes, need))
            return err_set(err, ERR_TRUNCATED, "A compressed transaction ends inside an event");
        p->given += need;
        return 0;
    }
    out = (ZSTD_outBuffer){p->event.data, want, p->event.len};
    in = (ZSTD_inBuffer){p->in.p, cursor_left(&p->in), 0};
    while (out.pos < want && !(p->frame_done && in.pos == in.size)) {
        size_t before_in = in.pos, before_out = out.pos;
        size_t state = ZSTD_decompressStream(p->stream, &out, &in);

        if (ZSTD_isError(state))
            return err_set(err, ERR_MALFORMED, "A compressed transaction cannot be unpacked: %s",
                           ZSTD_getErrorName(state));
        p->frame_done = state == 0;
        if (in.pos == before_in && out.pos == before_out)
            break;
    }
    p->in.p += in.pos;
    p->event.len = out.pos;
    if (out.pos < want)
        return err_set(err, ERR_TRUNCATED, "A compressed transaction ends inside an event");
    p->given += need;
    return 0;
}

int payload_next(struct payload *p, const uint8_t **bytes, size_t *len, struct err *err)
{
    struct cursor c;
    size_t size;

    *bytes = NULL;
    *len = 0;
    if (!p->active)
        return 0;
    buf_clear(&p->event);
    if (p->given == p->declared) {
        p->active = false;
        return end(p, err);
    }
    p->active = false; /* until the event is there */
    if (fill(p, EVENT_HEADER, err))
        return -1;
    c = cursor_of(p->event.data + 9, 4);
    size = cursor_u32le(&c);
    if (size < EVENT_HEADER)
        return err_set(err, ERR_MALFORMED, "A compressed transaction has an event of %zu bytes", size);
    if (fill(p, size, err))
        return -1;
    p->active = true;
    *bytes = p->event.data;
    *len = size;
    return 0;
}
