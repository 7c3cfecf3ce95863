/* control_event: events about the log itself: its format, the next file, what was before it, what is missing from it.
 *
 * Sources: mysql/binlog/event/control_events.h; MariaDB knowledge base "FORMAT_DESCRIPTION_EVENT", "GTID_LIST_EVENT".
 * Errors: ERR_TRUNCATED, ERR_MALFORMED, ERR_UNSUPPORTED. */
#ifndef PILLION_BINLOG_CONTROL_EVENT_H
#define PILLION_BINLOG_CONTROL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "model/gtid.h"

struct description {
    bool crc;        /* the events that follow end with a CRC32 */
    bool mariadb;    /* MariaDB knows event types from 160 on */
    size_t id_width; /* bytes of a table id */
};

/* FORMAT_DESCRIPTION_EVENT, whose body still has its own checksum at the end. */
int description_parse(struct description *d, struct cursor body, struct err *err);
/* ROTATE_EVENT. */
int rotate_parse(struct cursor body, char *name, size_t name_size, uint64_t *offset, struct err *err);
/* GTID_LIST_EVENT, added to the set. */
int gtid_list_parse(struct cursor body, struct gtid_set *set, struct err *err);
/* INCIDENT_EVENT: always -1, with what the server says. */
int incident_stop(struct cursor body, struct err *err);

#endif
