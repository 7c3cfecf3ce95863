#include "binlog/event.h"

#include <libdeflate.h>

static uint32_t checksum(const uint8_t *bytes, size_t len, bool description)
{
    uint8_t head[EVENT_HEADER];

    if (!description || !(bytes[17] & EVENT_FLAG_IN_USE))
        return libdeflate_crc32(0, bytes, len);
    /* The server sets this flag in a file that it has open, after it took the checksum. */
    for (size_t i = 0; i < EVENT_HEADER; i++)
        head[i] = bytes[i];
    head[17] &= (uint8_t)~EVENT_FLAG_IN_USE;
    return libdeflate_crc32(libdeflate_crc32(0, head, sizeof head), bytes + EVENT_HEADER, len - EVENT_HEADER);
}

bool event_checksum_ok(const uint8_t *bytes, size_t len)
{
    struct cursor tail;

    if (len < EVENT_HEADER + EVENT_CHECKSUM)
        return false;
    tail = cursor_of(bytes + len - EVENT_CHECKSUM, EVENT_CHECKSUM);
    return checksum(bytes, len - EVENT_CHECKSUM, bytes[4] == EVENT_FORMAT_DESCRIPTION) == cursor_u32le(&tail);
}

int event_parse(struct event *e, const uint8_t *bytes, size_t len, bool crc, struct err *err)
{
    struct cursor c = cursor_of(bytes, len);

    if (len < EVENT_HEADER + (crc ? EVENT_CHECKSUM : 0))
        return err_set(err, ERR_TRUNCATED,
                       "An event has %zu bytes, less than its header; the log or the connection was cut", len);
    e->timestamp = cursor_u32le(&c);
    e->type = cursor_u8(&c);
    e->server_id = cursor_u32le(&c);
    e->size = cursor_u32le(&c);
    e->end_pos = cursor_u32le(&c);
    e->flags = cursor_u16le(&c);
    if (e->size != len)
        return err_set(err, e->size > len ? ERR_TRUNCATED : ERR_MALFORMED,
                       "A %s says that it has %u bytes, but it has %zu", event_type_name(e->type), e->size, len);
    if (crc && !event_checksum_ok(bytes, len))
        return err_set(err, ERR_CHECKSUM,
                       "The checksum of a %s does not match its bytes: the log is damaged here; read it from another "
                       "replica, or from a copy of the file",
                       event_type_name(e->type));
    if (crc)
        c.end -= EVENT_CHECKSUM;
    e->body = c;
    return 0;
}

const char *event_type_name(uint8_t type)
{
    switch (type) {
#define EVENT_TYPE(name, code, text)                                                                                   \
    case code:                                                                                                         \
        return text;
#include "binlog/event_type.def"
#undef EVENT_TYPE
    default:
        return "event of unknown type";
    }
}
