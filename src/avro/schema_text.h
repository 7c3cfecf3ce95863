/* schema_text: the JSON texts of the Avro schemas of one table shape: key record, value record inside its envelope.
 *
 * Fields of the envelope: before, after, source, transaction, op, ts_ms, ts_us, ts_ns, in the order in which
 * Debezium 3.5 sends them. `debezium` gives, letter by letter, what Confluent's Avro converter makes of Debezium's
 * Connect schemas (connect.name, connect.version, connect.parameters); `native` leaves those out but where they carry
 * what Avro cannot (TIME, JSON), and its source block ends with txn_index. The texts have no white space and depend on
 * nothing but the shape and the options. Record names: Key, Value and Envelope in the namespace of the topic's name
 * (avro_name_full). Source: debezium SchemaFactory, Envelope, BinlogSourceInfoStructMaker; schema-registry AvroData;
 * Avro 1.11 specification. Ownership: the texts are the struct's. Errors: ERR_SCHEMA when two columns fall on one Avro
 * name, ERR_UNSUPPORTED, ERR_LIMIT (SCHEMA_TEXT_MAX bytes). Thread: any. */
#ifndef PILLION_AVRO_SCHEMA_TEXT_H
#define PILLION_AVRO_SCHEMA_TEXT_H

#include "avro/table_codec.h"

enum { SCHEMA_TEXT_MAX = 16 << 20 };

struct schema_text {
    char *key; /* NULL for a table without key */
    char *value;
};

int schema_text_init(struct schema_text *t, const struct table_schema *table, const struct table_codec_options *options,
                     struct err *err);
void schema_text_release(struct schema_text *t);

/* The source block's record alone, as in the value schema. The caller frees it. */
char *schema_text_source(const struct table_codec_options *options);

#endif
