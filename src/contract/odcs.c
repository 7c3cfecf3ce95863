/* odcs: one ODCS document: version, servers, schema objects and properties. Source: odcs-json-schema-v3.1.0.json. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "contract/loader.h"

enum { NAME_MAX_BYTES = 512, PROPERTIES_MAX = 4096 };

static const char *const document_keys[] = {"version",
                                            "kind",
                                            "apiVersion",
                                            "id",
                                            "name",
                                            "tenant",
                                            "tags",
                                            "status",
                                            "servers",
                                            "dataProduct",
                                            "description",
                                            "domain",
                                            "schema",
                                            "support",
                                            "price",
                                            "team",
                                            "roles",
                                            "slaDefaultElement",
                                            "slaProperties",
                                            "authoritativeDefinitions",
                                            "customProperties",
                                            "contractCreatedTs",
                                            NULL};
static const char *const object_keys[] = {"id",
                                          "name",
                                          "physicalType",
                                          "description",
                                          "businessName",
                                          "authoritativeDefinitions",
                                          "tags",
                                          "customProperties",
                                          "logicalType",
                                          "physicalName",
                                          "dataGranularityDescription",
                                          "properties",
                                          "relationships",
                                          "quality",
                                          NULL};
static const char *const property_keys[] = {"id",
                                            "name",
                                            "physicalType",
                                            "description",
                                            "businessName",
                                            "authoritativeDefinitions",
                                            "tags",
                                            "customProperties",
                                            "primaryKey",
                                            "primaryKeyPosition",
                                            "logicalType",
                                            "logicalTypeOptions",
                                            "physicalName",
                                            "required",
                                            "unique",
                                            "partitioned",
                                            "partitionKeyPosition",
                                            "classification",
                                            "encryptedName",
                                            "transformSourceObjects",
                                            "transformLogic",
                                            "transformDescription",
                                            "examples",
                                            "criticalDataElement",
                                            "relationships",
                                            "quality",
                                            "properties",
                                            "items",
                                            NULL};
static const char *const logical_types[] = {"string",  "date",   "timestamp", "time",    "number",
                                            "integer", "object", "array",     "boolean", NULL};

static bool one_of(const char *text, const char *const words[])
{
    for (size_t i = 0; words[i]; i++)
        if (!strcmp(text, words[i]))
            return true;
    return false;
}

static bool expect(struct loader *l, const struct yaml_node *n, enum yaml_kind kind, const char *what)
{
    static const char *const words[] = {"a single value", "a list", "a mapping"};

    if (yaml_resolve(n)->kind == kind)
        return true;
    loader_find(l, true, n->line, n->column, "%s must be %s.", what, words[kind]);
    return false;
}

/* A text that is kept; "" when absent. */
static const char *text_of(struct loader *l, const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *n = yaml_get(mapping, key), *v = yaml_resolve(n);

    if (!n)
        return "";
    if (v->kind != YAML_SCALAR || strlen(v->text) > NAME_MAX_BYTES) {
        loader_find(l, true, n->line, n->column, "\"%s\" must be a single value of at most %d bytes.", key,
                    NAME_MAX_BYTES);
        return "";
    }
    return v->text;
}

static bool bool_of(struct loader *l, const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *n = yaml_get(mapping, key), *v = yaml_resolve(n);

    if (!n)
        return false;
    if (v->kind == YAML_SCALAR && !v->quoted && !strcmp(v->text, "true"))
        return true;
    if (v->kind != YAML_SCALAR || v->quoted || strcmp(v->text, "false") != 0)
        loader_find(l, true, n->line, n->column, "\"%s\" must be true or false.", key);
    return false;
}

