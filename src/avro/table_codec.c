#include "avro/table_codec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "avro/plan.h"
#include "avro/schema_text.h"
#include "avro/source_block.h"
#include "base/mem.h"

enum {
    WIRE_HEADER = 5, /* Confluent: magic 0, id big-endian */
    KEY_MAX = 64 << 20
};

/* A value is: header, before, after, then the source block with what follows it. */
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
    struct source_block source;
    struct buf value;
    struct buf second; /* the create of a key change */
    struct buf key[2];
    struct plan_span *spans[2]; /* the key's columns in the before and in the after image */
    struct plan_span *json;     /* the JSON texts of a before image to which diffs apply */
};

static void header_of(uint8_t header[WIRE_HEADER], uint32_t id)
{
    header[0] = 0;
    for (int i = 0; i < 4; i++)
        header[i + 1] = (uint8_t)(id >> (24 - 8 * i));
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
    source_block_init(&c->source, table->schema, &c->options);
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
    table_codec_set_ids(c, 0, 0);
    return c;
}

void table_codec_free(struct table_codec *c)
{
    if (!c)
        return;
    schema_text_release(&c->schemas);
    plan_release(&c->plan);
    source_block_release(&c->source);
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

int table_codec_begin_event(struct table_codec *c, const struct change_source *source, int64_t now_us, struct err *err)
{
    if (source_block_begin(&c->source, source, now_us, err) < 0)
        return err_prefix(err, "table %s.%s", c->table->schema->database, c->table->schema->table);
    return 0;
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
    return source_block_put(&c->source, out, op, row, index) < 0 ? too_long(c, err) : 0;
}

/* The header and, for a record without a before image, the null for it. */
static int put_value_header(struct table_codec *c, struct buf *out, bool null_before, struct err *err)
{
    uint8_t *at;

    buf_clear(out);
    at = buf_room(out, WIRE_HEADER + 1);
    if (!at)
        return too_long(c, err);
    memcpy(at, c->value_header, WIRE_HEADER);
    at[WIRE_HEADER] = 0;
    buf_advance(out, WIRE_HEADER + (null_before ? 1 : 0));
    return 0;
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

    if (put_value_header(c, &c->value, insert, err) < 0 || put_image(c, rows, insert, err) < 0 ||
        (!insert && put_no_image(c, &c->value, err) < 0) || (c->plan.n_key > 0 && put_key(c, which, err) < 0) ||
        put_tail(c, &c->value, op, rows->row, index, err) < 0)
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
    if (put_value_header(c, &c->second, true, err) < 0)
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

    if (put_value_header(c, &c->value, false, err) < 0 || put_image(c, rows, false, err) < 0)
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
    c->source.collection_order++;
    return 0;
}

int table_codec_encode_truncate(struct table_codec *c, uint64_t index, struct table_record *out, struct err *err)
{
    if (put_value_header(c, &c->value, true, err) < 0 || put_no_image(c, &c->value, err) < 0 ||
        put_tail(c, &c->value, 't', 0, index, err) < 0)
        return err_prefix(err, "table %s.%s", c->table->schema->database, c->table->schema->table);
    *out = (struct table_record){.value = c->value.data, .value_len = c->value.len, .op = 't'};
    return 0;
}
