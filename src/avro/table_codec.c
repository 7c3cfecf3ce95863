#include "avro/table_codec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "avro/plan.h"
#include "avro/schema_text.h"
#include "avro/varint.h"
#include "base/mem.h"
#include "binlog/charset.h"

enum {
    WIRE_HEADER = 5, /* Confluent: magic 0, id big-endian */
    SEGMENT_MAX = 64 << 20,
    KEY_MAX = 64 << 20
};

/* A value is: header, before, after, then the tail. The tail's parts that do not change from row to row are kept ready:
 * place = version .. pos of the source block, origin = thread and query, times = ts_ms, ts_us, ts_ns of the envelope.
 */
struct table_codec {
    const struct table_map *table;
    char *topic;
    char *server_name;
    char *connector;
    struct table_codec_options options;
    struct schema_text schemas;
    struct plan plan;
    uint8_t key_header[WIRE_HEADER];
    uint8_t value_header[WIRE_HEADER];
    struct buf head; /* version, connector, name */
    struct buf place;
    struct buf origin;
    struct buf transaction; /* its id, ready to be followed by the orders; empty when the block is null */
    struct buf times;
    size_t tail_room;
    char gtid_text[GTID_TEXT];
    uint64_t collection_order; /* rows of this table so far in the transaction */
    struct buf value;
    struct buf second; /* the create of a key change */
    struct buf key[2];
    struct plan_span *spans[2]; /* the key's columns in the before and in the after image */
    struct plan_span *json;     /* the JSON texts of a before image to which diffs apply */
};

static int put_avro_text(struct buf *out, const char *s)
{
    uint8_t head[VARINT_ROOM];
    size_t len = strlen(s);
    size_t n = (size_t)(varint_put(head, (int64_t)len) - head);

    return buf_put(out, head, n) < 0 || buf_put(out, s, len) < 0 ? -1 : 0;
}

