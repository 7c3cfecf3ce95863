/* schema_walk: the walk over a parsed Avro schema that skips or renders values whose shape only the writer knows. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "avro/avro_json.h"
#include "avro/schema_tree.h"
#include "avro/varint.h"

enum { WALK_STEPS = 1 << 20, WALK_STEPS_PER_BYTE = 8 };

struct walk walk_of(struct cursor *c, struct err *err)
{
    return (struct walk){.c = c, .steps = WALK_STEPS + WALK_STEPS_PER_BYTE * (uint64_t)cursor_left(c), .err = err};
}

int walk_ok(struct walk *w)
{
    if (!w->c->failed)
        return 0;
    return err_set(w->err, ERR_TRUNCATED, "the Avro record ends before its schema does.");
}

static int step(struct walk *w)
{
    if (w->steps-- == 0) {
        w->steps = 0;
        return err_set(w->err, ERR_LIMIT, "the Avro record has far more values than bytes.");
    }
    return 0;
}

int schema_tree_branch(struct walk *w, const struct node *node, const struct node **out)
{
    int64_t branch;

    *out = node;
    if (node->type != NODE_UNION)
        return 0;
    branch = varint_read(w->c);
    if (w->c->failed)
        return walk_ok(w);
    if (branch < 0 || (uint64_t)branch >= node->n)
        return err_set(w->err, ERR_MALFORMED, "the Avro record takes branch %" PRId64 " of a union of %zu.", branch,
                       node->n);
    *out = node->of[branch];
    return 0;
}

int schema_tree_bytes(struct walk *w, const struct node *node, const uint8_t **bytes, size_t *len)
{
    int64_t n = node->type == NODE_FIXED ? (int64_t)node->size : varint_read(w->c);

    if (n < 0)
        return err_set(w->err, ERR_MALFORMED, "the Avro record has bytes of length %" PRId64 ".", n);
    *len = (size_t)n;
    *bytes = cursor_bytes(w->c, *len);
    return walk_ok(w);
}

static int put_symbol(struct walk *w, const struct node *node, struct buf *out)
{
    int64_t symbol = varint_read(w->c);

    if (w->c->failed)
        return walk_ok(w);
    if (symbol < 0 || (uint64_t)symbol >= node->n)
        return err_set(w->err, ERR_MALFORMED, "the Avro record takes symbol %" PRId64 " of an enum of %zu.", symbol,
                       node->n);
    if (out)
        avro_json_text(out, (const uint8_t *)node->names[symbol], strlen(node->names[symbol]));
    return 0;
}

static int walk_value(struct walk *w, const struct node *node, struct buf *out);

/* Arrays and maps come in blocks: a count, and when it is negative the bytes of the block after it. */
static int walk_blocks(struct walk *w, const struct node *node, struct buf *out)
{
    bool map = node->type == NODE_MAP;
    bool first = true;

    if (out)
        (void)buf_put_u8(out, map ? '{' : '[');
    for (;;) {
        int64_t count = varint_read(w->c);

        if (count < 0) {
            if (count == INT64_MIN)
                return err_set(w->err, ERR_MALFORMED, "the Avro record has a block of impossible length.");
            count = -count;
            (void)varint_read(w->c);
        }
        if (walk_ok(w) < 0)
            return -1;
        if (count == 0)
            break;
        for (; count > 0; count--) {
            if (step(w) < 0)
                return -1;
            if (out && !first)
                (void)buf_put_u8(out, ',');
            first = false;
            if (map) {
                static const struct node key = {.type = NODE_STRING};

                if (walk_value(w, &key, out) < 0)
                    return -1;
                if (out)
                    (void)buf_put_u8(out, ':');
            }
            if (walk_value(w, node->of[0], out) < 0)
                return -1;
        }
    }
    if (out)
        (void)buf_put_u8(out, map ? '}' : ']');
    return 0;
}

