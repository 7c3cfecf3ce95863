#include "contract/yaml_tree.h"

#include <string.h>
#include <yaml.h>

struct anchor {
    const char *name;
    const struct yaml_node *node;
    bool complete;
    struct anchor *next;
};

struct builder {
    struct arena *arena;
    struct anchor *anchors;
    size_t n_anchors;
    size_t nodes;
    struct yaml_place *place;
    struct err *err;
};

static struct yaml_node *fail(struct builder *b, yaml_mark_t at, const char *what)
{
    b->place->line = (int)at.line + 1;
    b->place->column = (int)at.column + 1;
    err_set(b->err, ERR_CONTRACT, "line %d, column %d: %s", b->place->line, b->place->column, what);
    return NULL;
}

static struct yaml_node *node_new(struct builder *b, enum yaml_kind kind, const yaml_event_t *e)
{
    struct yaml_node *n;

    if (++b->nodes > YAML_NODES_MAX)
        return fail(b, e->start_mark, "the document has more nodes than are allowed; split it.");
    n = arena_alloc(b->arena, sizeof *n);
    if (!n)
        return fail(b, e->start_mark, "the document needs more memory than is allowed; split it.");
    n->kind = kind;
    n->line = (int)e->start_mark.line + 1;
    n->column = (int)e->start_mark.column + 1;
    n->weight = 1;
    return n;
}

static struct anchor *anchor_new(struct builder *b, const yaml_char_t *name, const struct yaml_node *node)
{
    struct anchor *a;

    if (!name ||
        b->n_anchors == YAML_WIDTH_MAX) /* one anchor too many is not found by its aliases, which is an error */
        return NULL;
    b->n_anchors++;
    a = arena_alloc(b->arena, sizeof *a);
    if (!a)
        return NULL;
    a->name = arena_strndup(b->arena, name, strlen((const char *)name));
    a->node = node;
    a->next = b->anchors;
    b->anchors = a;
    return a->name ? a : NULL;
}

static const struct anchor *anchor_find(const struct builder *b, const char *name)
{
    for (const struct anchor *a = b->anchors; a; a = a->next)
        if (!strcmp(a->name, name))
            return a;
    return NULL;
}

static struct yaml_node *parse_alias(struct builder *b, const yaml_event_t *e)
{
    const struct anchor *a = anchor_find(b, (const char *)e->data.alias.anchor);
    struct yaml_node *n;

    if (!a)
        return fail(b, e->start_mark, "an alias (*name) refers to an anchor (&name) that is not defined before it.");
    if (!a->complete)
        return fail(b, e->start_mark, "an alias refers to a node that contains it.");
    n = node_new(b, a->node->kind, e);
    if (!n)
        return NULL;
    n->alias = a->node;
    n->weight = a->node->weight;
    return n;
}

static struct yaml_node *parse_scalar(struct builder *b, const yaml_event_t *e)
{
    struct yaml_node *n = node_new(b, YAML_SCALAR, e);
    struct anchor *a;

    if (!n)
        return NULL;
    if (memchr(e->data.scalar.value, 0, e->data.scalar.length))
        return fail(b, e->start_mark, "a text contains a NUL byte.");
    n->text = arena_strndup(b->arena, e->data.scalar.value, e->data.scalar.length);
    if (!n->text)
        return fail(b, e->start_mark, "the document needs more memory than is allowed; split it.");
    n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    a = anchor_new(b, e->data.scalar.anchor, n);
    if (a)
        a->complete = true;
    return n;
}

static bool next_event(struct builder *b, yaml_parser_t *p, yaml_event_t *e)
{
    if (yaml_parser_parse(p, e))
        return true;
    fail(b, p->problem_mark, p->problem ? p->problem : "the text is not YAML.");
    return false;
}

static struct yaml_node *parse_node(struct builder *b, yaml_parser_t *p, yaml_event_t *e, int depth);

static void append(struct yaml_node *parent, struct yaml_node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->weight += child->weight;
}

