#include "merge/reader_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct reader_cache {
    struct registry *registry;
    const struct contract_set *contracts;
    struct value_reader **values;
    size_t n_values;
    struct record_key_reader **keys;
    size_t n_keys;
};

struct reader_cache *reader_cache_new(struct registry *registry, const struct contract_set *contracts)
{
    struct reader_cache *c = xcalloc(1, sizeof *c);

    c->registry = registry;
    c->contracts = contracts;
    return c;
}

static void value_free(struct reader_cache *c, struct value_reader *v)
{
    const struct entity *e = &c->contracts->entities[v->entity];

    envelope_reader_free(v->envelope);
    for (size_t i = 0; v->refs && i < e->n_relationships; i++)
        free(v->refs[i]);
    free(v->refs);
    free(v->fields);
    free(v->is_key);
    free(v->key);
    free(v);
}

static void key_free(struct record_key_reader *k)
{
    key_reader_free(k->reader);
    free(k->fields);
    free(k->key);
    free(k);
}

void reader_cache_free(struct reader_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_values; i++)
        value_free(c, c->values[i]);
    for (size_t i = 0; i < c->n_keys; i++)
        key_free(c->keys[i]);
    free(c->values);
    free(c->keys);
    free(c);
}

static int *columns(const struct envelope_reader *r, const char *const names[], size_t n)
{
    int *at = xcalloc(n + 1, sizeof *at);

    for (size_t i = 0; i < n; i++) {
        at[i] = envelope_find_field(r, names[i]);
        if (at[i] < 0)
            at[i] = NO_COLUMN;
    }
    return at;
}

static struct value_reader *make_value(struct reader_cache *c, uint32_t id, size_t entity, const char *schema,
                                       struct err *err)
{
    const struct entity *e = &c->contracts->entities[entity];
    struct envelope_reader *envelope = envelope_reader_new(schema, strlen(schema), err);
    struct value_reader *v;
    size_t n;

    if (!envelope)
        return NULL;
    n = envelope_n_fields(envelope);
    v = xcalloc(1, sizeof *v);
    *v = (struct value_reader){.id = id, .entity = entity, .envelope = envelope};
    v->fields = xcalloc(n + 1, sizeof *v->fields);
    v->is_key = xcalloc(n + 1, sizeof *v->is_key);
    v->key = columns(envelope, e->key, e->n_key);
    for (size_t i = 0; i < e->n_key; i++)
        if (v->key[i] != NO_COLUMN)
            v->is_key[v->key[i]] = true;
    v->refs = xcalloc(e->n_relationships + 1, sizeof *v->refs);
    for (size_t i = 0; i < e->n_relationships; i++)
        v->refs[i] = columns(envelope, e->relationships[i].child_columns, e->relationships[i].n_columns);
    return v;
}

int reader_cache_value(struct reader_cache *c, uint32_t id, size_t entity, struct value_reader **out, struct err *err)
{
    const char *schema;

    for (size_t i = c->n_values; i-- > 0;)
        if (c->values[i]->id == id && c->values[i]->entity == entity) {
            *out = c->values[i];
            return 0;
        }
    if (c->n_values == READERS_MAX)
        return err_set(err, ERR_LIMIT, "More than %d schemas are in use.", READERS_MAX);
    if (registry_schema(c->registry, id, &schema, err))
        return -1;
    *out = make_value(c, id, entity, schema, err);
    if (!*out)
        return err_prefix(err, "schema %u", id);
    c->values = xreallocarray(c->values, c->n_values + 1, sizeof *c->values);
    c->values[c->n_values++] = *out;
    return 0;
}

static struct record_key_reader *make_key(struct reader_cache *c, uint32_t id, size_t entity, const char *schema,
                                          struct err *err)
{
    const struct entity *e = &c->contracts->entities[entity];
    struct key_reader *reader = key_reader_new(schema, strlen(schema), err);
    struct record_key_reader *k;
    size_t n;

    if (!reader)
        return NULL;
    n = key_n_fields(reader);
    k = xcalloc(1, sizeof *k);
    *k = (struct record_key_reader){.id = id, .entity = entity, .reader = reader, .n_key = e->n_key ? e->n_key : n};
    k->fields = xcalloc(n + 1, sizeof *k->fields);
    k->key = xcalloc(k->n_key + 1, sizeof *k->key);
    for (size_t i = 0; i < k->n_key; i++) {
        k->key[i] = e->n_key ? NO_COLUMN : (int)i;
        for (size_t f = 0; e->n_key && f < n; f++)
            if (!strcmp(key_field_name(reader, f), e->key[i]))
                k->key[i] = (int)f;
    }
    for (size_t f = 0; f < n; f++) {
        bool known = false;

        for (size_t i = 0; i < k->n_key; i++)
            known = known || k->key[i] == (int)f;
        if (!known)
            k->foreign = key_field_name(reader, f);
    }
    return k;
}

int reader_cache_key(struct reader_cache *c, uint32_t id, size_t entity, struct record_key_reader **out,
                     struct err *err)
{
    const char *schema;

    for (size_t i = c->n_keys; i-- > 0;)
        if (c->keys[i]->id == id && c->keys[i]->entity == entity) {
            *out = c->keys[i];
            return 0;
        }
    if (c->n_keys == READERS_MAX)
        return err_set(err, ERR_LIMIT, "More than %d key schemas are in use.", READERS_MAX);
    if (registry_schema(c->registry, id, &schema, err))
        return -1;
    *out = make_key(c, id, entity, schema, err);
    if (!*out)
        return err_prefix(err, "key schema %u", id);
    c->keys = xreallocarray(c->keys, c->n_keys + 1, sizeof *c->keys);
    c->keys[c->n_keys++] = *out;
    return 0;
}
