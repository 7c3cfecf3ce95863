/* source_block: the part of an envelope behind the two images: source, transaction, op, ts_ms, ts_us, ts_ns.
 *
 * Nearly all of it is the same for every row of an event, and most of that for every event of a transaction. So it is
 * encoded ahead: source_block_begin renews only what has changed, and source_block_put copies the ready parts around
 * the few numbers that belong to the row. The order of fields is schema_text's. Text of the statement that is no UTF-8
 * is shown with \xNN: it is a remark beside the data and may be in any charset. Ownership: owns its buffers, borrows
 * schema and options. Errors: ERR_LIMIT. Thread: one owner. Internal to avro/. */
#ifndef PILLION_AVRO_SOURCE_BLOCK_H
#define PILLION_AVRO_SOURCE_BLOCK_H

#include "avro/table_codec.h"
#include "avro/varint.h"

struct source_block {
    const struct table_schema *schema;
    bool native;
    bool transaction_metadata;
    struct buf head;  /* version, connector, name: for ever */
    struct buf place; /* to server_id, gtid, file: of a transaction; then pos: of an event */
    size_t place_kept;
    struct buf origin;      /* thread, query */
    struct buf transaction; /* branch and id; empty when the block is null */
    uint8_t times[6 * VARINT_ROOM];
    size_t times_len;
    size_t room; /* what source_block_put may need */
    /* What the kept parts were made of. */
    char gtid_text[GTID_TEXT];
    char file[512];
    int64_t commit_us;
    uint32_t server_id;
    uint32_t thread_id;
    bool kept;
    bool had_query;
    uint64_t collection_order; /* rows of this table so far in the transaction */
};

void source_block_init(struct source_block *b, const struct table_schema *schema,
                       const struct table_codec_options *options);
void source_block_release(struct source_block *b);
int source_block_begin(struct source_block *b, const struct change_source *source, int64_t now_us, struct err *err);
/* Appends the block for one row; -1 without err past the buffer's cap. */
int source_block_put(const struct source_block *b, struct buf *out, char op, uint32_t row, uint64_t index);

#endif
