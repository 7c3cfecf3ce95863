#include "avro/envelope_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "avro/row_reader.h"
#include "avro/varint.h"
#include "base/mem.h"

/* What is wanted of a field; all others are walked over. */
enum part {
    PART_NONE,
    PART_BEFORE,
    PART_AFTER,
    PART_SOURCE,
    PART_OP,
    SOURCE_DATABASE,
    SOURCE_TABLE,
    SOURCE_GTID,
    SOURCE_INDEX,
    SOURCE_FILE,
    SOURCE_POS,
    SOURCE_ROW,
    SOURCE_TS_MS,
    SOURCE_TS_US
};

static const struct {
    const char *name;
    enum part part;
} envelope_parts[] = {{"before", PART_BEFORE}, {"after", PART_AFTER}, {"source", PART_SOURCE}, {"op", PART_OP}},
  source_parts[] = {{"db", SOURCE_DATABASE},     {"table", SOURCE_TABLE}, {"gtid", SOURCE_GTID},
                    {"txn_index", SOURCE_INDEX}, {"file", SOURCE_FILE},   {"pos", SOURCE_POS},
                    {"row", SOURCE_ROW},         {"ts_ms", SOURCE_TS_MS}, {"ts_us", SOURCE_TS_US}};

struct envelope_reader {
    struct schema_tree *tree;
    const struct node *envelope;
    const struct node *source; /* NULL: none */
    uint8_t *parts;            /* of the envelope's fields */
    uint8_t *source_parts;
    struct row_reader row;
};

static bool is_text(const struct node *node)
{
    return node->type == NODE_STRING;
}

static bool is_number(const struct node *node)
{
    return node->type == NODE_INT || node->type == NODE_LONG;
}

/* The one branch of a union that is not null; the node itself for any other; NULL when there are several. */
static const struct node *only_branch(const struct node *node)
{
    const struct node *found = NULL;

    if (node->type != NODE_UNION)
        return node;
    for (size_t i = 0; i < node->n; i++) {
        if (node->of[i]->type == NODE_NULL)
            continue;
        if (found)
            return NULL;
        found = node->of[i];
    }
    return found;
}

static int index_source(struct envelope_reader *r, struct err *err)
{
    r->source_parts = xcalloc(r->source->n ? r->source->n : 1, 1);
    for (size_t i = 0; i < r->source->n; i++) {
        const struct node *node = only_branch(r->source->of[i]);

        for (size_t k = 0; k < sizeof source_parts / sizeof source_parts[0]; k++) {
            enum part part = source_parts[k].part;
            bool text = part == SOURCE_DATABASE || part == SOURCE_TABLE || part == SOURCE_GTID || part == SOURCE_FILE;

            if (strcmp(source_parts[k].name, r->source->names[i]) != 0)
                continue;
            if (!node || !(text ? is_text(node) : is_number(node)))
                return err_set(err, ERR_SCHEMA, "the field source.%s of the envelope's schema is no %s.",
                               source_parts[k].name, text ? "string" : "long");
            r->source_parts[i] = (uint8_t)part;
        }
    }
    return 0;
}

static int index_field(struct envelope_reader *r, size_t i, const struct node **row, struct err *err)
{
    const char *name = r->envelope->names[i];
    const struct node *node = only_branch(r->envelope->of[i]);

    for (size_t k = 0; k < sizeof envelope_parts / sizeof envelope_parts[0]; k++) {
        if (strcmp(envelope_parts[k].name, name) != 0)
            continue;
        r->parts[i] = (uint8_t)envelope_parts[k].part;
        if (!node || (envelope_parts[k].part == PART_OP ? !is_text(node) : node->type != NODE_RECORD))
            return err_set(err, ERR_SCHEMA, "the field %s of the envelope's schema has a type that it cannot have.",
                           name);
        if (envelope_parts[k].part == PART_SOURCE)
            r->source = node;
        if (envelope_parts[k].part != PART_BEFORE && envelope_parts[k].part != PART_AFTER)
            continue;
        if (*row && *row != node)
            return err_set(err, ERR_SCHEMA, "before and after have different types in the envelope's schema.");
        *row = node;
    }
    return 0;
}

