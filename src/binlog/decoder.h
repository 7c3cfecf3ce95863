/* decoder: binlog events in, transactions and row events out. No sockets, no threads, no I/O: bytes are fed by the
 * caller, who has them from a server or from a file.
 *
 * Use: decoder_feed() one event, then decoder_next() until it gives ITEM_NONE (a TRANSACTION_PAYLOAD holds many
 * events). An item borrows from the fed bytes and from the decoder; it is valid until the next decoder_next or
 * decoder_feed. It tracks file, offset, GTID, the format description (checksums), table maps, and the index of each row
 * in its transaction. What is not understood is an error, never left out (C4); errors name file and position. Limits:
 * EVENT_BYTES_MAX an event; payload_max and ratio caps for compressed payloads; table maps are kept for one
 * transaction's lifetime by table id, and parsed once per distinct body (cache capped). Thread: one owner. */
#ifndef PILLION_BINLOG_DECODER_H
#define PILLION_BINLOG_DECODER_H

#include "base/err.h"
#include "binlog/event.h"
#include "binlog/rows.h"
#include "binlog/table_map.h"
#include "model/change_event.h"
#include "model/position.h"

enum item_kind {
    ITEM_NONE,  /* feed more */
    ITEM_BEGIN, /* a transaction begins: source.gtid is known */
    ITEM_TABLE, /* a table map that was not seen in this transaction; lets the caller prepare an encoder or filter it */
    ITEM_ROWS,  /* rows of one table */
    ITEM_STATEMENT, /* a statement logged as text: DDL (or DML under STATEMENT format: is_dml) */
    ITEM_COMMIT,    /* the transaction is complete; decoder_position() is after it */
    ITEM_ROTATE,    /* another file begins */
    ITEM_HEARTBEAT  /* nothing new; the source is alive */
};

enum statement_kind {
    STATEMENT_OTHER_DDL,
    STATEMENT_CREATE_TABLE,
    STATEMENT_ALTER_TABLE,
    STATEMENT_DROP_TABLE,
    STATEMENT_RENAME_TABLE,
    STATEMENT_TRUNCATE_TABLE,
    STATEMENT_DATABASE,
    STATEMENT_ADMIN /* users, grants, FLUSH ... */,
    STATEMENT_DML
};

struct statement {
    enum statement_kind kind;
    const char *database; /* default database, "" for none */
    const char *sql;      /* UTF-8, NUL-ended */
    size_t sql_len;
    /* The table that a TRUNCATE, CREATE, ALTER or DROP names first, without quotes; "" when it could not be told apart.
     * Only a label: no shape is ever taken from a statement. */
    const char *table_database;
    const char *table;
};

struct item {
    enum item_kind kind;
    uint32_t event_time; /* header time, seconds */
    uint32_t event_size;
    const struct change_source *source; /* BEGIN, ROWS, STATEMENT, COMMIT */
    const struct table_map *table;      /* TABLE, ROWS */
    struct rows rows;                   /* ROWS: iterate with rows_next */
    uint64_t first_index;               /* ROWS: txn_index of the first row */
    struct statement statement;
};

struct decoder_options {
    const char *server_name; /* borrowed */
    uint64_t
        payload_max; /* bytes of one TRANSACTION_PAYLOAD when unpacked; it is streamed, never held whole. 0: 1 TiB */
    bool dml_statements_stop; /* a DML statement in the log is ERR_UNSUPPORTED (NULL options: true) */
    /* The log holds XA transactions when they are prepared. false: ERR_UNSUPPORTED at their start; true: they are
     * published then, and an XA ROLLBACK is ERR_UNSUPPORTED. */
    bool xa_at_prepare;
    /* Asked only about a table whose table map is not understood: false, and its rows are passed over, uncounted; true
     * or NULL: the error stands. */
    bool (*wanted)(void *arg, const char *database, const char *table);
    void *wanted_arg;
};

struct decoder;

struct decoder *decoder_new(const struct decoder_options *options);
void decoder_free(struct decoder *d);
/* Where the first fed event lies: file and offset from the dump command or file header; the GTID set that came before.
 */
void decoder_start_at(struct decoder *d, const struct position *at);
int decoder_feed(struct decoder *d, const uint8_t *event, size_t len, struct err *err);
int decoder_next(struct decoder *d, struct item *item, struct err *err);
/* After the newest complete transaction. Borrowed; changes with the next COMMIT. */
const struct position *decoder_position(const struct decoder *d);
bool decoder_in_transaction(const struct decoder *d);

#endif