static int walk_record(struct walk *w, const struct node *node, struct buf *out)
{
    if (out)
        (void)buf_put_u8(out, '{');
    for (size_t i = 0; i < node->n; i++) {
        if (step(w) < 0)
            return -1;
        if (out) {
            if (i > 0)
                (void)buf_put_u8(out, ',');
            avro_json_text(out, (const uint8_t *)node->names[i], strlen(node->names[i]));
            (void)buf_put_u8(out, ':');
        }
        if (walk_value(w, node->of[i], out) < 0)
            return -1;
    }
    if (out)
        (void)buf_put_u8(out, '}');
    return 0;
}

static int walk_bytes(struct walk *w, const struct node *node, struct buf *out)
{
    const uint8_t *bytes;
    size_t len;

    if (schema_tree_bytes(w, node, &bytes, &len) < 0)
        return -1;
    if (!out)
        return 0;
    if (node->type == NODE_STRING) {
        avro_json_text(out, bytes, len);
    } else if (node->meaning == MEANS_DECIMAL) {
        (void)buf_put_u8(out, '"');
        if (avro_json_decimal(out, bytes, len, node->scale, w->err) < 0)
            return -1;
        (void)buf_put_u8(out, '"');
    } else {
        avro_json_base64(out, bytes, len);
    }
    return 0;
}

static void put_double(struct buf *out, double v, int digits)
{
    if (isfinite(v))
        (void)buf_putf(out, "%.*g", digits, v);
    else
        (void)buf_put_str(out, "null");
}

static int walk_leaf(struct walk *w, const struct node *node, struct buf *out)
{
    uint32_t bits32;
    uint64_t bits64;
    int64_t v;
    float f;
    double d;

    switch (node->type) {
    case NODE_NULL:
        if (out)
            (void)buf_put_str(out, "null");
        return 0;
    case NODE_BOOLEAN:
        v = cursor_u8(w->c);
        if (out)
            (void)buf_put_str(out, v ? "true" : "false");
        return walk_ok(w);
    case NODE_INT:
    case NODE_LONG:
        v = varint_read(w->c);
        if (out)
            (void)buf_putf(out, "%" PRId64, v);
        return walk_ok(w);
    case NODE_FLOAT:
        bits32 = cursor_u32le(w->c);
        memcpy(&f, &bits32, sizeof f);
        if (out)
            put_double(out, (double)f, 9);
        return walk_ok(w);
    case NODE_DOUBLE:
        bits64 = cursor_u64le(w->c);
        memcpy(&d, &bits64, sizeof d);
        if (out)
            put_double(out, d, 17);
        return walk_ok(w);
    case NODE_ENUM:
        return put_symbol(w, node, out);
    default:
        return walk_bytes(w, node, out);
    }
}

static int walk_value(struct walk *w, const struct node *node, struct buf *out)
{
    int rc;

    if (w->depth >= AVRO_DEPTH_MAX)
        return err_set(w->err, ERR_LIMIT, "the Avro record is nested deeper than %d levels.", (int)AVRO_DEPTH_MAX);
    w->depth++;
    if (schema_tree_branch(w, node, &node) < 0)
        rc = -1;
    else if (node->type == NODE_RECORD)
        rc = walk_record(w, node, out);
    else if (node->type == NODE_ARRAY || node->type == NODE_MAP)
        rc = walk_blocks(w, node, out);
    else
        rc = walk_leaf(w, node, out);
    w->depth--;
    if (rc == 0 && out && out->overflow)
        return err_set(w->err, ERR_LIMIT, "a nested value of the Avro record is longer than %zu bytes as JSON.",
                       out->cap);
    return rc;
}

int schema_tree_skip(struct walk *w, const struct node *node)
{
    return walk_value(w, node, NULL);
}

int schema_tree_json(struct walk *w, const struct node *node, struct buf *out)
{
    return walk_value(w, node, out);
}