static bool has_part(const struct envelope_reader *r, enum part part)
{
    for (size_t i = 0; i < r->envelope->n; i++)
        if (r->parts[i] == part)
            return true;
    return false;
}

struct envelope_reader *envelope_reader_new(const char *schema, size_t len, struct err *err)
{
    struct envelope_reader *r = xcalloc(1, sizeof *r);
    const struct node *row = NULL;

    r->tree = schema_tree_new(schema, len, err);
    if (!r->tree)
        goto failed;
    r->envelope = schema_tree_root(r->tree);
    if (r->envelope->type != NODE_RECORD) {
        err_set(err, ERR_SCHEMA, "the value's schema is no record, so no change event.");
        goto failed;
    }
    r->parts = xcalloc(r->envelope->n ? r->envelope->n : 1, 1);
    for (size_t i = 0; i < r->envelope->n; i++)
        if (index_field(r, i, &row, err) < 0)
            goto failed;
    if (!row || !has_part(r, PART_AFTER) || !has_part(r, PART_OP)) {
        err_set(
            err, ERR_SCHEMA,
            "the value's schema is no change event: it has no field \"op\" or \"after\"; check that the topic holds "
            "envelopes, not rows that a transform has flattened.");
        goto failed;
    }
    if (r->source && index_source(r, err) < 0)
        goto failed;
    row_reader_init(&r->row, row);
    return r;
failed:
    envelope_reader_free(r);
    return NULL;
}

void envelope_reader_free(struct envelope_reader *r)
{
    if (!r)
        return;
    row_reader_release(&r->row);
    schema_tree_free(r->tree);
    free(r->parts);
    free(r->source_parts);
    free(r);
}

static int read_text(struct walk *w, const struct node *node, const char **text, size_t *len)
{
    const uint8_t *bytes;

    if (schema_tree_branch(w, node, &node) < 0)
        return -1;
    if (node->type == NODE_NULL)
        return 0;
    if (schema_tree_bytes(w, node, &bytes, len) < 0)
        return -1;
    *text = (const char *)bytes;
    return 0;
}

/* false in *given for a null. */
static int read_number(struct walk *w, const struct node *node, int64_t *v, bool *given)
{
    *given = false;
    if (schema_tree_branch(w, node, &node) < 0)
        return -1;
    if (node->type == NODE_NULL)
        return 0;
    *v = varint_read(w->c);
    *given = true;
    return walk_ok(w);
}

static int read_source_field(struct walk *w, enum part part, const struct node *node, struct envelope_source *out,
                             bool *has_us)
{
    int64_t v = 0;
    bool given;

    switch (part) {
    case SOURCE_DATABASE:
        return read_text(w, node, &out->database, &out->database_len);
    case SOURCE_TABLE:
        return read_text(w, node, &out->table, &out->table_len);
    case SOURCE_GTID:
        return read_text(w, node, &out->gtid, &out->gtid_len);
    case SOURCE_FILE:
        return read_text(w, node, &out->file, &out->file_len);
    case SOURCE_INDEX:
    case SOURCE_POS:
    case SOURCE_ROW:
    case SOURCE_TS_MS:
    case SOURCE_TS_US:
        break;
    default:
        return schema_tree_skip(w, node);
    }
    if (read_number(w, node, &v, &given) < 0)
        return -1;
    if (!given)
        return 0;
    if (part == SOURCE_INDEX)
        out->index = (uint64_t)v;
    else if (part == SOURCE_POS)
        out->pos = v;
    else if (part == SOURCE_ROW)
        out->row = v;
    else if (part == SOURCE_TS_US)
        out->ts_us = v;
    else if (!*has_us)
        out->ts_us = (int64_t)((uint64_t)v * 1000);
    *has_us = *has_us || part == SOURCE_TS_US;
    return 0;
}

static int read_source(struct envelope_reader *r, struct walk *w, const struct node *node, struct envelope_source *out)
{
    bool has_us = false;

    if (schema_tree_branch(w, node, &node) < 0)
        return -1;
    if (node->type == NODE_NULL)
        return 0;
    for (size_t i = 0; i < r->source->n; i++)
        if (read_source_field(w, r->source_parts[i], r->source->of[i], out, &has_us) < 0)
            return err_prefix(w->err, "source.%.200s", r->source->names[i]);
    return 0;
}