static int position_of(struct loader *l, const struct yaml_node *mapping)
{
    const struct yaml_node *n = yaml_get(mapping, "primaryKeyPosition"), *v = yaml_resolve(n);
    char *end;
    long i;

    if (!n)
        return -1;
    i = v->kind == YAML_SCALAR && *v->text ? strtol(v->text, &end, 10) : 0;
    if (v->kind == YAML_SCALAR && *v->text && *end == 0 && ((i >= 1 && i <= PROPERTIES_MAX) || i == -1))
        return (int)i;
    loader_find(l, true, n->line, n->column, "\"primaryKeyPosition\" must be a number from 1 on.");
    return -1;
}

static void keep_references(struct loader *l, size_t entity, const char *property, bool required,
                            const struct yaml_node *owner)
{
    const struct yaml_node *list = yaml_get(owner, "relationships");

    if (!list || !expect(l, list, YAML_SEQUENCE, "\"relationships\""))
        return;
    for (const struct yaml_node *n = yaml_resolve(list)->first; n; n = n->next) {
        if (!expect(l, n, YAML_MAPPING, "a relationship"))
            continue;
        if (l->n_pending == l->pending_size) {
            l->pending_size = l->pending_size ? 2 * l->pending_size : 16;
            l->pending = xreallocarray(l->pending, l->pending_size, sizeof *l->pending);
        }
        l->pending[l->n_pending++] = (struct pending_reference){
            .entity = entity, .property = property, .property_required = required, .node = n};
    }
}

static size_t count_properties(const struct yaml_node *list)
{
    size_t n = 0;

    list = yaml_resolve(list);
    if (!list || list->kind != YAML_SEQUENCE)
        return 0;
    for (const struct yaml_node *p = list->first; p && n <= PROPERTIES_MAX; p = p->next)
        n += 1 + count_properties(yaml_get(p, "properties"));
    return n;
}

static char *joined(struct loader *l, const char *prefix, const char *name)
{
    char *text, *kept;

    if (!*prefix)
        return loader_text(l, name);
    text = xasprintf("%s.%s", prefix, name);
    kept = loader_text(l, text);
    free(text);
    return kept;
}

static void read_properties(struct loader *l, size_t entity, const struct yaml_node *list, const char *prefix,
                            const char *physical_prefix);

static void read_property(struct loader *l, size_t entity, const struct yaml_node *n, const char *prefix,
                          const char *physical_prefix)
{
    struct entity *e = &l->set->entities[entity];
    struct contract_property *p = &e->properties[e->n_properties];
    const char *name = text_of(l, n, "name"), *physical = text_of(l, n, "physicalName");

    loader_check_keys(l, n, property_keys, "a property");
    if (!*name) {
        loader_find(l, true, n->line, n->column, "a property needs a \"name\".");
        return;
    }
    p->id = text_of(l, n, "id");
    p->logical_name = joined(l, prefix, name);
    p->name = joined(l, physical_prefix, *physical ? physical : name);
    p->logical_type = text_of(l, n, "logicalType");
    p->physical_type = text_of(l, n, "physicalType");
    p->classification = text_of(l, n, "classification");
    p->required = bool_of(l, n, "required");
    p->unique = bool_of(l, n, "unique");
    p->primary_key = bool_of(l, n, "primaryKey");
    p->key_position = position_of(l, n);
    p->line = n->line;
    if (!p->logical_name || !p->name) {
        loader_find(l, true, n->line, n->column, "the contracts need more memory than is allowed.");
        return;
    }
    if (*p->logical_type && !one_of(p->logical_type, logical_types))
        loader_find(l, true, n->line, n->column, "\"%.64s\" is not a logicalType of ODCS 3.1.", p->logical_type);
    if (p->key_position > 0 && !p->primary_key)
        loader_find(l, true, n->line, n->column, "\"%.64s\" has a primaryKeyPosition, but not primaryKey: true.", name);
    if (p->primary_key && *prefix)
        loader_find(l, true, n->line, n->column, "\"%.64s\" is nested, so it cannot be part of a primary key.", name);
    for (size_t i = 0; i < e->n_properties; i++)
        if (!strcmp(e->properties[i].name, p->name) || !strcmp(e->properties[i].logical_name, p->logical_name))
            loader_find(l, true, n->line, n->column, "the property \"%.64s\" stands twice (first in line %d).",
                        p->logical_name, e->properties[i].line);
    e->n_properties++;
    keep_references(l, entity, p->logical_name, p->required, n);
    if (yaml_get(n, "properties"))
        read_properties(l, entity, yaml_get(n, "properties"), p->logical_name, p->name);
}

