/* reference: relationships, from text to entities and columns. Source: ODCS v3.1 docs/references.md; the
 * customProperties known, onParentDelete and required are Pillion's (contracts/README.md). */
#include <string.h>

#include "base/buf.h"

#include "contract/loader.h"

enum { COLUMNS_MAX = 16 };

static const char *const relationship_keys[] = {"type", "from", "to", "description", "customProperties", NULL};
static const char *const custom_keys[] = {"id", "property", "value", "description", NULL};

/* One side of a relationship: the same entity for all columns. */
struct side {
    size_t entity;
    size_t columns[COLUMNS_MAX]; /* properties */
    size_t n;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool same_file(const char *file, const char *named, size_t named_len)
{
    const char *slash = memrchr(named, '/', named_len), *base = base_name(file);
    size_t skip = slash ? (size_t)(slash + 1 - named) : 0;

    return strlen(base) == named_len - skip && !memcmp(base, named + skip, named_len - skip);
}

static bool same(const char *text, const char *word, size_t len)
{
    return strlen(text) == len && !memcmp(text, word, len);
}

/* The entity by id or name in the file (NULL: the referring file first, then any). */
static int find_entity(const struct loader *l, const char *file, size_t file_len, const char *own_file,
                       const char *word, size_t len, bool by_id)
{
    const struct contract_set *s = l->set;
    int elsewhere = -1;

    for (size_t i = 0; i < s->n_entities; i++) {
        const struct entity *e = &s->entities[i];

        if (!same(by_id && *e->id ? e->id : e->name, word, len))
            continue;
        if (file ? same_file(e->file, file, file_len) : !strcmp(e->file, own_file))
            return (int)i;
        if (!file)
            elsewhere = (int)i;
    }
    return elsewhere;
}

static int find_by_name(const struct entity *e, const char *name)
{
    for (size_t i = 0; i < e->n_properties; i++)
        if (!strcmp(e->properties[i].logical_name, name))
            return (int)i;
    return -1;
}

static size_t prefix_length(const char *logical_name)
{
    const char *dot = strrchr(logical_name, '.');

    return dot ? (size_t)(dot - logical_name) : 0;
}

/* properties/<id>[/properties/<id>...] below the entity. */
static int find_by_path(const struct entity *e, const char *path)
{
    int at = -1;

    for (;;) {
        const char *end;
        size_t len;
        int next = -1;

        if (strncmp(path, "/properties/", 12) != 0)
            return -1;
        path += 12;
        end = strchr(path, '/');
        len = end ? (size_t)(end - path) : strlen(path);
        for (size_t i = 0; i < e->n_properties && next < 0; i++) {
            const struct contract_property *p = &e->properties[i];
            size_t prefix = prefix_length(p->logical_name);
            const char *own = prefix ? p->logical_name + prefix + 1 : p->logical_name;
            bool nested = at >= 0 ? same(e->properties[at].logical_name, p->logical_name, prefix) : prefix == 0;

            if (nested && same(*p->id ? p->id : own, path, len))
                next = (int)i;
        }
        if (next < 0 || !end)
            return next;
        at = next;
        path = end;
    }
}

/* One reference's text to an entity and a property; a finding and false when there is none. */
static bool resolve(struct loader *l, const struct entity *owner, const struct yaml_node *n, size_t *entity,
                    size_t *property)
{
    const char *text = yaml_resolve(n)->text, *file = NULL, *path = text, *hash = strchr(text, '#'), *end;
    size_t file_len = 0;
    int e, p;
    bool by_id;

    if (hash) {
        if (!strncmp(text, "http://", 7) || !strncmp(text, "https://", 8)) {
            loader_find(l, true, n->line, n->column,
                        "contracts are not fetched from addresses; put the file beside this one and write its name.");
            return false;
        }
        file = text;
        file_len = (size_t)(hash - text);
        path = hash + 1;
    }
    if (*path == '/')
        path++;
    by_id = !strncmp(path, "schema/", 7);
    if (by_id)
        path += 7;
    end = strchr(path, by_id ? '/' : '.');
    if (!end || end == path || !end[1]) {
        loader_find(l, true, n->line, n->column,
                    "\"%.128s\" is no reference to a property; write table.column or schema/<id>/properties/<id>.",
                    text);
        return false;
    }
    e = find_entity(l, file, file_len, owner->file, path, (size_t)(end - path), by_id);
    if (e < 0) {
        loader_find(l, true, n->line, n->column,
                    "\"%.128s\" refers to a schema object that is in none of the contracts%s.", text,
                    file ? " of that file name" : "");
        return false;
    }
    p = by_id ? find_by_path(&l->set->entities[e], end) : find_by_name(&l->set->entities[e], end + 1);
    if (p < 0) {
        loader_find(l, true, n->line, n->column, "\"%.128s\" refers to a property that %s does not have.", text,
                    l->set->entities[e].name);
        return false;
    }
    *entity = (size_t)e;
    *property = (size_t)p;
    return true;
}

static bool read_side(struct loader *l, const struct entity *owner, const struct yaml_node *n, struct side *side)
{
    const struct yaml_node *v = yaml_resolve(n), *item = v->kind == YAML_SEQUENCE ? v->first : n;

    side->n = 0;
    for (; item; item = v->kind == YAML_SEQUENCE ? item->next : NULL) {
        size_t entity, property;

        if (yaml_resolve(item)->kind != YAML_SCALAR || side->n == COLUMNS_MAX) {
            loader_find(l, true, item->line, item->column, "a reference must be a text, or a list of at most %d texts.",
                        COLUMNS_MAX);
            return false;
        }
        if (!resolve(l, owner, item, &entity, &property))
            return false;
        if (side->n && entity != side->entity) {
            loader_find(l, true, item->line, item->column, "a composite reference must stay within one schema object.");
            return false;
        }
        side->entity = entity;
        side->columns[side->n++] = property;
    }
    if (side->n == 0)
        loader_find(l, true, n->line, n->column, "an empty list of references refers to nothing.");
    return side->n > 0;
}

/* The words of a customProperties value, or -1 with a finding. */
static int choose(struct loader *l, const struct yaml_node *n, const char *property, const char *const words[])
{
    const struct yaml_node *v = yaml_resolve(n);

    for (int i = 0; v->kind == YAML_SCALAR && words[i]; i++)
        if (!strcmp(v->text, words[i]))
            return i;
    loader_find(l, true, n->line, n->column, "\"%s\" must be %s, %s%s%s.", property, words[0], words[1],
                words[2] ? " or " : "", words[2] ? words[2] : "");
    return -1;
}

static void read_custom(struct loader *l, const struct yaml_node *item, struct relationship *r)
{
    static const char *const known[] = {"ever", "current", NULL};
    static const char *const on_delete[] = {"keep", "cascade", "hold", NULL};
    static const char *const yes_no[] = {"false", "true", NULL};
    const char *property = yaml_text(item, "property", "");
    const struct yaml_node *value = yaml_get(item, "value");
    int i;

    loader_check_keys(l, item, custom_keys, "a custom property");
    if (!*property || !value) {
        loader_find(l, true, item->line, item->column, "a custom property needs \"property\" and \"value\".");
        return;
    }
    if (!strcmp(property, "known") && (i = choose(l, value, property, known)) >= 0)
        r->known = i ? KNOWN_CURRENT : KNOWN_EVER;
    if (!strcmp(property, "onParentDelete") && (i = choose(l, value, property, on_delete)) >= 0)
        r->on_parent_delete = (enum parent_delete)i;
    if (!strcmp(property, "required") && (i = choose(l, value, property, yes_no)) >= 0)
        r->required = i == 1;
}

static void read_settings(struct loader *l, const struct yaml_node *n, struct relationship *r)
{
    const struct yaml_node *list = yaml_get(n, "customProperties");

    if (!list)
        return;
    if (yaml_resolve(list)->kind != YAML_SEQUENCE) {
        loader_find(l, true, list->line, list->column, "\"customProperties\" must be a list.");
        return;
    }
    for (const struct yaml_node *item = yaml_resolve(list)->first; item; item = item->next) {
        if (yaml_resolve(item)->kind == YAML_MAPPING)
            read_custom(l, item, r);
        else
            loader_find(l, true, item->line, item->column, "a custom property must be a mapping.");
    }
    if (r->known == KNOWN_CURRENT && r->on_parent_delete == PARENT_DELETE_KEEP)
        loader_find(
            l, false, n->line, n->column,
            "known: current with onParentDelete: keep leaves it to the order of arrival whether a child of a deleted "
            "parent is visible; cascade or hold decide it.");
}

/* The columns in the order of the parent's key, which must be covered exactly. */
static bool fit_to_key(struct loader *l, const struct yaml_node *n, const struct side *from, const struct side *to,
                       struct relationship *r)
{
    const struct entity *child = &l->set->entities[from->entity], *parent = &l->set->entities[to->entity];
    const char **columns = arena_alloc(&l->set->arena, 2 * to->n * sizeof *columns);

