#include "avro/schema_tree.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

struct schema_tree {
    struct arena arena;
    struct node *root;
    struct node **named;
    size_t n_named;
    size_t n_nodes;
};

struct parse {
    struct schema_tree *tree;
    struct err *err;
    int depth;
};

static const struct {
    const char *name;
    enum node_type type;
} primitives[] = {
    {"null", NODE_NULL},   {"boolean", NODE_BOOLEAN}, {"int", NODE_INT},     {"long", NODE_LONG},
    {"float", NODE_FLOAT}, {"double", NODE_DOUBLE},   {"bytes", NODE_BYTES}, {"string", NODE_STRING},
};

/* Names of logicalType and connect.name and the type that they must hang on to be believed. A name on another type, or
 * an unknown one, is ignored, as the specification wants. */
static const struct {
    const char *name;
    enum node_type type;
    enum node_meaning meaning;
} meanings[] = {
    {"date", NODE_INT, MEANS_DATE},
    {"time-millis", NODE_INT, MEANS_TIME_MILLIS},
    {"time-micros", NODE_LONG, MEANS_TIME_MICROS},
    {"timestamp-millis", NODE_LONG, MEANS_INSTANT_MILLIS},
    {"timestamp-micros", NODE_LONG, MEANS_INSTANT_MICROS},
    {"timestamp-nanos", NODE_LONG, MEANS_INSTANT_NANOS},
    {"local-timestamp-millis", NODE_LONG, MEANS_LOCAL_MILLIS},
    {"local-timestamp-micros", NODE_LONG, MEANS_LOCAL_MICROS},
    {"local-timestamp-nanos", NODE_LONG, MEANS_LOCAL_NANOS},
    {"io.debezium.time.Date", NODE_INT, MEANS_DATE},
    {"io.debezium.time.Time", NODE_INT, MEANS_TIME_MILLIS},
    {"io.debezium.time.MicroTime", NODE_LONG, MEANS_TIME_MICROS},
    {"io.debezium.time.NanoTime", NODE_LONG, MEANS_TIME_NANOS},
    {"io.debezium.time.Timestamp", NODE_LONG, MEANS_LOCAL_MILLIS},
    {"io.debezium.time.MicroTimestamp", NODE_LONG, MEANS_LOCAL_MICROS},
    {"io.debezium.time.NanoTimestamp", NODE_LONG, MEANS_LOCAL_NANOS},
    {"io.debezium.time.ZonedTimestamp", NODE_STRING, MEANS_ZONED_TEXT},
    {"io.debezium.data.Json", NODE_STRING, MEANS_JSON},
    {"io.debezium.data.VariableScaleDecimal", NODE_RECORD, MEANS_VARIABLE_DECIMAL},
    {"org.apache.kafka.connect.data.Date", NODE_INT, MEANS_DATE},
    {"org.apache.kafka.connect.data.Time", NODE_INT, MEANS_TIME_MILLIS},
    {"org.apache.kafka.connect.data.Timestamp", NODE_LONG, MEANS_INSTANT_MILLIS},
};

static int bad(struct parse *p, const char *what)
{
    return err_set(p->err, ERR_SCHEMA, "the Avro schema cannot be read: %s.", what);
}

static int limit(struct parse *p, const char *what)
{
    return err_set(p->err, ERR_LIMIT, "the Avro schema has more %s than Pillion takes.", what);
}

static struct node *node_new(struct parse *p, enum node_type type, size_t n)
{
    struct schema_tree *t = p->tree;
    struct node *node;

    if (++t->n_nodes > SCHEMA_TREE_NODES_MAX) {
        limit(p, "types");
        return NULL;
    }
    if (n > SCHEMA_TREE_FIELDS_MAX) {
        limit(p, "fields, branches or symbols in one type");
        return NULL;
    }
    node = arena_alloc(&t->arena, sizeof *node);
    if (node) {
        node->type = type;
        node->n = n;
        node->of = n ? arena_alloc(&t->arena, n * sizeof(struct node *)) : NULL;
        node->names = n ? arena_alloc(&t->arena, n * sizeof(char *)) : NULL;
    }
    if (!node || (n && (!node->of || !node->names))) {
        limit(p, "bytes");
        return NULL;
    }
    return node;
}

static const char *keep_name(struct parse *p, const char *name)
{
    size_t len = strlen(name);
    char *copy;

    if (len == 0 || len > SCHEMA_TREE_NAME_MAX) {
        bad(p, "a name is empty or too long");
        return NULL;
    }
    copy = arena_strndup(&p->tree->arena, name, len);
    if (!copy)
        limit(p, "bytes");
    return copy;
}

static struct node *parse_type(struct parse *p, const json_t *json, const char *namespace);

static struct node *find_named(const struct schema_tree *t, const char *full)
{
    for (size_t i = 0; i < t->n_named; i++)
        if (strcmp(t->named[i]->full_name, full) == 0)
            return t->named[i];
    return NULL;
}

static struct node *parse_name(struct parse *p, const char *name, const char *namespace)
{
    struct node *node = NULL;

