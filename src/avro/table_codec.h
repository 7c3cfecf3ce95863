/* table_codec: the Avro schemas of one table shape (key, value, envelope) and the plan that turns its row images into
 * Avro bytes in one pass, without boxing a value.
 *
 * table_codec_new compiles the plan from a table_map; schema texts are canonical JSON, made once.
 * table_codec_encode_row consumes one row (both images) of a rows event. The envelope is Debezium's (before, after,
 * source, transaction, op, ts_ms, ts_us, ts_ns); profile `native` uses Avro logical types, profile `debezium`
 * Debezium's types and connect.names. Source: Avro 1.11 specification "Binary Encoding", "Logical Types"; Confluent
 * wire format (magic 0, 4-byte big-endian id). It knows no registry and no Kafka: the ids are set by the caller before
 * the first row. Ownership: the codec borrows the table_map, which must outlive it (table_map_keep). Errors: ERR_VALUE
 * with the column and the remedy, and what binlog/ gives. Limits: the value buffer's cap is the record size limit.
 * Thread: one owner. */
#ifndef PILLION_AVRO_TABLE_CODEC_H
#define PILLION_AVRO_TABLE_CODEC_H

#include "base/buf.h"
#include "base/err.h"
#include "binlog/rows.h"
#include "model/change_event.h"

enum avro_profile { AVRO_PROFILE_NATIVE, AVRO_PROFILE_DEBEZIUM };
enum unsigned_mode { UNSIGNED_LONG, UNSIGNED_DECIMAL }; /* BIGINT UNSIGNED: stop above 2^63-1, or decimal(20,0) */
enum zero_date_mode { ZERO_DATE_NULL, ZERO_DATE_STOP, ZERO_DATE_EPOCH };
enum tombstone_mode { TOMBSTONES_OFF, TOMBSTONES_ON };

struct table_codec_options {
    enum avro_profile profile;
    enum unsigned_mode bigint_unsigned;
    enum zero_date_mode zero_dates;
    const char *topic;         /* full topic name: gives the schema names */
    const char *server_name;   /* topic prefix */
    const char *connector;     /* "mysql" or "mariadb" */
    bool transaction_metadata; /* fill the transaction block {id, total_order, data_collection_order} */
    size_t record_bytes_max;   /* a longer value is ERR_LIMIT; 0: TABLE_CODEC_RECORD_MAX */
};

enum { TABLE_CODEC_RECORD_MAX = 1 << 30 };

struct table_codec;

struct table_codec *table_codec_new(const struct table_map *table, const struct table_codec_options *options,
                                    struct err *err);
void table_codec_free(struct table_codec *c);
const char *table_codec_key_schema(const struct table_codec *c);   /* JSON; NULL for a table without key */
const char *table_codec_value_schema(const struct table_codec *c); /* JSON of the envelope */
void table_codec_set_ids(struct table_codec *c, uint32_t key_id, uint32_t value_id);

/* The source block's constant part changes with the transaction and the rows event: call once per rows event. */
int table_codec_begin_event(struct table_codec *c, const struct change_source *source, int64_t now_us, struct err *err);

/* What a row becomes: one record, or for a primary-key update a delete and a create. Records are at `records[i]`:
 * slices of the codec's own buffers, valid until the next row. */
struct table_record {
    const uint8_t *key; /* NULL: no key */
    size_t key_len;
    const uint8_t *value;
    size_t value_len;
    char op; /* c, u, d */
};
struct table_records {
    struct table_record records[2];
    size_t n;
    /* records[0] is the delete of the old key, records[1] the create of the new one. Debezium's consumers find the
     * other key in the headers __debezium.newkey (of the delete: records[1].key) and __debezium.oldkey (of the create:
     * records[0].key). */
    bool key_changed;
};
/* A row's records in the order in which they are sent: delete, its tombstone (no value: op 0), create or any other. A
 * crash may fall between two of them, so it is this number, not the row's index alone, that says how far a partition
 * has come. Both the sender and whoever reads the partition's tail can compute it from the index and the op. */
static inline uint64_t table_record_place(uint64_t index, char op)
{
    return index * 4 + (op == 'd' ? 0 : op == 0 ? 1 : 2);
}

/* Reads one row from rows->data (advancing it, and rows->row), index is the row's index in its transaction. The rows
 * must have all columns (binlog_row_image=FULL): a missing one is ERR_UNSUPPORTED. After an error the rows event cannot
 * be gone on with. */
int table_codec_encode_row(struct table_codec *c, struct rows *rows, uint64_t index, struct table_records *out,
                           struct err *err);
/* A truncate event ('t': no key, both images null). */
int table_codec_encode_truncate(struct table_codec *c, uint64_t index, struct table_record *out, struct err *err);

#endif