static void read_properties(struct loader *l, size_t entity, const struct yaml_node *list, const char *prefix,
                            const char *physical_prefix)
{
    if (!expect(l, list, YAML_SEQUENCE, "\"properties\""))
        return;
    for (const struct yaml_node *n = yaml_resolve(list)->first; n; n = n->next)
        if (expect(l, n, YAML_MAPPING, "a property"))
            read_property(l, entity, yaml_resolve(n), prefix, physical_prefix);
}

/* The key columns: by primaryKeyPosition, or in the order of the properties when none has one. */
static void read_key(struct loader *l, struct entity *e)
{
    size_t placed = 0;

    for (size_t i = 0; i < e->n_properties; i++) {
        e->n_key += e->properties[i].primary_key;
        placed += e->properties[i].primary_key && e->properties[i].key_position > 0;
    }
    if (e->n_key == 0) {
        loader_find(l, false, e->line, 1,
                    "%s has no primaryKey: rows are keyed by the record's key, and nothing can refer to it.", e->name);
        return;
    }
    e->key = arena_alloc(&l->set->arena, e->n_key * sizeof *e->key);
    if (!e->key || (placed && placed != e->n_key)) {
        loader_find(l, true, e->line, 1, "%s: give every property of the primary key a primaryKeyPosition, or none.",
                    e->name);
        return;
    }
    placed = placed ? 1 : 0;
    for (size_t i = 0, k = 0; i < e->n_properties; i++) {
        struct contract_property *p = &e->properties[i];
        size_t at;

        if (!p->primary_key)
            continue;
        if (!placed)
            p->key_position = (int)k + 1;
        k++;
        at = (size_t)p->key_position - 1;
        if (at >= e->n_key || e->key[at])
            loader_find(l, true, p->line, 1, "%s: the primaryKeyPositions must be 1 to %zu, each once.", e->name,
                        e->n_key);
        else
            e->key[at] = p->name;
    }
    for (size_t i = 0; i < e->n_properties; i++)
        if (e->properties[i].key_position < 0)
            e->properties[i].key_position = 0;
}

/* The database of the first server that names one. */
static const char *server_database(const struct yaml_node *root)
{
    const struct yaml_node *list = yaml_resolve(yaml_get(root, "servers"));

    if (!list || list->kind != YAML_SEQUENCE)
        return "";
    for (const struct yaml_node *n = list->first; n; n = n->next) {
        const char *type = yaml_text(n, "type", "");

        if (!strcmp(type, "mysql") || !strcmp(type, "mariadb") || !strcmp(type, "custom")) {
            const char *database = yaml_text(n, "database", "");
            if (*database)
                return database;
        }
    }
    return "";
}

static void name_table(struct loader *l, struct entity *e, const struct yaml_node *n, const char *database)
{
    const char *physical = text_of(l, n, "physicalName"), *dot;

    if (!*physical)
        physical = e->name;
    dot = strchr(physical, '.');
    e->database = dot ? arena_strndup(&l->set->arena, physical, (size_t)(dot - physical)) : database;
    e->table = dot ? dot + 1 : physical;
    if (!e->database)
        e->database = "";
    if (!*e->table || strchr(e->table, '.'))
        loader_find(l, true, n->line, n->column, "the physicalName \"%.64s\" must be a table or database.table.",
                    physical);
}