static int put_avro_long(struct buf *out, int64_t v)
{
    uint8_t bytes[VARINT_ROOM];

    return buf_put(out, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

static int put_branch(struct buf *out, unsigned branch)
{
    return buf_put_u8(out, (uint8_t)(branch << 1));
}

/* A statement's text is a remark beside the data and may be in any charset: bytes that are no UTF-8 are shown as \xNN.
 */
static int put_query(struct buf *out, const char *query)
{
    struct buf text;
    const uint8_t *s = (const uint8_t *)query;
    size_t len = strlen(query);
    int rc = 0;

    if (utf8_valid(s, len) == len)
        return put_avro_text(out, query);
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
        rc = put_avro_text(out, buf_cstr(&text));
    buf_release(&text);
    return rc;
}

static void header_of(uint8_t header[WIRE_HEADER], uint32_t id)
{
    header[0] = 0;
    for (int i = 0; i < 4; i++)
        header[i + 1] = (uint8_t)(id >> (24 - 8 * i));
}

static bool native(const struct table_codec *c)
{
    return c->options.profile == AVRO_PROFILE_NATIVE;
}

struct table_codec *table_codec_new(const struct table_map *table, const struct table_codec_options *options,
                                    struct err *err)
{
    struct table_codec *c = xcalloc(1, sizeof *c);
    size_t record_max = options->record_bytes_max ? options->record_bytes_max : TABLE_CODEC_RECORD_MAX;
    size_t n_key = table->schema->n_key;

    c->table = table;
    c->options = *options;
    c->options.topic = c->topic = xstrdup(options->topic);
    c->options.server_name = c->server_name = xstrdup(options->server_name);
    c->options.connector = c->connector = xstrdup(options->connector);
    buf_init(&c->head, SEGMENT_MAX);
    buf_init(&c->place, SEGMENT_MAX);
    buf_init(&c->origin, SEGMENT_MAX);
    buf_init(&c->transaction, SEGMENT_MAX);
    buf_init(&c->times, SEGMENT_MAX);
    buf_init(&c->value, record_max);
    buf_init(&c->second, record_max);
    buf_init(&c->key[0], record_max < KEY_MAX ? record_max : KEY_MAX);
    buf_init(&c->key[1], record_max < KEY_MAX ? record_max : KEY_MAX);
    for (int i = 0; i < 2; i++)
        c->spans[i] = xcalloc(n_key ? n_key : 1, sizeof *c->spans[i]);
    if (schema_text_init(&c->schemas, table->schema, &c->options, err) < 0 ||
        plan_init(&c->plan, table, &c->options, err) < 0) {
        err_prefix(err, "table %s.%s", table->schema->database, table->schema->table);
        table_codec_free(c);
        return NULL;
    }
    c->json = xcalloc(c->plan.n_json + 1, sizeof *c->json);
    (void)put_avro_text(&c->head, PILLION_VERSION);
    (void)put_avro_text(&c->head, c->connector);
    (void)put_avro_text(&c->head, c->server_name);
    table_codec_set_ids(c, 0, 0);
    return c;
}

void table_codec_free(struct table_codec *c)
{
    if (!c)
        return;
    schema_text_release(&c->schemas);
    plan_release(&c->plan);
    buf_release(&c->head);
    buf_release(&c->place);
    buf_release(&c->origin);
    buf_release(&c->transaction);
    buf_release(&c->times);
    buf_release(&c->value);
    buf_release(&c->second);
    for (int i = 0; i < 2; i++) {
        buf_release(&c->key[i]);
        free(c->spans[i]);
    }
    free(c->json);
    free(c->topic);
    free(c->server_name);
    free(c->connector);
    free(c);
}

const char *table_codec_key_schema(const struct table_codec *c)
{
    return c->schemas.key;
}

const char *table_codec_value_schema(const struct table_codec *c)
{
    return c->schemas.value;
}

void table_codec_set_ids(struct table_codec *c, uint32_t key_id, uint32_t value_id)
{
    header_of(c->key_header, key_id);
    header_of(c->value_header, value_id);
}

/* The envelope gives every time in three units. Times come from the log: they may be any number, so wrap instead of
 * overflow. */
static int64_t nanos_of(int64_t micros)
{
    return (int64_t)((uint64_t)micros * 1000u);
}

static int put_place(struct table_codec *c, const struct change_source *source)
{
    const struct table_schema *schema = c->table->schema;
    /* Without a GTID the identity is file and position of the transaction; Debezium's field holds true GTIDs only. */
    bool has_gtid = native(c) || source->gtid.flavor == GTID_MYSQL || source->gtid.flavor == GTID_MARIADB;
    struct buf *out = &c->place;

    buf_clear(out);
    if (buf_put(out, c->head.data, c->head.len) < 0 || put_avro_long(out, source->commit_us / 1000) < 0 ||
        put_branch(out, 0) < 0 || put_avro_text(out, "false") < 0 || /* snapshot */
        put_avro_text(out, schema->database) < 0 || put_branch(out, 0) < 0 /* sequence */ || put_branch(out, 1) < 0 ||
        put_avro_long(out, source->commit_us) < 0 || put_branch(out, 1) < 0 ||
        put_avro_long(out, nanos_of(source->commit_us)) < 0 || put_branch(out, 1) < 0 ||
        put_avro_text(out, schema->table) < 0 || put_avro_long(out, source->server_id) < 0 ||
        put_branch(out, has_gtid ? 1 : 0) < 0 || (has_gtid && put_avro_text(out, source->gtid_text) < 0) ||
        put_avro_text(out, source->file) < 0)
        return -1;
    return put_avro_long(out, (int64_t)source->offset);
}

static int put_origin(struct table_codec *c, const struct change_source *source)
{
    struct buf *out = &c->origin;

    buf_clear(out);
    if (put_branch(out, source->thread_id ? 1 : 0) < 0 ||
        (source->thread_id && put_avro_long(out, source->thread_id) < 0) || put_branch(out, source->query ? 1 : 0) < 0)
        return -1;
    return source->query ? put_query(out, source->query) : 0;
}

int table_codec_begin_event(struct table_codec *c, const struct change_source *source, int64_t now_us, struct err *err)
{
    int rc = 0;

    if (strcmp(c->gtid_text, source->gtid_text) != 0) {
        memcpy(c->gtid_text, source->gtid_text, sizeof c->gtid_text);
        c->collection_order = 0;
    }
    buf_clear(&c->transaction);
    buf_clear(&c->times);
    if (c->options.transaction_metadata)
        rc = put_branch(&c->transaction, 1) < 0 || put_avro_text(&c->transaction, source->gtid_text) < 0 ? -1 : 0;
    if (rc < 0 || put_place(c, source) < 0 || put_origin(c, source) < 0 || put_branch(&c->times, 1) < 0 ||
        put_avro_long(&c->times, now_us / 1000) < 0 || put_branch(&c->times, 1) < 0 ||
        put_avro_long(&c->times, now_us) < 0 || put_branch(&c->times, 1) < 0 ||
        put_avro_long(&c->times, nanos_of(now_us)) < 0)
        return err_set(err, ERR_LIMIT, "the source block of an event at %s:%" PRIu64 " is longer than %d bytes.",
                       source->file, source->offset, (int)SEGMENT_MAX);
    c->tail_room = c->place.len + c->origin.len + c->transaction.len + c->times.len + 5 * VARINT_ROOM;
    return 0;
}

static uint8_t *append(uint8_t *at, const struct buf *b)
{
    if (b->len > 0)
        memcpy(at, b->data, b->len);
    return at + b->len;
}

static int too_long(const struct table_codec *c, struct err *err)
{
    return err_set(
        err, ERR_LIMIT,
        "a record is longer than the limit of %zu bytes; raise the limit here and in Kafka (message.max.bytes), "
        "or leave the table out.",
        c->value.cap);
}

/* What follows the two images. */
static int put_tail(struct table_codec *c, struct buf *out, char op, uint32_t row, uint64_t index, struct err *err)
{
    uint8_t *start = buf_room(out, c->tail_room);
    uint8_t *at = start;

    if (!start)
        return too_long(c, err);
    at = append(at, &c->place);
    at = varint_put(at, row);
    at = append(at, &c->origin);
    if (native(c))
        at = varint_put(at, (int64_t)index);
    if (c->transaction.len > 0) {
        at = append(at, &c->transaction);
        at = varint_put(at, (int64_t)index + 1);
        at = varint_put(at, (int64_t)c->collection_order + 1);
    } else {
        *at++ = 0;
    }
    *at++ = 2;
    *at++ = (uint8_t)op;
    at = append(at, &c->times);
    buf_advance(out, (size_t)(at - start));
    return 0;
}

static int put_value_header(struct table_codec *c, struct buf *out, struct err *err)
{
    buf_clear(out);
    return buf_put(out, c->value_header, WIRE_HEADER) < 0 ? too_long(c, err) : 0;
}

/* One image with its union branch. The bitmap and all columns must be there. */
static int put_image(struct table_codec *c, struct rows *rows, bool after, struct err *err)
{
    bool all = after ? rows->all_after : rows->all_before;
    struct plan_diffs diffs = {.before = c->json};
    struct row_image image;
    const uint8_t *nulls;
    uint8_t *at;

    if (__builtin_expect(!all, 0))
        return err_set(
            err, ERR_UNSUPPORTED,
            "the log holds rows without some of their columns; run SET GLOBAL binlog_row_image=FULL on the source, "
            "let the sessions reconnect, and start again behind these rows.");
    if (__builtin_expect(after && rows->partial, 0)) {
        if (row_image_begin(&image, rows, rows->after_present, err) < 0)
            return -1;
        nulls = image.nulls;
        diffs.partial = image.partial;
    } else {
        nulls = cursor_bytes(&rows->data, (c->table->n_columns + 7) / 8);
    }
    if (!nulls)
        return err_set(err, ERR_TRUNCATED, "the rows event ends inside a NULL bitmap; the log is damaged there.");
    at = buf_room(&c->value, 1);
    if (!at)
        return too_long(c, err);
    *at = 2;
    buf_advance(&c->value, 1);
    return plan_encode(&c->plan, &rows->data, nulls, diffs.partial ? &diffs : NULL, &c->value, c->spans[after], err);
}

static int put_no_image(struct table_codec *c, struct buf *out, struct err *err)
{
    return buf_put_u8(out, 0) < 0 ? too_long(c, err) : 0;
}

/* The key record out of the key columns' bytes in the value. */
static int put_key(struct table_codec *c, int which, struct err *err)
{
    struct buf *out = &c->key[which];
    size_t len = WIRE_HEADER;
    uint8_t *at;

    for (size_t i = 0; i < c->plan.n_key; i++)
        len += c->spans[which][i].len;
    buf_clear(out);
    at = buf_room(out, len);
    if (!at)
        return err_set(err, ERR_LIMIT, "the key is longer than %zu bytes.", out->cap);
    memcpy(at, c->key_header, WIRE_HEADER);
    at += WIRE_HEADER;
    for (size_t i = 0; i < c->plan.n_key; i++) {
        const struct plan_span *span = &c->spans[which][i];

        memcpy(at, c->value.data + span->at, span->len);
        at += span->len;
    }
    buf_advance(out, len);
    return 0;
}

static struct table_record record_of(const struct table_codec *c, const struct buf *value, const struct buf *key,
                                     char op)
{
    bool keyed = c->plan.n_key > 0;

    return (struct table_record){.key = keyed ? key->data : NULL,
                                 .key_len = keyed ? key->len : 0,
                                 .value = value->data,
                                 .value_len = value->len,
                                 .op = op};
}

static int encode_one_image(struct table_codec *c, struct rows *rows, uint64_t index, struct table_records *out,
                            struct err *err)
{
    bool insert = rows->op != CHANGE_DELETE;
    char op = insert ? 'c' : 'd';
    int which = insert ? 1 : 0;

    if (put_value_header(c, &c->value, err) < 0 || (insert && put_no_image(c, &c->value, err) < 0) ||
        put_image(c, rows, insert, err) < 0 || (!insert && put_no_image(c, &c->value, err) < 0) ||
        (c->plan.n_key > 0 && put_key(c, which, err) < 0) || put_tail(c, &c->value, op, rows->row, index, err) < 0)
        return -1;
    out->records[0] = record_of(c, &c->value, &c->key[which], op);
    out->n = 1;
    return 0;
}

static bool keys_equal(const struct table_codec *c)
{
    for (size_t i = 0; i < c->plan.n_key; i++) {
        const struct plan_span *a = &c->spans[0][i];
        const struct plan_span *b = &c->spans[1][i];

        if (a->len != b->len || memcmp(c->value.data + a->at, c->value.data + b->at, a->len) != 0)
            return false;
    }
    return true;
}

/* A changed key: the value buffer holds header, before, after. The create gets a buffer of its own, then the after
 * image gives way to a null. */
static int encode_key_change(struct table_codec *c, size_t after_at, uint32_t row, uint64_t index,
                             struct table_records *out, struct err *err)
{
    if (put_key(c, 0, err) < 0 || put_key(c, 1, err) < 0)
        return -1;
    if (put_value_header(c, &c->second, err) < 0 || put_no_image(c, &c->second, err) < 0)
        return -1;
    if (buf_put(&c->second, c->value.data + after_at, c->value.len - after_at) < 0)
        return too_long(c, err);
    c->value.len = after_at;
    if (put_no_image(c, &c->value, err) < 0 || put_tail(c, &c->value, 'd', row, index, err) < 0 ||
        put_tail(c, &c->second, 'c', row, index, err) < 0)
        return -1;
    out->records[0] = record_of(c, &c->value, &c->key[0], 'd');
    out->records[1] = record_of(c, &c->second, &c->key[1], 'c');
    out->n = 2;
    out->key_changed = true;
    return 0;
}

static int encode_update(struct table_codec *c, struct rows *rows, uint64_t index, struct table_records *out,
                         struct err *err)
{
    size_t after_at;

    if (put_value_header(c, &c->value, err) < 0 || put_image(c, rows, false, err) < 0)
        return -1;
    if (rows->partial)
        memcpy(c->json, c->plan.json, c->plan.n_json * sizeof *c->json);
    after_at = c->value.len;
    if (put_image(c, rows, true, err) < 0)
        return -1;
    if (__builtin_expect(!keys_equal(c), 0))
        return encode_key_change(c, after_at, rows->row, index, out, err);
    if ((c->plan.n_key > 0 && put_key(c, 1, err) < 0) || put_tail(c, &c->value, 'u', rows->row, index, err) < 0)
        return -1;
    out->records[0] = record_of(c, &c->value, &c->key[1], 'u');
    out->n = 1;
    return 0;
}

int table_codec_encode_row(struct table_codec *c, struct rows *rows, uint64_t index, struct table_records *out,
                           struct err *err)
{
    int rc;

    out->n = 0;
    out->key_changed = false;
    if (rows->op == CHANGE_UPDATE)
        rc = encode_update(c, rows, index, out, err);
    else
        rc = encode_one_image(c, rows, index, out, err);
    if (__builtin_expect(rc < 0, 0))
        return err_prefix(err, "table %s.%s, row %u of its event", c->table->schema->database, c->table->schema->table,
                          rows->row);
    rows->row++;
    c->collection_order++;
    return 0;
}

int table_codec_encode_truncate(struct table_codec *c, uint64_t index, struct table_record *out, struct err *err)
{
    if (put_value_header(c, &c->value, err) < 0 || put_no_image(c, &c->value, err) < 0 ||
        put_no_image(c, &c->value, err) < 0 || put_tail(c, &c->value, 't', 0, index, err) < 0)
        return err_prefix(err, "table %s.%s", c->table->schema->database, c->table->schema->table);
    *out = (struct table_record){.value = c->value.data, .value_len = c->value.len, .op = 't'};
    return 0;
}
