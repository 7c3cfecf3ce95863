#include "binlog/control_event.h"

#include <string.h>

#include "binlog/event.h"

enum { POST_HEADER_4_BYTE_ID = 6, MARIADB_EVENT_TYPES = 160 };

int description_parse(struct description *d, struct cursor c, struct err *err)
{
    uint16_t version = cursor_u16le(&c);
    const uint8_t *lengths;
    size_t n;

    if (version != 4)
        return err_set(err, ERR_UNSUPPORTED, "The log has version %u; only version 4 (MySQL 5.0 and later) can be read",
                       version);
    cursor_skip(&c, 50 + 4); /* the server's version, and when the file was made */
    if (cursor_u8(&c) != EVENT_HEADER || cursor_left(&c) < EVENT_TABLE_MAP + EVENT_CHECKSUM + 1)
        return err_set(err, ERR_MALFORMED, "The format description of the log is broken");
    /* The last five bytes are the checksum's algorithm and the checksum: all servers since MySQL 5.6 and MariaDB 5.3.
     */
    n = cursor_left(&c) - EVENT_CHECKSUM - 1;
    lengths = cursor_bytes(&c, n);
    d->id_width = lengths[EVENT_TABLE_MAP - 1] == POST_HEADER_4_BYTE_ID ? 4 : 6;
    d->mariadb = n >= MARIADB_EVENT_TYPES;
    switch (cursor_u8(&c)) {
    case 0:
        d->crc = false; /* the server does not renew this event's own checksum then, so it tells nothing */
        return 0;
    case 1:
        d->crc = true;
        return 0;
    default:
        return err_set(err, ERR_UNSUPPORTED,
                       "The log uses a checksum that Pillion does not know, or is older than MySQL 5.6; run SET GLOBAL "
                       "binlog_checksum = CRC32");
    }
}

int rotate_parse(struct cursor c, char *name, size_t name_size, uint64_t *offset, struct err *err)
{
    size_t len;

    *offset = cursor_u64le(&c);
    len = cursor_left(&c);
    if (!cursor_ok(&c) || !len || len >= name_size || memchr(c.p, 0, len))
        return err_set(err, ERR_MALFORMED, "A rotate event has no file name");
    memcpy(name, c.p, len);
    name[len] = '\0';
    return 0;
}

int gtid_list_parse(struct cursor c, struct gtid_set *set, struct err *err)
{
    uint32_t n = cursor_u32le(&c) & 0x0fffffff; /* flags above */

    for (uint32_t i = 0; i < n && cursor_ok(&c); i++) {
        uint32_t domain = cursor_u32le(&c), server = cursor_u32le(&c);
        struct gtid g;

        gtid_make_mariadb(&g, domain, server, cursor_u64le(&c));
        if (cursor_ok(&c) && gtid_set_add(set, &g, err))
            return -1;
    }
    return cursor_ok(&c) ? 0 : err_set(err, ERR_TRUNCATED, "A list of GTIDs ends too early");
}

int incident_stop(struct cursor c, struct err *err)
{
    uint16_t number = cursor_u16le(&c);
    uint8_t len = cursor_u8(&c);
    const uint8_t *message = cursor_bytes(&c, len);

    return err_set(
        err, ERR_UNSUPPORTED,
        "The server reports incident %u in its log (%.*s): changes are missing from it; go on after this event and "
        "backfill all tables",
        number, message ? (int)len : 0, message ? (const char *)message : "");
}
