/* table_schema: the shape of a table as one moment of the stream has it.
 *
 * It knows no MySQL type codes, no Avro, no I/O. binlog/table_map.c builds it from a TABLE_MAP event with
 * binlog_row_metadata=FULL; avro/ derives schemas from it; contract/ compares it. Ownership: all memory is in its
 * arena. Immutable once built, so any thread may read it. Limits: TABLE_SCHEMA_COLUMNS_MAX columns (MySQL's own limit).
 */
#ifndef PILLION_MODEL_TABLE_SCHEMA_H
#define PILLION_MODEL_TABLE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum { TABLE_SCHEMA_COLUMNS_MAX = 4096 };

enum column_kind {
    COLUMN_INT,     /* width bytes 1, 2, 3, 4 or 8; is_unsigned */
    COLUMN_DECIMAL, /* precision, scale */
    COLUMN_FLOAT,
    COLUMN_DOUBLE,
    COLUMN_BIT,    /* length bits, 1..64 */
    COLUMN_STRING, /* char, varchar, text: length bytes at most, collation */
    COLUMN_BYTES,  /* binary, varbinary, blob: length bytes at most; is_fixed for BINARY(n) */
    COLUMN_DATE,
    COLUMN_TIME,      /* fsp */
    COLUMN_DATETIME,  /* fsp */
    COLUMN_TIMESTAMP, /* fsp */
    COLUMN_YEAR,
    COLUMN_ENUM, /* members */
    COLUMN_SET,  /* members */
    COLUMN_JSON,
    COLUMN_GEOMETRY, /* SRID and WKB */
    COLUMN_VECTOR    /* length bytes of little-endian floats */
};

struct column {
    const char *name; /* UTF-8 */
    enum column_kind kind;
    bool nullable;
    bool is_unsigned;
    bool is_fixed;
    bool visible;
    uint8_t width;
    uint8_t fsp; /* digits of fractional seconds, 0..6 */
    uint16_t precision;
    uint16_t scale;
    uint16_t collation; /* MySQL collation id; 63 is binary */
    uint32_t length;
    const char **members; /* ENUM and SET, UTF-8 */
    size_t n_members;
    int key_part; /* place in the key, 0 first; -1 when not in it */
};

struct table_schema {
    struct arena arena;
    const char *database;
    const char *table;
    struct column *columns;
    size_t n_columns;
    size_t *key; /* column indexes in key order: the primary key, or what table_schema_set_key chose */
    size_t n_key;
    uint64_t shape; /* hash of all the above: equal shapes have equal schemas */
};

struct table_schema *table_schema_new(void);
void table_schema_free(struct table_schema *t); /* NULL is allowed */
/* Chooses other key columns (a contract's or the configuration's). -1 when a name is unknown. */
int table_schema_set_key(struct table_schema *t, const char *const names[], size_t n);
/* Computes `shape`; the builder's last act. */
void table_schema_seal(struct table_schema *t);
int table_schema_find(const struct table_schema *t, const char *column); /* index or -1 */
const char *column_kind_name(enum column_kind kind);

#endif
