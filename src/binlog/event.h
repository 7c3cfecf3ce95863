/* event: the outside of a binlog event: its 19-byte header, the checksum, its type and flags.
 *
 * Source: MySQL internals "Binary Log Event" (names of mysql/binlog/event), MariaDB knowledge base "Binlog event
 * header". event_parse verifies CRC32 when the format description says that there is one (libdeflate), and gives a
 * cursor over the body without the checksum. Errors: ERR_TRUNCATED, ERR_CHECKSUM, ERR_MALFORMED. */
#ifndef PILLION_BINLOG_EVENT_H
#define PILLION_BINLOG_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"

enum { EVENT_HEADER = 19, EVENT_CHECKSUM = 4, EVENT_BYTES_MAX = 1 << 30 };

enum event_type {
#define EVENT_TYPE(name, code, text) EVENT_##name = code,
#include "binlog/event_type.def"
#undef EVENT_TYPE
    EVENT_TYPES_MAX = 256
};

enum event_flag {
    EVENT_FLAG_IN_USE = 0x0001,
    EVENT_FLAG_THREAD_SPECIFIC = 0x0004,
    EVENT_FLAG_ARTIFICIAL = 0x0020,
    EVENT_FLAG_IGNORABLE = 0x0080
};

struct event {
    uint32_t timestamp; /* seconds since the epoch */
    uint8_t type;
    uint32_t server_id;
    uint32_t size;    /* with header and checksum */
    uint32_t end_pos; /* log_pos: where the event ends in its file; 0 for artificial events and inside payloads */
    uint16_t flags;
    struct cursor body;
};

/* crc: the event ends with a CRC32. */
int event_parse(struct event *e, const uint8_t *bytes, size_t len, bool crc, struct err *err);
/* The last four bytes are the CRC32 of the others. For events that come before it is known whether they have one. */
bool event_checksum_ok(const uint8_t *bytes, size_t len);
const char *event_type_name(uint8_t type); /* "WRITE_ROWS_EVENT", or "event of unknown type" */

#endif