    for (size_t i = 0; i < sizeof primitives / sizeof primitives[0]; i++)
        if (strcmp(primitives[i].name, name) == 0)
            return node_new(p, primitives[i].type, 0);
    if (strlen(name) > SCHEMA_TREE_NAME_MAX) {
        bad(p, "a name is too long");
        return NULL;
    }
    if (!strchr(name, '.') && *namespace) {
        char *full = xasprintf("%s.%s", namespace, name);

        node = find_named(p->tree, full);
        free(full);
    }
    if (!node)
        node = find_named(p->tree, name);
    if (!node)
        err_set(p->err, ERR_SCHEMA, "the Avro schema cannot be read: it uses the type \"%.200s\" before naming it.",
                name);
    return node;
}

static struct node *parse_union(struct parse *p, const json_t *json, const char *namespace)
{
    size_t n = json_array_size(json);
    struct node *node;

    if (n == 0) {
        bad(p, "a union is empty");
        return NULL;
    }
    node = node_new(p, NODE_UNION, n);
    for (size_t i = 0; node && i < n; i++) {
        node->of[i] = parse_type(p, json_array_get(json, i), namespace);
        if (!node->of[i])
            return NULL;
        if (node->of[i]->type == NODE_UNION) {
            bad(p, "a union holds a union");
            return NULL;
        }
    }
    return node;
}

static void set_meaning(struct node *node, const char *name)
{
    if (!name || node->meaning != MEANS_ITSELF)
        return;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].type == node->type && strcmp(meanings[i].name, name) == 0) {
            node->meaning = meanings[i].meaning;
            return;
        }
    }
}

static int set_decimal(struct parse *p, struct node *node, const json_t *json)
{
    const char *logical = json_string_value(json_object_get(json, "logicalType"));
    const char *connect = json_string_value(json_object_get(json, "connect.name"));
    const json_t *scale = json_object_get(json, "scale");
    json_int_t value = 0;

    if (node->type != NODE_BYTES && node->type != NODE_FIXED)
        return 0;
    if (!(logical && strcmp(logical, "decimal") == 0) &&
        !(connect && strcmp(connect, "org.apache.kafka.connect.data.Decimal") == 0))
        return 0;
    if (!scale) { /* Connect's own form, when the converter gave no logical type */
        const char *text = json_string_value(json_object_get(json_object_get(json, "connect.parameters"), "scale"));

        if (text)
            value = strtol(text, NULL, 10);
    } else if (json_is_integer(scale)) {
        value = json_integer_value(scale);
    } else {
        return bad(p, "the scale of a decimal is no number");
    }
    if (value < -SCHEMA_TREE_SCALE_MAX || value > SCHEMA_TREE_SCALE_MAX)
        return bad(p, "the scale of a decimal is out of range");
    node->meaning = MEANS_DECIMAL;
    node->scale = (int)value;
    return 0;
}

/* Gives a named type its full name; *inner is the namespace for what is inside. Freed by the caller. */
static int name_type(struct parse *p, struct node *node, const json_t *json, const char *namespace, char **inner)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *own = json_string_value(json_object_get(json, "namespace"));
    const char *dot = name ? strrchr(name, '.') : NULL;
    char *full;

    if (!name)
        return bad(p, "a record, enum or fixed has no name");
    if (strlen(name) > SCHEMA_TREE_NAME_MAX || (own && strlen(own) > SCHEMA_TREE_NAME_MAX))
        return bad(p, "a name is too long");
    if (dot)
        *inner = xstrndup(name, (size_t)(dot - name));
    else
        *inner = xstrdup(own ? own : namespace);
    full = dot || !**inner ? xstrdup(name) : xasprintf("%s.%s", *inner, name);
    if (find_named(p->tree, full)) {
        err_set(p->err, ERR_SCHEMA, "the Avro schema cannot be read: it names the type \"%.200s\" twice.", full);
        free(full);
        return -1;
    }
    node->full_name = arena_strndup(&p->tree->arena, full, strlen(full));
    free(full);
    if (!node->full_name || p->tree->n_named >= SCHEMA_TREE_NAMED_MAX)
        return limit(p, "names");
    p->tree->named[p->tree->n_named++] = node;
    return 0;
}

static struct node *parse_record(struct parse *p, const json_t *json, const char *namespace)
{
    const json_t *fields = json_object_get(json, "fields");
    struct node *node;
    char *inner = NULL;

    if (!json_is_array(fields)) {
        bad(p, "a record has no list of fields");
        return NULL;
    }
    node = node_new(p, NODE_RECORD, json_array_size(fields));
    if (!node || name_type(p, node, json, namespace, &inner) < 0)
        goto failed;
    for (size_t i = 0; i < node->n; i++) {
        const json_t *field = json_array_get(fields, i);
        const char *name = json_string_value(json_object_get(field, "name"));

        if (!name) {
            bad(p, "a field has no name");
            goto failed;
        }
        node->names[i] = keep_name(p, name);
        if (!node->names[i])
            goto failed;
        node->of[i] = parse_type(p, json_object_get(field, "type"), inner);
        if (!node->of[i]) {
            err_prefix(p->err, "field %.200s", name);
            goto failed;
        }
    }
    free(inner);
    return node;
failed:
    free(inner);
    return NULL;
}

