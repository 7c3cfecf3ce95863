/* change_event: one row change in a generic, boxed form, for `decode`, tests and filters. The hot path never makes one:
 * it goes from row image to Avro in one pass (avro/encoder.h). It knows neither MySQL's wire nor Avro. Ownership:
 * values borrow from the event's arena or from the decoder's row image; valid until the next row. */
#ifndef PILLION_MODEL_CHANGE_EVENT_H
#define PILLION_MODEL_CHANGE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/gtid.h"
#include "model/table_schema.h"

enum value_kind {
    VALUE_NULL,
    VALUE_ABSENT, /* the row image does not hold the column: not the same as NULL */
    VALUE_INT,
    VALUE_UINT,
    VALUE_FLOAT,
    VALUE_DOUBLE,
    VALUE_TEXT, /* UTF-8: strings, decimals, dates, times, JSON, ENUM, SET */
    VALUE_BYTES
};

struct value {
    enum value_kind kind;
    union {
        int64_t i;
        uint64_t u;
        double d;
        struct {
            const uint8_t *bytes;
            size_t len;
        } data;
    } as;
};

enum change_op {
    CHANGE_INSERT = 'c',
    CHANGE_UPDATE = 'u',
    CHANGE_DELETE = 'd',
    CHANGE_READ = 'r',
    CHANGE_TRUNCATE = 't'
};

/* Where a change comes from: the facts of the envelope's source block. Filled per transaction and per event; the row's
 * own numbers come with the row. */
struct change_source {
    const char *server_name; /* topic prefix */
    uint32_t server_id;
    struct gtid gtid;
    char gtid_text[GTID_TEXT];
    char file[512];
    uint64_t offset;    /* start of the rows event in the file */
    uint32_t thread_id; /* 0 unknown */
    int64_t commit_us;  /* microseconds since the epoch: commit time when the server logs it, else the event's second */
    const char *query;  /* of Rows_query or Annotate_rows, or NULL */
};

struct change_event {
    enum change_op op;
    const struct table_schema *table;
    const struct change_source *source;
    uint64_t txn_index;   /* index of the row in its transaction, from 0: with the GTID, the event's identity */
    uint32_t row;         /* index of the row in its event */
    struct value *before; /* n_columns, or NULL */
    struct value *after;
};

#endif
