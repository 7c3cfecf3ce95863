#include "merge/parked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "merge/key_text.h"

static void put_name(bson_t *out, const char *name, const char *entity, const char *key)
{
    char *text = xasprintf("%s|%s", entity, key);

    bson_append_utf8(out, name, -1, text, -1);
    free(text);
}

void parked_id(bson_t *out, const char *entity, const char *key)
{
    put_name(out, "_id", entity, key);
}

void parked_waiting_value(bson_t *out, const char *entity, const char *key)
{
    put_name(out, "v", entity, key);
}

static void copy_id(bson_t *out, const char *name, const bson_t *id)
{
    bson_iter_t it;

    if (bson_iter_init_find(&it, id, "_id"))
        bson_append_iter(out, name, -1, &it);
}

static void columns_text(struct buf *out, const struct relationship *r)
{
    buf_clear(out);
    for (size_t i = 0; i < r->n_columns; i++)
        buf_putf(out, "%s%s", i ? "+" : "", r->child_columns[i]);
}

static void put_refs(bson_t *out, const struct contract_set *contracts, const struct row *row)
{
    struct buf text;
    bson_t array, one;

    buf_init(&text, 65536);
    bson_append_array_begin(out, "refs", 4, &array);
    for (size_t i = 0; i < row->n_refs; i++) {
        char index[24];

        snprintf(index, sizeof index, "%zu", i);
        columns_text(&text, &contracts->entities[row->entity].relationships[row->refs[i].relationship]);
        bson_append_document_begin(&array, index, -1, &one);
        bson_append_utf8(&one, "r", 1, buf_cstr(&text), -1);
        bson_append_utf8(&one, "e", 1, contracts->entities[row->refs[i].parent].name, -1);
        bson_append_utf8(&one, "k", 1, row->refs[i].key, -1);
        copy_id(&one, "id", &row->ref_ids[i]);
        bson_append_document_end(&array, &one);
    }
    bson_append_array_end(out, &array);
    buf_release(&text);
}

static void put_place(bson_t *out, const struct row *row)
{
    bson_iter_t it, sub;
    bson_t place;

    bson_append_document_begin(out, "_pillion", 8, &place);
    bson_append_int64(&place, "v", 1, row->version);
    if (bson_iter_init_find(&it, &row->body, "_pillion") && bson_iter_recurse(&it, &sub))
        while (bson_iter_next(&sub)) {
            const char *name = bson_iter_key(&sub);
            if (!strcmp(name, "epoch") || !strcmp(name, "offset") || !strcmp(name, "partition"))
                bson_append_iter(&place, name, -1, &sub);
        }
    bson_append_document_end(out, &place);
}

void parked_write(bson_t *out, const struct contract_set *contracts, const struct row *row,
                  const struct gate_ref *waiting, size_t n_waiting, int64_t now_ms)
{
    const struct entity *e = &contracts->entities[row->entity];
    bson_t array;

    bson_append_utf8(out, "entity", 6, e->name, -1);
    bson_append_utf8(out, "key", 3, row->key, -1);
    bson_append_array_begin(out, "waiting", 7, &array);
    for (size_t i = 0; i < n_waiting; i++) {
        char index[24];

        snprintf(index, sizeof index, "%zu", i);
        put_name(&array, index, contracts->entities[waiting[i].parent].name, waiting[i].key);
    }
    bson_append_array_end(out, &array);
    put_refs(out, contracts, row);
    copy_id(out, "id", &row->id);
    bson_append_document(out, "document", 8, &row->body);
    bson_append_bool(out, "deleted", 7, row->deleted);
    bson_append_date_time(out, "since", 5, now_ms);
    put_place(out, row);
}

/* --- back --- */

static int broken(struct err *err)
{
    return err_set(err, ERR_STORE_DATA,
                   "A document of " PARKED_COLLECTION " is no parked row; was it changed by hand?");
}

static const char *text_at(const bson_t *b, const char *name)
{
    bson_iter_t it;

    return bson_iter_init_find(&it, b, name) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL) : NULL;
}

static int find_entity(const struct contract_set *contracts, const char *name)
{
    for (size_t i = 0; name && i < contracts->n_entities; i++)
        if (!strcmp(contracts->entities[i].name, name))
            return (int)i;
    return -1;
}

