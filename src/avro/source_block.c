#include "avro/source_block.h"

#include <inttypes.h>
#include <string.h>

#include "binlog/charset.h"

enum { SEGMENT_MAX = 64 << 20 };

static int put_text(struct buf *out, const void *text, size_t len)
{
    uint8_t *at = buf_room(out, len + VARINT_ROOM);
    uint8_t *start = at;

    if (!at)
        return -1;
    at = varint_put(at, (int64_t)len);
    memcpy(at, text, len);
    buf_advance(out, (size_t)(at - start) + len);
    return 0;
}

static int put_string(struct buf *out, const char *s)
{
    return put_text(out, s, strlen(s));
}

static int put_long(struct buf *out, int64_t v)
{
    uint8_t *at = buf_room(out, VARINT_ROOM);

    if (!at)
        return -1;
    buf_advance(out, (size_t)(varint_put(at, v) - at));
    return 0;
}

static int put_branch(struct buf *out, unsigned branch)
{
    return put_long(out, branch);
}

static int put_query(struct buf *out, const char *query)
{
    struct buf text;
    const uint8_t *s = (const uint8_t *)query;
    size_t len = strlen(query);
    int rc = 0;

    if (utf8_valid(s, len) == len)
        return put_text(out, query, len);
    buf_init(&text, SEGMENT_MAX / 2);
    while (len > 0 && rc == 0) {
        size_t valid = utf8_valid(s, len);

        rc = buf_put(&text, s, valid);
        s += valid;
        len -= valid;
        if (len > 0 && rc == 0) {
            rc = buf_putf(&text, "\\x%02x", *s);
            s++;
            len--;
        }
    }
    if (rc == 0)
        rc = put_text(out, text.data, text.len);
    buf_release(&text);
    return rc;
}

void source_block_init(struct source_block *b, const struct table_schema *schema,
                       const struct table_codec_options *options)
{
    *b = (struct source_block){.schema = schema,
                               .native = options->profile == AVRO_PROFILE_NATIVE,
                               .transaction_metadata = options->transaction_metadata};
    buf_init(&b->head, SEGMENT_MAX);
    buf_init(&b->place, SEGMENT_MAX);
    buf_init(&b->origin, SEGMENT_MAX);
    buf_init(&b->transaction, SEGMENT_MAX);
    (void)put_string(&b->head, PILLION_VERSION);
    (void)put_string(&b->head, options->connector);
    (void)put_string(&b->head, options->server_name);
}

void source_block_release(struct source_block *b)
{
    buf_release(&b->head);
    buf_release(&b->place);
    buf_release(&b->origin);
    buf_release(&b->transaction);
}

/* The envelope gives every time in three units. Times come from the log and may be any number: wrap instead of
 * overflow. */
static int64_t nanos_of(int64_t micros)
{
    return (int64_t)((uint64_t)micros * 1000u);
}

static int keep_place(struct source_block *b, const struct change_source *source)
{
    /* Without a GTID the identity is file and position of the transaction; Debezium's field holds true GTIDs only. */
    bool has_gtid = b->native || source->gtid.flavor == GTID_MYSQL || source->gtid.flavor == GTID_MARIADB;
    struct buf *out = &b->place;

    buf_clear(out);
    if (buf_put(out, b->head.data, b->head.len) < 0 || put_long(out, source->commit_us / 1000) < 0 ||
        put_branch(out, 0) < 0 || put_string(out, "false") < 0 || /* snapshot */
        put_string(out, b->schema->database) < 0 || put_branch(out, 0) < 0 /* sequence */ || put_branch(out, 1) < 0 ||
        put_long(out, source->commit_us) < 0 || put_branch(out, 1) < 0 ||
        put_long(out, nanos_of(source->commit_us)) < 0 || put_branch(out, 1) < 0 ||
        put_string(out, b->schema->table) < 0 || put_long(out, source->server_id) < 0 ||
        put_branch(out, has_gtid ? 1 : 0) < 0 || (has_gtid && put_string(out, source->gtid_text) < 0) ||
        put_string(out, source->file) < 0)
        return -1;
    b->place_kept = out->len;
    buf_clear(&b->transaction);
    if (b->transaction_metadata &&
        (put_branch(&b->transaction, 1) < 0 || put_string(&b->transaction, source->gtid_text) < 0))
        return -1;
    return 0;
}

static int keep_origin(struct source_block *b, const struct change_source *source)
{
    struct buf *out = &b->origin;

    buf_clear(out);
    if (put_branch(out, source->thread_id ? 1 : 0) < 0 || (source->thread_id && put_long(out, source->thread_id) < 0) ||
        put_branch(out, source->query ? 1 : 0) < 0 || (source->query && put_query(out, source->query) < 0))
        return -1;
    b->thread_id = source->thread_id;
    b->had_query = source->query != NULL;
    return 0;
}

static int renew(struct source_block *b, const struct change_source *source)
{
    bool same_transaction = b->kept && strcmp(b->gtid_text, source->gtid_text) == 0;
    bool same_origin = b->kept && !b->had_query && !source->query && b->thread_id == source->thread_id;

    if (!same_transaction)
        b->collection_order = 0;
    b->kept = false;
    if (!same_transaction || b->commit_us != source->commit_us || b->server_id != source->server_id ||
        strcmp(b->file, source->file) != 0) {
        if (keep_place(b, source) < 0)
            return -1;
        memcpy(b->gtid_text, source->gtid_text, sizeof b->gtid_text);
        memcpy(b->file, source->file, sizeof b->file);
        b->commit_us = source->commit_us;
        b->server_id = source->server_id;
    }
    b->place.len = b->place_kept;
    if (put_long(&b->place, (int64_t)source->offset) < 0 || (!same_origin && keep_origin(b, source) < 0))
        return -1;
    b->kept = true;
    return 0;
}

int source_block_begin(struct source_block *b, const struct change_source *source, int64_t now_us, struct err *err)
{
    uint8_t *at = b->times;

    if (renew(b, source) < 0)
        return err_set(err, ERR_LIMIT, "the source block of an event at %s:%" PRIu64 " is longer than %d bytes.",
                       source->file, source->offset, (int)SEGMENT_MAX);
    *at++ = 2;
    at = varint_put(at, now_us / 1000);
    *at++ = 2;
    at = varint_put(at, now_us);
    *at++ = 2;
    at = varint_put(at, nanos_of(now_us));
    b->times_len = (size_t)(at - b->times);
    b->room = b->place.len + b->origin.len + b->transaction.len + sizeof b->times + 5 * VARINT_ROOM;
    return 0;
}

int source_block_put(const struct source_block *b, struct buf *out, char op, uint32_t row, uint64_t index)
{
    uint8_t *start = buf_room(out, b->room);
    uint8_t *at = start;

    if (!start || b->place.len == 0)
        return -1;
    memcpy(at, b->place.data, b->place.len);
    at = varint_put(at + b->place.len, row);
    memcpy(at, b->origin.data, b->origin.len);
    at += b->origin.len;
    if (b->native)
        at = varint_put(at, (int64_t)index);
    if (b->transaction.len > 0) {
        memcpy(at, b->transaction.data, b->transaction.len);
        at = varint_put(at + b->transaction.len, (int64_t)index + 1);
        at = varint_put(at, (int64_t)b->collection_order + 1);
    } else {
        *at++ = 0;
    }
    *at++ = 2; /* a string of one byte */
    *at++ = (uint8_t)op;
    memcpy(at, b->times, sizeof b->times); /* a fixed length is cheaper than the right one */
    buf_advance(out, (size_t)(at - start) + b->times_len);
    return 0;
}
