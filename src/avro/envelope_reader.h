/* envelope_reader: reads change events that Pillion or Debezium wrote, for the merger, the checker's helpers and `why`.
 *
 * Compiled once per writer schema (by registry id): an index of the envelope's fields, so that a record gives op, the
 * after or before image and the identity without a generic tree. Only the envelope's names matter, so any profile and
 * Debezium's own topics read alike. Row images are walked with avro_visitor callbacks, typed by Avro's logical types
 * and connect.names. Every length is checked against the record; recursion is capped (AVRO_DEPTH_MAX). Errors:
 * ERR_SCHEMA, ERR_MALFORMED, ERR_TRUNCATED, ERR_LIMIT. Thread: one owner per reader; the parsed schema is immutable. */
#ifndef PILLION_AVRO_ENVELOPE_READER_H
#define PILLION_AVRO_ENVELOPE_READER_H

#include <stdbool.h>

#include "base/cursor.h"
#include "base/err.h"

enum { AVRO_DEPTH_MAX = 32 };

/* One field value of a row, as the silver writer wants it. */
enum field_kind {
    FIELD_NULL,
    FIELD_BOOL,
    FIELD_INT /* 32-bit */,
    FIELD_LONG,
    FIELD_FLOAT,
    FIELD_DOUBLE,
    FIELD_STRING,
    FIELD_BYTES,
    FIELD_DECIMAL /* unscaled big-endian bytes and scale */,
    FIELD_DATE /* days */,
    FIELD_TIMESTAMP_US /* instant */,
    FIELD_LOCAL_TIMESTAMP_US,
    FIELD_TIME_US,
    FIELD_JSON /* text */
};
struct field_value {
    enum field_kind kind;
    int scale;
    union {
        bool b;
        int64_t i;
        double d;
        struct {
            const uint8_t *bytes;
            size_t len;
        } data;
    } as;
};

struct envelope_reader;

struct envelope_source {
    const char *database;
    size_t database_len; /* slices of the record, not NUL-ended */
    const char *table;
    size_t table_len;
    const char *gtid;
    size_t gtid_len; /* event identity: transaction ... */
    uint64_t index;  /* ... and index of the row in it; UINT64_MAX when the writer gives none */
    const char *file;
    size_t file_len;
    int64_t pos;
    int64_t row;
    int64_t ts_us; /* commit time at the source */
};

struct envelope {
    char op; /* c, u, d, r, t */
    struct envelope_source source;
    bool has_before, has_after;
    struct cursor before, after; /* at the row record's bytes */
};

/* schema: JSON of the writer's value schema. ERR_SCHEMA when it is no envelope. */
struct envelope_reader *envelope_reader_new(const char *schema, size_t len, struct err *err);
void envelope_reader_free(struct envelope_reader *r);
/* value: after the wire format's five bytes. */
int envelope_read(struct envelope_reader *r, struct cursor value, struct envelope *out, struct err *err);
size_t envelope_n_fields(const struct envelope_reader *r);
const char *envelope_field_name(const struct envelope_reader *r, size_t i);
int envelope_find_field(const struct envelope_reader *r, const char *name);
/* Decodes a row image: out has envelope_n_fields places; slices point into the record. */
int envelope_read_row(struct envelope_reader *r, struct cursor image, struct field_value *out, struct err *err);

/* The same for a key record (flat record of columns). */
struct key_reader;
struct key_reader *key_reader_new(const char *schema, size_t len, struct err *err);
void key_reader_free(struct key_reader *r);
size_t key_n_fields(const struct key_reader *r);
const char *key_field_name(const struct key_reader *r, size_t i);
int key_read(struct key_reader *r, struct cursor key, struct field_value *out, struct err *err);

#endif