    if (!columns || to->n != parent->n_key) {
        loader_find(l, true, n->line, n->column,
                    "a reference must be to the whole primary key of %s (%zu columns, not %zu).", parent->name,
                    parent->n_key, to->n);
        return false;
    }
    for (size_t i = 0; i < to->n; i++) {
        const struct contract_property *target = &parent->properties[to->columns[i]];
        const struct contract_property *source = &child->properties[from->columns[i]];
        size_t at = (size_t)target->key_position - 1;

        if (!target->primary_key || at >= to->n || columns[at]) {
            loader_find(l, true, n->line, n->column, "\"%s\" is not in the primary key of %s, or is named twice.",
                        target->logical_name, parent->name);
            return false;
        }
        if (*target->logical_type && *source->logical_type && strcmp(target->logical_type, source->logical_type) != 0)
            loader_find(l, true, n->line, n->column, "%s.%s is %s, but %s.%s is %s: such keys never match.",
                        child->name, source->logical_name, source->logical_type, parent->name, target->logical_name,
                        target->logical_type);
        columns[at] = source->name;
    }
    r->child_columns = columns;
    r->parent_columns = parent->key;
    r->n_columns = to->n;
    return true;
}

static char *describe(struct loader *l, const struct entity *child, const struct entity *parent,
                      const struct relationship *r)
{
    struct buf b;
    char *text;

    buf_init(&b, 16384);
    for (size_t i = 0; i < r->n_columns; i++)
        buf_putf(&b, "%s%s.%s", i ? "+" : "", child->name, r->child_columns[i]);
    for (size_t i = 0; i < r->n_columns; i++)
        buf_putf(&b, "%s%s.%s", i ? "+" : " -> ", parent->name, r->parent_columns[i]);
    text = loader_text(l, buf_cstr(&b));
    buf_release(&b);
    return text;
}

static bool own_side(struct loader *l, const struct pending_reference *p, const struct yaml_node *n, struct side *side)
{
    const struct entity *owner = &l->set->entities[p->entity];
    const struct yaml_node *from = yaml_get(n, "from");

    if (p->property) {
        if (from) {
            loader_find(l, true, from->key_line, from->key_column,
                        "\"from\" is not allowed at a property: it is the property.");
            return false;
        }
        *side = (struct side){.entity = p->entity, .n = 1};
        side->columns[0] = (size_t)find_by_name(owner, p->property);
        return true;
    }
    if (!from) {
        loader_find(l, true, n->line, n->column, "a relationship of a schema object needs \"from\".");
        return false;
    }
    if (!read_side(l, owner, from, side))
        return false;
    if (side->entity != p->entity) {
        loader_find(l, true, from->line, from->column, "\"from\" must be of %s, where the relationship stands.",
                    owner->name);
        return false;
    }
    return true;
}

static void resolve_one(struct loader *l, const struct pending_reference *p)
{
    struct entity *owner = &l->set->entities[p->entity];
    const struct yaml_node *n = yaml_resolve(p->node), *to = yaml_get(n, "to");
    struct relationship r = {.line = p->node->line};
    struct side from, target;

    loader_check_keys(l, n, relationship_keys, "a relationship");
    if (strcmp(yaml_text(n, "type", "foreignKey"), "foreignKey") != 0)
        loader_find(l, true, n->line, n->column, "the type of a relationship must be foreignKey.");
    if (!to) {
        loader_find(l, true, n->line, n->column, "a relationship needs \"to\".");
        return;
    }
    if (!own_side(l, p, n, &from) || !read_side(l, owner, to, &target))
        return;
    if (from.n != target.n) {
        loader_find(l, true, to->line, to->column, "\"from\" has %zu columns, but \"to\" has %zu.", from.n, target.n);
        return;
    }
    r.parent = target.entity;
    r.required = p->property ? p->property_required : true;
    for (size_t i = 0; !p->property && i < from.n; i++)
        r.required = r.required && owner->properties[from.columns[i]].required;
    read_settings(l, n, &r);
    if (!fit_to_key(l, to, &from, &target, &r))
        return;
    if (owner->n_relationships == CONTRACT_REFERENCES_MAX) {
        loader_find(l, true, n->line, n->column, "%s has more than %d relationships.", owner->name,
                    CONTRACT_REFERENCES_MAX);
        return;
    }
    r.name = describe(l, owner, &l->set->entities[r.parent], &r);
    if (!r.name)
        r.name = "";
    for (size_t i = 0; i < owner->n_relationships; i++)
        if (!strcmp(owner->relationships[i].name, r.name)) {
            loader_find(l, true, n->line, n->column, "the relationship %s stands twice (first in line %d).", r.name,
                        owner->relationships[i].line);
            return;
        }
    owner->relationships[owner->n_relationships++] = r;
}

void reference_resolve(struct loader *l)
{
    for (size_t i = 0; i < l->n_pending; i++) {
        l->file = l->set->entities[l->pending[i].entity].file;
        resolve_one(l, &l->pending[i]);
    }
}
