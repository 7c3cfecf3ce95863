/* query: a statement logged as text (QUERY_EVENT, QUERY_COMPRESSED_EVENT, EXECUTE_LOAD_QUERY_EVENT), and what kind it
 * is.
 *
 * It tells transaction control from DDL and DML and finds the table that a DDL statement names first, for labels. It is
 * no SQL parser, and nothing else depends on what it finds. Source: mysql/binlog/event/statement_events.h Query_event.
 * Ownership: slices of the event. Errors: ERR_TRUNCATED, ERR_MALFORMED. */
#ifndef PILLION_BINLOG_QUERY_H
#define PILLION_BINLOG_QUERY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"
#include "binlog/decoder.h"

enum query_role {
    QUERY_BEGIN,
    QUERY_COMMIT,
    QUERY_ROLLBACK,
    QUERY_SAVEPOINT,   /* SAVEPOINT, RELEASE SAVEPOINT */
    QUERY_ROLLBACK_TO, /* a savepoint */
    QUERY_XA_START,
    QUERY_XA_END,
    QUERY_XA_COMMIT,
    QUERY_XA_ROLLBACK,
    QUERY_STATEMENT
};

struct query {
    uint32_t thread_id;
    uint16_t error_code;
    uint16_t collation; /* of the client that sent it; 0 unknown */
    const uint8_t *database;
    size_t database_len;
    const uint8_t *sql; /* in the client's character set */
    size_t sql_len;
};

enum { QUERY_NAME = 64 * 4 + 1 };

/* What a statement is and names first. */
struct query_label {
    enum statement_kind kind;
    char database[QUERY_NAME];
    char table[QUERY_NAME];
};

/* load: the event is an EXECUTE_LOAD_QUERY_EVENT. */
int query_parse(struct query *q, struct cursor body, bool load, struct err *err);
enum query_role query_role(const uint8_t *sql, size_t len);
void query_label(struct query_label *out, const uint8_t *sql, size_t len);

/* Unpacks what MariaDB's compressed events hold (log_event_uncompress: one byte of method and width, the size, a zlib
 * stream), appended to out, whose cap is the limit. */
int query_uncompress(struct cursor packed, struct buf *out, struct err *err);

#endif