static struct node *parse_enum(struct parse *p, const json_t *json, const char *namespace)
{
    const json_t *symbols = json_object_get(json, "symbols");
    struct node *node;
    char *inner = NULL;

    if (!json_is_array(symbols) || json_array_size(symbols) == 0) {
        bad(p, "an enum has no symbols");
        return NULL;
    }
    node = node_new(p, NODE_ENUM, json_array_size(symbols));
    if (!node || name_type(p, node, json, namespace, &inner) < 0)
        goto failed;
    for (size_t i = 0; i < node->n; i++) {
        const char *symbol = json_string_value(json_array_get(symbols, i));

        node->names[i] = symbol ? keep_name(p, symbol) : NULL;
        if (!node->names[i]) {
            if (!symbol)
                bad(p, "a symbol of an enum is no text");
            goto failed;
        }
    }
    free(inner);
    return node;
failed:
    free(inner);
    return NULL;
}

static struct node *parse_fixed(struct parse *p, const json_t *json, const char *namespace)
{
    json_int_t size = json_integer_value(json_object_get(json, "size"));
    struct node *node = node_new(p, NODE_FIXED, 0);
    char *inner = NULL;
    int rc;

    if (!node)
        return NULL;
    if (size < 0 || size > (1 << 30)) {
        bad(p, "the size of a fixed is out of range");
        return NULL;
    }
    node->size = (size_t)size;
    rc = name_type(p, node, json, namespace, &inner);
    free(inner);
    return rc < 0 ? NULL : node;
}

static struct node *parse_object(struct parse *p, const json_t *json, const char *namespace)
{
    const json_t *type = json_object_get(json, "type");
    const char *name = json_string_value(type);
    struct node *node;

    if (json_is_object(type) || json_is_array(type))
        return parse_type(p, type, namespace);
    if (!name) {
        bad(p, "a type has no \"type\"");
        return NULL;
    }
    if (strcmp(name, "record") == 0 || strcmp(name, "error") == 0) {
        node = parse_record(p, json, namespace);
    } else if (strcmp(name, "enum") == 0) {
        node = parse_enum(p, json, namespace);
    } else if (strcmp(name, "fixed") == 0) {
        node = parse_fixed(p, json, namespace);
    } else if (strcmp(name, "array") == 0 || strcmp(name, "map") == 0) {
        bool array = *name == 'a';

        node = node_new(p, array ? NODE_ARRAY : NODE_MAP, 1);
        if (node)
            node->of[0] = parse_type(p, json_object_get(json, array ? "items" : "values"), namespace);
        if (node && !node->of[0])
            node = NULL;
    } else {
        node = parse_name(p, name, namespace);
        if (node && node->full_name) /* a reference: its meaning was given with its definition */
            return node;
    }
    if (!node || set_decimal(p, node, json) < 0)
        return NULL;
    set_meaning(node, json_string_value(json_object_get(json, "logicalType")));
    set_meaning(node, json_string_value(json_object_get(json, "connect.name")));
    return node;
}

static struct node *parse_type(struct parse *p, const json_t *json, const char *namespace)
{
    struct node *node = NULL;

    if (++p->depth > AVRO_DEPTH_MAX)
        limit(p, "levels");
    else if (json_is_string(json))
        node = parse_name(p, json_string_value(json), namespace);
    else if (json_is_array(json))
        node = parse_union(p, json, namespace);
    else if (json_is_object(json))
        node = parse_object(p, json, namespace);
    else
        bad(p, "a type is neither name, list nor object");
    p->depth--;
    return node;
}

struct schema_tree *schema_tree_new(const char *text, size_t len, struct err *err)
{
    struct schema_tree *t;
    struct parse p;
    json_error_t why;
    json_t *json;

    if (len > SCHEMA_TREE_TEXT_MAX) {
        err_set(err, ERR_LIMIT, "the Avro schema is longer than %d bytes.", (int)SCHEMA_TREE_TEXT_MAX);
        return NULL;
    }
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!json) {
        err_set(err, ERR_SCHEMA, "the Avro schema is no JSON: %s at byte %d.", why.text, why.position);
        return NULL;
    }
    t = xcalloc(1, sizeof *t);
    arena_init(&t->arena, 64 << 20);
    t->named = xcalloc(SCHEMA_TREE_NAMED_MAX, sizeof *t->named);
    p = (struct parse){.tree = t, .err = err};
    t->root = parse_type(&p, json, "");
    json_decref(json);
    if (!t->root) {
        schema_tree_free(t);
        return NULL;
    }
    return t;
}

void schema_tree_free(struct schema_tree *t)
{
    if (!t)
        return;
    arena_release(&t->arena);
    free(t->named);
    free(t);
}

struct node *schema_tree_root(const struct schema_tree *t)
{
    return t->root;
}
