/* payload: a TRANSACTION_PAYLOAD_EVENT (binlog_transaction_compression), unpacked one event at a time.
 *
 * The events inside are a whole transaction without its GTID event, and have no checksums. Nothing is held but the
 * event that is read: a transaction of many gigabytes in one payload costs its largest event. Source:
 * mysql/binlog/event/codecs/binary.cpp Transaction_payload. Ownership: borrows the payload's bytes until its end.
 * Limits: `max` bytes in all, and never more than the event itself declares. Errors: ERR_TRUNCATED, ERR_MALFORMED,
 * ERR_LIMIT, ERR_UNSUPPORTED. */
#ifndef PILLION_BINLOG_PAYLOAD_H
#define PILLION_BINLOG_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"

struct payload {
    void *stream;     /* ZSTD_DStream, kept for the next payload */
    struct cursor in; /* packed bytes that are left */
    bool active;
    bool packed; /* else the events stand there as they are */
    bool frame_done;
    uint64_t declared; /* unpacked bytes */
    uint64_t given;
    struct buf event;
};

void payload_init(struct payload *p);
void payload_release(struct payload *p);
int payload_begin(struct payload *p, struct cursor body, uint64_t max, struct err *err);
/* The next event, valid until the next call; *bytes is NULL at the end, and `active` is false. */
int payload_next(struct payload *p, const uint8_t **bytes, size_t *len, struct err *err);

#endif
