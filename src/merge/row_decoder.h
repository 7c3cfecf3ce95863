/* row_decoder: from a Kafka record to a change for the gate: key, references, and the silver document.
 *
 * The key comes from the record's key; columns that are not there come from the row. A record without a key, or
 * with columns in it beyond the contract's key, is ERR_SCHEMA: Kafka keeps order per record key, so the order of such a
 * row's changes is lost (MariaDB's system-versioned tables have their row_end in the key). Null value: a tombstone
 * record, taken for a delete (it mostly follows one; after compaction it may stand alone). A TRUNCATE event ('t', no
 * key, no images) gives a row without key and id, whose body is the tombstone for what it deletes (truncate.h).
 * Writers: Pillion in both profiles, Debezium; Confluent's wire format. Errors that are for the quarantine: ERR_SCHEMA,
 * ERR_MALFORMED, ERR_TRUNCATED, ERR_VALUE, ERR_LIMIT, ERR_UNSUPPORTED; of class RETRY: the registry's, to be tried
 * again. Ownership: rows are heap objects of the caller (row_free). Thread: one owner. */
#ifndef PILLION_MERGE_ROW_DECODER_H
#define PILLION_MERGE_ROW_DECODER_H

#include "kafka/consumer.h"
#include "merge/reader_cache.h"
#include "merge/silver.h"
#include "sink/document_store.h"

/* A row with all that the stores need; also one that was read back from parked. */
struct row {
    size_t entity;
    char *key;   /* canonical text */
    bson_t id;   /* {"_id": value} */
    bson_t body; /* without _id */
    int64_t version;
    bool deleted, fresh;
    bool truncate;         /* of the whole table; no key, id or refs */
    struct gate_ref *refs; /* keys owned by the row */
    bson_t *ref_ids;       /* {"_id": value} of each */
    size_t n_refs;
};

struct row *row_new(void);
void row_free(struct row *r);
/* Room for one more reference; takes the texts over. */
void row_add_ref(struct row *r, size_t relationship, size_t parent, char *key, bson_t **id);

struct row_decoder;

struct row_decoder *row_decoder_new(struct registry *registry, const struct contract_set *contracts);
void row_decoder_free(struct row_decoder *d);
int row_decode(struct row_decoder *d, size_t entity, const struct record *record, uint32_t epoch, struct row **out,
               struct err *err);

#endif
