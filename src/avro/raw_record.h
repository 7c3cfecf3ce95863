/* raw_record: a Kafka record as it came, in Avro: what a bronze object file holds.
 *
 * Key and value are the record's own bytes (Confluent's wire format and all), so that bronze can be read by anything
 * that reads the topic, and replayed into a topic. Schema: schemas/bronze.avsc, equal to raw_record_schema (a test
 * compares). Names of headers are UTF-8 by Kafka's protocol and are taken as such. Ownership: borrows everything; a
 * decoded record borrows the bytes. Limit: RAW_HEADERS_MAX headers when decoding. Errors: ERR_LIMIT, ERR_TRUNCATED,
 * ERR_MALFORMED. Thread: any. */
#ifndef PILLION_AVRO_RAW_RECORD_H
#define PILLION_AVRO_RAW_RECORD_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"

enum { RAW_HEADERS_MAX = 1024 };

struct raw_header {
    const char *name; /* not NUL-ended when decoded */
    size_t name_len;
    const void *value; /* NULL: null */
    size_t len;
};

struct raw_record {
    const char *topic;
    size_t topic_len;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    const void *key; /* NULL: null */
    size_t key_len;
    const void *value; /* NULL: null (a tombstone) */
    size_t value_len;
    const struct raw_header *headers;
    size_t n_headers;
};

extern const char raw_record_schema[];

/* Appends the record. */
int raw_record_encode(const struct raw_record *r, struct buf *out, struct err *err);
/* Reads one record and moves the cursor behind it; headers has RAW_HEADERS_MAX places. */
int raw_record_decode(struct raw_record *out, struct raw_header *headers, struct cursor *c, struct err *err);

#endif
