/* yaml_tree: a YAML document as a tree of nodes with their places, read with libyaml's event API (yaml.h).
 *
 * YAML is untrusted: bytes, depth, nodes and what aliases expand to are capped, so that neither a deep nest nor the
 * "billion laughs" costs more than the caps. An alias is the same node again; an alias to a node that is not complete
 * yet (a loop) is an error. One document only; a second key of the same name in a mapping is an error. Keys must be
 * scalars. Ownership: nodes live in the caller's arena. Thread: one owner. Errors: ERR_CONTRACT with line and column,
 * in *place too. */
#ifndef PILLION_CONTRACT_YAML_TREE_H
#define PILLION_CONTRACT_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

enum {
    YAML_BYTES_MAX = 4 << 20,
    YAML_DEPTH_MAX = 40,
    YAML_NODES_MAX = 200000,
    YAML_WIDTH_MAX = 2000 /* keys of a mapping; anchors */
};

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    int line, column;        /* from 1 */
    bool quoted;             /* scalar in quotes or block style: a string whatever it looks like */
    const char *text;        /* scalar; without NUL bytes inside */
    struct yaml_node *first; /* items of a sequence, values of a mapping */
    struct yaml_node *last;
    struct yaml_node *next;
    const char *key; /* of a mapping's value */
    int key_line, key_column;
    const struct yaml_node *alias; /* this node stands for that one; use yaml_resolve */
    size_t weight;                 /* nodes under it, aliases expanded */
};

struct yaml_place {
    int line, column;
};

/* NULL on an error; an empty document is one too. */
struct yaml_node *yaml_tree_parse(struct arena *arena, const void *bytes, size_t len, struct yaml_place *place,
                                  struct err *err);
/* The node that an alias stands for, or the node itself. */
const struct yaml_node *yaml_resolve(const struct yaml_node *n);
/* The value of a key as it stands (its key place is there), or NULL. Resolve before looking into it. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
/* Text of a scalar value of a key, or `otherwise`. */
const char *yaml_text(const struct yaml_node *mapping, const char *key, const char *otherwise);

#endif
