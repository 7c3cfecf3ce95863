/* schema_tree: the parsed form of an Avro schema that somebody else wrote, and walking over values that it describes.
 *
 * schema_tree_new reads the JSON (names resolved, logical types and connect.names turned into a leaf kind).
 * schema_tree_skip moves a cursor over a value without looking; schema_tree_json renders any value as JSON text. Both
 * the schema and the values are untrusted: text, nodes, fields, names and depth are capped, and a walk has a budget of
 * steps, because an array of a thousand million nulls takes no bytes at all. Types may refer to themselves; the depth
 * cap ends that. Source: Avro 1.11 specification "Schema Declaration", "Binary Encoding", "Logical Types"; debezium's
 * io.debezium.time and io.debezium.data; org.apache.kafka.connect.data. Ownership: nodes and names are the tree's.
 * Immutable after parse. Errors: ERR_SCHEMA, ERR_MALFORMED, ERR_TRUNCATED, ERR_LIMIT. Thread: any reader. Internal to
 * avro/. */
#ifndef PILLION_AVRO_SCHEMA_TREE_H
#define PILLION_AVRO_SCHEMA_TREE_H

#include "avro/envelope_reader.h"
#include "base/buf.h"

enum {
    SCHEMA_TREE_TEXT_MAX = 16 << 20,
    SCHEMA_TREE_NODES_MAX = 1 << 16,
    SCHEMA_TREE_NAMED_MAX = 4096,
    SCHEMA_TREE_FIELDS_MAX = 8192,
    SCHEMA_TREE_NAME_MAX = 1024,
    SCHEMA_TREE_SCALE_MAX = 1000
};

enum node_type {
    NODE_NULL,
    NODE_BOOLEAN,
    NODE_INT,
    NODE_LONG,
    NODE_FLOAT,
    NODE_DOUBLE,
    NODE_BYTES,
    NODE_STRING,
    NODE_FIXED,
    NODE_ENUM,
    NODE_ARRAY,
    NODE_MAP,
    NODE_UNION,
    NODE_RECORD
};

/* What a leaf's number or bytes mean, beyond their type. */
enum node_meaning {
    MEANS_ITSELF,
    MEANS_DATE,
    MEANS_TIME_MILLIS,
    MEANS_TIME_MICROS,
    MEANS_TIME_NANOS,
    MEANS_INSTANT_MILLIS,
    MEANS_INSTANT_MICROS,
    MEANS_INSTANT_NANOS,
    MEANS_LOCAL_MILLIS,
    MEANS_LOCAL_MICROS,
    MEANS_LOCAL_NANOS,
    MEANS_DECIMAL,
    MEANS_JSON,
    MEANS_ZONED_TEXT,      /* ISO 8601 with offset */
    MEANS_VARIABLE_DECIMAL /* record {scale, value} */
};

struct node {
    enum node_type type;
    enum node_meaning meaning;
    int scale;
    size_t size;           /* FIXED */
    const char *full_name; /* named types */
    size_t n;              /* fields, branches, symbols */
    struct node **of;      /* field types, branches; items or values at [0] */
    const char **names;    /* field names, symbols */
};

struct schema_tree;

struct schema_tree *schema_tree_new(const char *text, size_t len, struct err *err);
void schema_tree_free(struct schema_tree *t);
struct node *schema_tree_root(const struct schema_tree *t);

/* One walk over one record. */
struct walk {
    struct cursor *c;
    uint64_t steps; /* that are left */
    int depth;
    struct err *err;
};
struct walk walk_of(struct cursor *c, struct err *err);
int schema_tree_skip(struct walk *w, const struct node *node);
/* Binary becomes base64, decimals text. */
int schema_tree_json(struct walk *w, const struct node *node, struct buf *out);
/* The branch that comes next; for a node that is no union, the node itself. */
int schema_tree_branch(struct walk *w, const struct node *node, const struct node **out);
/* Bytes with their length before them (or a FIXED's). */
int schema_tree_bytes(struct walk *w, const struct node *node, const uint8_t **bytes, size_t *len);
/* 0, or -1 with what is wrong when the cursor has failed. */
int walk_ok(struct walk *w);

#endif