static void read_object(struct loader *l, const struct yaml_node *n, const char *database)
{
    struct contract_set *s = l->set;
    const char *name = text_of(l, n, "name");
    size_t count = count_properties(yaml_get(n, "properties"));
    struct entity *e;

    loader_check_keys(l, n, object_keys, "a schema object");
    if (!*name || *name == '_' || strpbrk(name, "|$#/.\n")) {
        loader_find(l, true, n->line, n->column,
                    "a schema object needs a \"name\" that does not begin with _ and has none of | $ # / . in it.");
        return;
    }
    for (size_t i = 0; i < s->n_entities; i++)
        if (!strcmp(s->entities[i].name, name))
            loader_find(l, true, n->line, n->column, "the schema object \"%.64s\" is also in %s, line %d.", name,
                        s->entities[i].file, s->entities[i].line);
    if (count > PROPERTIES_MAX || s->n_entities == CONTRACT_ENTITIES_MAX) {
        loader_find(l, true, n->line, n->column,
                    "there are more schema objects or properties than are allowed (%d, %d).", CONTRACT_ENTITIES_MAX,
                    PROPERTIES_MAX);
        return;
    }
    if (s->n_entities == l->entities_size) {
        l->entities_size = l->entities_size ? 2 * l->entities_size : 16;
        s->entities = xreallocarray(s->entities, l->entities_size, sizeof *s->entities);
    }
    e = &s->entities[s->n_entities];
    *e = (struct entity){.name = name, .id = text_of(l, n, "id"), .file = l->file, .line = n->line};
    e->properties = arena_alloc(&s->arena, (count + 1) * sizeof *e->properties);
    e->relationships = arena_alloc(&s->arena, CONTRACT_REFERENCES_MAX * sizeof *e->relationships);
    if (!e->properties || !e->relationships) {
        loader_find(l, true, n->line, n->column, "the contracts need more memory than is allowed.");
        return;
    }
    s->n_entities++;
    name_table(l, e, n, database);
    if (yaml_get(n, "properties"))
        read_properties(l, s->n_entities - 1, yaml_get(n, "properties"), "", "");
    read_key(l, e);
    keep_references(l, s->n_entities - 1, NULL, false, n);
}

static void check_version(struct loader *l, const struct yaml_node *root)
{
    const struct yaml_node *n = yaml_get(root, "apiVersion");
    const char *version = yaml_text(root, "apiVersion", ""), *kind = yaml_text(root, "kind", "");

    if (strncmp(version, "v3.0.", 5) != 0 && strncmp(version, "v3.1.", 5) != 0)
        loader_find(l, true, n ? n->line : root->line, n ? n->column : root->column,
                    "apiVersion must be v3.0.x or v3.1.x of the Open Data Contract Standard, not \"%.32s\".", version);
    if (strcmp(kind, "DataContract") != 0)
        loader_find(l, true, root->line, root->column, "\"kind\" must be DataContract.");
    for (size_t i = 0; i < 3; i++) {
        static const char *const needed[] = {"id", "version", "status"};
        if (!yaml_get(root, needed[i]))
            loader_find(l, true, root->line, root->column, "a data contract needs \"%s\".", needed[i]);
    }
}

void odcs_read(struct loader *l, const struct yaml_node *root)
{
    const struct yaml_node *schema;
    const char *database;

    if (!expect(l, root, YAML_MAPPING, "a data contract"))
        return;
    loader_check_keys(l, root, document_keys, "a data contract");
    check_version(l, root);
    schema = yaml_get(root, "schema");
    if (!schema) {
        loader_find(l, true, root->line, root->column,
                    "a data contract needs \"schema\" here, for it says what is replicated.");
        return;
    }
    if (!expect(l, schema, YAML_SEQUENCE, "\"schema\""))
        return;
    database = server_database(root);
    for (const struct yaml_node *n = yaml_resolve(schema)->first; n; n = n->next)
        if (expect(l, n, YAML_MAPPING, "a schema object"))
            read_object(l, yaml_resolve(n), database);
}