static int read_op(struct walk *w, const struct node *node, char *op)
{
    const char *text = "";
    size_t len = 0;

    if (read_text(w, node, &text, &len) < 0)
        return -1;
    if (len != 1 || !memchr("cudrt", text[0], 5))
        return err_set(w->err, ERR_MALFORMED, "the operation \"%.*s\" is none of c, u, d, r, t.",
                       (int)(len > 16 ? 16 : len), text);
    *op = text[0];
    return 0;
}

static int read_image(struct walk *w, const struct node *node, bool *has, struct cursor *image)
{
    const uint8_t *from;

    if (schema_tree_branch(w, node, &node) < 0)
        return -1;
    if (node->type == NODE_NULL)
        return 0;
    from = w->c->p;
    if (schema_tree_skip(w, node) < 0)
        return -1;
    *has = true;
    *image = cursor_of(from, (size_t)(w->c->p - from));
    return 0;
}

static int read_part(struct envelope_reader *r, struct walk *w, size_t i, struct envelope *out)
{
    const struct node *node = r->envelope->of[i];

    switch ((enum part)r->parts[i]) {
    case PART_BEFORE:
        return read_image(w, node, &out->has_before, &out->before);
    case PART_AFTER:
        return read_image(w, node, &out->has_after, &out->after);
    case PART_SOURCE:
        return read_source(r, w, node, &out->source);
    case PART_OP:
        return read_op(w, node, &out->op);
    default:
        return schema_tree_skip(w, node);
    }
}

int envelope_read(struct envelope_reader *r, struct cursor value, struct envelope *out, struct err *err)
{
    struct walk w = walk_of(&value, err);

    *out = (struct envelope){.source = {.index = UINT64_MAX, .database = "", .table = "", .gtid = "", .file = ""}};
    for (size_t i = 0; i < r->envelope->n; i++)
        if (read_part(r, &w, i, out) < 0)
            return err_prefix(err, "field %.200s", r->envelope->names[i]);
    if (!cursor_done(&value))
        return err_set(err, ERR_MALFORMED, "%zu bytes are left over behind the envelope.", cursor_left(&value));
    if ((out->op == 'c' || out->op == 'u' || out->op == 'r') && !out->has_after)
        return err_set(err, ERR_MALFORMED, "the event has operation '%c' and no row after it.", out->op);
    return 0;
}

size_t envelope_n_fields(const struct envelope_reader *r)
{
    return r->row.record->n;
}

const char *envelope_field_name(const struct envelope_reader *r, size_t i)
{
    return r->row.record->names[i];
}

int envelope_find_field(const struct envelope_reader *r, const char *name)
{
    for (size_t i = 0; i < r->row.record->n; i++)
        if (strcmp(r->row.record->names[i], name) == 0)
            return (int)i;
    return -1;
}

int envelope_read_row(struct envelope_reader *r, struct cursor image, struct field_value *out, struct err *err)
{
    return row_reader_read(&r->row, image, out, err);
}

struct key_reader {
    struct schema_tree *tree;
    struct row_reader row;
};

struct key_reader *key_reader_new(const char *schema, size_t len, struct err *err)
{
    struct key_reader *r = xcalloc(1, sizeof *r);

    r->tree = schema_tree_new(schema, len, err);
    if (r->tree && schema_tree_root(r->tree)->type != NODE_RECORD) {
        err_set(err, ERR_SCHEMA, "the key's schema is no record of columns.");
        schema_tree_free(r->tree);
        r->tree = NULL;
    }
    if (!r->tree) {
        free(r);
        return NULL;
    }
    row_reader_init(&r->row, schema_tree_root(r->tree));
    return r;
}

void key_reader_free(struct key_reader *r)
{
    if (!r)
        return;
    row_reader_release(&r->row);
    schema_tree_free(r->tree);
    free(r);
}

size_t key_n_fields(const struct key_reader *r)
{
    return r->row.record->n;
}

const char *key_field_name(const struct key_reader *r, size_t i)
{
    return r->row.record->names[i];
}

int key_read(struct key_reader *r, struct cursor key, struct field_value *out, struct err *err)
{
    return row_reader_read(&r->row, key, out, err);
}