static int find_relationship(const struct entity *e, const char *columns, size_t parent)
{
    struct buf text;
    int found = -1;

    buf_init(&text, 65536);
    for (size_t i = 0; columns && i < e->n_relationships && found < 0; i++) {
        columns_text(&text, &e->relationships[i]);
        if (e->relationships[i].parent == parent && !strcmp(buf_cstr(&text), columns))
            found = (int)i;
    }
    buf_release(&text);
    return found;
}

static int read_ref(const struct contract_set *contracts, struct row *row, const bson_iter_t *at, struct err *err)
{
    const uint8_t *bytes;
    uint32_t len;
    bson_t one, *id;
    bson_iter_t it;
    int parent, relationship;

    if (!BSON_ITER_HOLDS_DOCUMENT(at))
        return broken(err);
    bson_iter_document(at, &len, &bytes);
    if (!bson_init_static(&one, bytes, len) || !text_at(&one, "k") || !bson_iter_init_find(&it, &one, "id"))
        return broken(err);
    parent = find_entity(contracts, text_at(&one, "e"));
    if (parent < 0)
        return 0;
    relationship = find_relationship(&contracts->entities[row->entity], text_at(&one, "r"), (size_t)parent);
    if (relationship < 0 || row->n_refs == CONTRACT_REFERENCES_MAX)
        return 0;
    row_add_ref(row, (size_t)relationship, (size_t)parent, xstrdup(text_at(&one, "k")), &id);
    bson_append_iter(id, "_id", 3, &it);
    return 0;
}

static int read_parts(const struct contract_set *contracts, const bson_t *b, struct row *row, struct err *err)
{
    const char *key = text_at(b, "key");
    int entity = find_entity(contracts, text_at(b, "entity"));
    bson_iter_t it, sub;
    const uint8_t *bytes;
    uint32_t len;
    bson_t body;

    if (entity < 0 || !key || strlen(key) > KEY_TEXT_MAX || !bson_iter_init_find(&it, b, "id"))
        return broken(err);
    row->entity = (size_t)entity;
    row->key = xstrdup(key);
    bson_append_iter(&row->id, "_id", 3, &it);
    if (!bson_iter_init_find(&it, b, "document") || !BSON_ITER_HOLDS_DOCUMENT(&it))
        return broken(err);
    bson_iter_document(&it, &len, &bytes);
    if (!bson_init_static(&body, bytes, len))
        return broken(err);
    bson_concat(&row->body, &body);
    row->deleted = bson_iter_init_find(&it, b, "deleted") && bson_iter_as_bool(&it);
    if (!bson_iter_init(&it, b) || !bson_iter_find_descendant(&it, "_pillion.v", &sub))
        return broken(err);
    row->version = bson_iter_as_int64(&sub);
    if (!bson_iter_init_find(&it, b, "refs") || !BSON_ITER_HOLDS_ARRAY(&it) || !bson_iter_recurse(&it, &sub))
        return broken(err);
    while (bson_iter_next(&sub))
        if (read_ref(contracts, row, &sub, err))
            return -1;
    return 0;
}

int parked_read(const struct contract_set *contracts, const bson_t *document, struct row **out, struct err *err)
{
    struct row *row = row_new();

    if (read_parts(contracts, document, row, err)) {
        row_free(row);
        return -1;
    }
    *out = row;
    return 0;
}

bool parked_place(const bson_t *document, uint32_t *epoch, int32_t *partition, int64_t *offset)
{
    bson_iter_t it, sub;
    int found = 0;

    if (!bson_iter_init_find(&it, document, "_pillion") || !BSON_ITER_HOLDS_DOCUMENT(&it) ||
        !bson_iter_recurse(&it, &sub))
        return false;
    while (bson_iter_next(&sub)) {
        const char *name = bson_iter_key(&sub);

        if (!strcmp(name, "epoch") && ++found)
            *epoch = (uint32_t)bson_iter_as_int64(&sub);
        else if (!strcmp(name, "partition") && ++found)
            *partition = (int32_t)bson_iter_as_int64(&sub);
        else if (!strcmp(name, "offset") && ++found)
            *offset = bson_iter_as_int64(&sub);
    }
    return found == 3;
}