static bool parse_children(struct builder *b, yaml_parser_t *p, struct yaml_node *n, int depth)
{
    size_t width = 0;
    yaml_event_type_t end = n->kind == YAML_MAPPING ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;

    for (;;) {
        yaml_event_t e;
        struct yaml_node *key = NULL, *child;
        yaml_mark_t at;
        bool ended;

        if (!next_event(b, p, &e))
            return false;
        at = e.start_mark;
        ended = e.type == end;
        if (!ended && n->kind == YAML_MAPPING) {
            if (e.type != YAML_SCALAR_EVENT) {
                fail(b, at, "a key of a mapping must be a plain text.");
                yaml_event_delete(&e);
                return false;
            }
            key = parse_scalar(b, &e);
            yaml_event_delete(&e);
            if (!key)
                return false;
            if (++width > YAML_WIDTH_MAX) {
                fail(b, at, "this mapping has more keys than are allowed.");
                return false;
            }
            if (yaml_get(n, key->text)) {
                fail(b, at, "the same key stands twice in this mapping; remove one of the two.");
                return false;
            }
            if (!next_event(b, p, &e))
                return false;
        }
        if (ended) {
            yaml_event_delete(&e);
            return true;
        }
        child = parse_node(b, p, &e, depth + 1);
        yaml_event_delete(&e);
        if (!child)
            return false;
        if (key) {
            child->key = key->text;
            child->key_line = key->line;
            child->key_column = key->column;
        }
        append(n, child);
        if (n->weight > YAML_NODES_MAX) {
            fail(b, at, "aliases blow this node up beyond what is allowed.");
            return false;
        }
    }
}

static struct yaml_node *parse_node(struct builder *b, yaml_parser_t *p, yaml_event_t *e, int depth)
{
    struct yaml_node *n;
    struct anchor *a;

    if (depth > YAML_DEPTH_MAX)
        return fail(b, e->start_mark, "the document is nested deeper than is allowed.");
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return parse_alias(b, e);
    case YAML_SCALAR_EVENT:
        return parse_scalar(b, e);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        n = node_new(b, e->type == YAML_MAPPING_START_EVENT ? YAML_MAPPING : YAML_SEQUENCE, e);
        if (!n)
            return NULL;
        a = anchor_new(
            b, e->type == YAML_MAPPING_START_EVENT ? e->data.mapping_start.anchor : e->data.sequence_start.anchor, n);
        if (!parse_children(b, p, n, depth))
            return NULL;
        if (a)
            a->complete = true;
        return n;
    default:
        return fail(b, e->start_mark, "a value is missing here.");
    }
}

/* Skips to the root node's event, or gives false. */
static bool root_event(struct builder *b, yaml_parser_t *p, yaml_event_t *e)
{
    for (;;) {
        if (!next_event(b, p, e))
            return false;
        if (e->type == YAML_STREAM_START_EVENT || e->type == YAML_DOCUMENT_START_EVENT) {
            yaml_event_delete(e);
            continue;
        }
        if (e->type != YAML_STREAM_END_EVENT && e->type != YAML_DOCUMENT_END_EVENT)
            return true;
        fail(b, e->start_mark, "the document is empty.");
        yaml_event_delete(e);
        return false;
    }
}

static bool nothing_follows(struct builder *b, yaml_parser_t *p)
{
    for (;;) {
        yaml_event_t e;
        yaml_event_type_t type;
        yaml_mark_t at;

        if (!next_event(b, p, &e))
            return false;
        type = e.type;
        at = e.start_mark;
        yaml_event_delete(&e);
        if (type == YAML_STREAM_END_EVENT)
            return true;
        if (type != YAML_DOCUMENT_END_EVENT) {
            fail(b, at, "a second document begins here; a file holds one.");
            return false;
        }
    }
}

struct yaml_node *yaml_tree_parse(struct arena *arena, const void *bytes, size_t len, struct yaml_place *place,
                                  struct err *err)
{
    struct builder b = {.arena = arena, .place = place, .err = err};
    struct yaml_node *root = NULL;
    yaml_parser_t parser;
    yaml_event_t e;

    place->line = place->column = 1;
    if (len > YAML_BYTES_MAX) {
        err_set(err, ERR_CONTRACT, "The document is larger than the %d bytes that are allowed; split it.",
                YAML_BYTES_MAX);
        return NULL;
    }
    if (!yaml_parser_initialize(&parser)) {
        err_set(err, ERR_BUG, "libyaml could not start a parser.");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, bytes, len);
    if (root_event(&b, &parser, &e)) {
        root = parse_node(&b, &parser, &e, 1);
        yaml_event_delete(&e);
        if (root && !nothing_follows(&b, &parser))
            root = NULL;
    }
    yaml_parser_delete(&parser);
    return root;
}

const struct yaml_node *yaml_resolve(const struct yaml_node *n)
{
    while (n && n->alias)
        n = n->alias;
    return n;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *m = yaml_resolve(mapping);

    if (!m || m->kind != YAML_MAPPING)
        return NULL;
    for (const struct yaml_node *n = m->first; n; n = n->next)
        if (!strcmp(n->key, key))
            return n;
    return NULL;
}

const char *yaml_text(const struct yaml_node *mapping, const char *key, const char *otherwise)
{
    const struct yaml_node *n = yaml_resolve(yaml_get(mapping, key));

    return n && n->kind == YAML_SCALAR ? n->text : otherwise;
}
