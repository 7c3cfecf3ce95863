/* table_map: a TABLE_MAP event with its optional metadata (binlog_row_metadata=FULL): what the columns of the following
 * rows are.
 *
 * It joins the wire facts that only the row reader needs (type code, metadata word) with the table_schema that all
 * others see. Source: mysql/binlog/event/rows_event.h Table_map_event (optional metadata fields), MariaDB's
 * Table_map_log_event. Ownership: owns schema and arrays. Immutable after parse. Errors: ERR_MYSQL_SETTING when names
 * or the primary key are missing (the text names the statement to run), ERR_UNSUPPORTED for an unknown type or metadata
 * tag, ERR_MALFORMED, ERR_TRUNCATED. */
#ifndef PILLION_BINLOG_TABLE_MAP_H
#define PILLION_BINLOG_TABLE_MAP_H

#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "model/table_schema.h"

/* Type codes of the wire: enum_field_types, MYSQL_TYPE_*. */
enum wire_type {
    WIRE_DECIMAL = 0,
    WIRE_TINY = 1,
    WIRE_SHORT = 2,
    WIRE_LONG = 3,
    WIRE_FLOAT = 4,
    WIRE_DOUBLE = 5,
    WIRE_NULL = 6,
    WIRE_TIMESTAMP = 7,
    WIRE_LONGLONG = 8,
    WIRE_INT24 = 9,
    WIRE_DATE = 10,
    WIRE_TIME = 11,
    WIRE_DATETIME = 12,
    WIRE_YEAR = 13,
    WIRE_NEWDATE = 14,
    WIRE_VARCHAR = 15,
    WIRE_BIT = 16,
    WIRE_TIMESTAMP2 = 17,
    WIRE_DATETIME2 = 18,
    WIRE_TIME2 = 19,
    WIRE_TYPED_ARRAY = 20,
    WIRE_MARIA_BLOB_COMPRESSED = 140,
    WIRE_MARIA_VARCHAR_COMPRESSED = 141,
    WIRE_VECTOR = 242,
    WIRE_BOOL = 244,
    WIRE_JSON = 245,
    WIRE_NEWDECIMAL = 246,
    WIRE_ENUM = 247,
    WIRE_SET = 248,
    WIRE_TINY_BLOB = 249,
    WIRE_MEDIUM_BLOB = 250,
    WIRE_LONG_BLOB = 251,
    WIRE_BLOB = 252,
    WIRE_VAR_STRING = 253,
    WIRE_STRING = 254,
    WIRE_GEOMETRY = 255
};

/* How one column lies in a row image. For CHAR, ENUM and SET the real type is already taken out of the metadata word.
 */
struct wire_column {
    uint8_t type;         /* enum wire_type, the real one */
    uint8_t length_bytes; /* width of the length before strings, blobs, JSON, geometry; bytes of all others */
    uint8_t skip;         /* enum skip_kind: how to walk over the value */
    uint8_t precision;    /* NEWDECIMAL */
    uint8_t scale;
    uint8_t fsp;     /* TIME2, DATETIME2, TIMESTAMP2 */
    bool compressed; /* MariaDB COMPRESSED columns */
};

/* length_bytes alone tells how many bytes a value has (SKIP_FIXED), or how many bytes of length stand before it. */
enum skip_kind { SKIP_FIXED, SKIP_PREFIXED };

struct table_map {
    uint64_t table_id;
    struct table_schema *schema;
    struct wire_column *columns; /* schema->n_columns */
    size_t n_columns;
    uint64_t bytes_hash; /* of the event's body after the table id: equal bytes mean equal columns */
    const uint8_t *body; /* the event's body, for comparison */
    size_t body_len;
    bool opaque; /* only the names are known: no schema->columns, and rows cannot be walked */
    unsigned references;
};

/* body: the event's body after the common header. table_id_width: 6 (or 4 for very old servers). */
int table_map_parse(struct table_map **out, struct cursor body, size_t table_id_width, struct err *err);
/* The same for the other vendor, who counts geometry columns among those that have a charset. */
int table_map_parse_mariadb(struct table_map **out, struct cursor body, size_t table_id_width, struct err *err);
/* The names alone, of a table map that is not understood beyond them. */
int table_map_parse_names(struct table_map **out, struct cursor body, size_t table_id_width, struct err *err);
/* Another holder of the same table map (a table_codec outlives the decoder's cache). Each calls table_map_free once.
 * All holders are in one thread. */
struct table_map *table_map_keep(const struct table_map *t);
void table_map_free(struct table_map *t); /* NULL is allowed */

#endif
