#include "merge/row_decoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "merge/key_text.h"

enum { WIRE_BYTES = 5, KEY_COLUMNS_MAX = 64 };

struct row_decoder {
    const struct contract_set *contracts;
    struct reader_cache *readers;
    struct buf text;
};

struct row *row_new(void)
{
    struct row *r = xcalloc(1, sizeof *r);

    bson_init(&r->id);
    bson_init(&r->body);
    return r;
}

void row_free(struct row *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_refs; i++) {
        union {
            const char *in;
            char *out;
        } key = {.in = r->refs[i].key};
        free(key.out);
        bson_destroy(&r->ref_ids[i]);
    }
    free(r->refs);
    free(r->ref_ids);
    free(r->key);
    bson_destroy(&r->id);
    bson_destroy(&r->body);
    free(r);
}

void row_add_ref(struct row *r, size_t relationship, size_t parent, char *key, bson_t **id)
{
    if (!r->refs) { /* bson_t must not be moved, so all the room at once */
        r->refs = xcalloc(CONTRACT_REFERENCES_MAX, sizeof *r->refs);
        r->ref_ids = xcalloc(CONTRACT_REFERENCES_MAX, sizeof *r->ref_ids);
    }
    r->refs[r->n_refs] = (struct gate_ref){.relationship = relationship, .parent = parent, .key = key};
    *id = &r->ref_ids[r->n_refs++];
    bson_init(*id);
}

struct row_decoder *row_decoder_new(struct registry *registry, const struct contract_set *contracts)
{
    struct row_decoder *d = xcalloc(1, sizeof *d);

    d->contracts = contracts;
    d->readers = reader_cache_new(registry, contracts);
    buf_init(&d->text, 2 * KEY_TEXT_MAX);
    return d;
}

void row_decoder_free(struct row_decoder *d)
{
    if (!d)
        return;
    reader_cache_free(d->readers);
    buf_release(&d->text);
    free(d);
}

/* Confluent's wire format: a zero byte and the schema's id. */
static int wire(const uint8_t *bytes, size_t len, const char *what, uint32_t *id, struct cursor *rest, struct err *err)
{
    struct cursor c = cursor_of(bytes, len);

    if (len < WIRE_BYTES || cursor_u8(&c) != 0)
        return err_set(err, ERR_MALFORMED, "The %s is not in Confluent's wire format (a zero byte and a schema's id).",
                       what);
    *id = (uint32_t)cursor_be(&c, 4);
    *rest = c;
    return 0;
}

/* What one record is made of while it is decoded. */
struct parts {
    struct row *row;
    const struct entity *entity;
    struct value_reader *value; /* NULL: tombstone record */
    struct envelope envelope;
    bool has_image;
    const char *names[KEY_COLUMNS_MAX];
    const struct field_value *key[KEY_COLUMNS_MAX];
    size_t n_key;
};

static int read_value(struct row_decoder *d, size_t entity, const struct record *record, struct parts *p,
                      struct err *err)
{
    struct cursor rest;
    uint32_t id;

    if (!record->value) {
        p->row->deleted = true;
        p->envelope.op = 'x';
        return 0;
    }
    if (wire(record->value, record->value_len, "value", &id, &rest, err) ||
        reader_cache_value(d->readers, id, entity, &p->value, err) ||
        envelope_read(p->value->envelope, rest, &p->envelope, err))
        return -1;
    p->row->truncate = p->envelope.op == 't';
    if (p->row->truncate) {
        p->row->deleted = true;
        return !record->key && !p->envelope.has_before && !p->envelope.has_after
                   ? 0
                   : err_set(err, ERR_MALFORMED,
                             "A TRUNCATE event has a key or a row, so it is not known what it means.");
    }
    p->row->deleted = p->envelope.op == 'd';
    p->row->fresh = p->envelope.op == 'c';
    if (!p->row->deleted && !p->envelope.has_after)
        return err_set(err, ERR_MALFORMED, "The event has no after image.");
    p->has_image = p->row->deleted ? p->envelope.has_before : true;
    if (!p->has_image)
        return 0;
    return envelope_read_row(p->value->envelope, p->row->deleted ? p->envelope.before : p->envelope.after,
                             p->value->fields, err);
}

static int read_key_record(struct row_decoder *d, size_t entity, const struct record *record, struct parts *p,
                           struct err *err)
{
    struct record_key_reader *k;
    struct cursor rest;
    uint32_t id;

    if (!record->key)
        return err_set(err, ERR_SCHEMA,
                       "The record has none, so changes of one row may be in several partitions; give the table a "
                       "primary key or set the key of the contract %s in events.keys before the table is captured.",
                       p->entity->name);
    if (wire(record->key, record->key_len, "key", &id, &rest, err) || reader_cache_key(d->readers, id, entity, &k, err))
        return -1;
    /* Order is kept per record key: records of one row under several keys may come in any order. */
    if (k->foreign)
        return err_set(err, ERR_SCHEMA,
                       "The record's key has the column %s, which is not in the key of the contract %s, so changes of "
                       "one row may be in several partitions; add it to the contract's key, or set the contract's key "
                       "in events.keys before the table is captured.",
                       k->foreign, p->entity->name);
    if (key_read(k->reader, rest, k->fields, err))
        return -1;
    if (k->n_key > KEY_COLUMNS_MAX)
        return err_set(err, ERR_LIMIT, "The key has more than %d columns.", KEY_COLUMNS_MAX);
    p->n_key = k->n_key;
    for (size_t i = 0; i < k->n_key; i++) {
        p->names[i] = p->entity->n_key ? p->entity->key[i] : key_field_name(k->reader, i);
        p->key[i] = k->key[i] == NO_COLUMN ? NULL : &k->fields[k->key[i]];
    }
    return 0;
}

/* From the record's key, and what it lacks from the row. */
static int read_key(struct row_decoder *d, size_t entity, const struct record *record, struct parts *p, struct err *err)
{
    bool null;

    if (read_key_record(d, entity, record, p, err))
        return err_prefix(err, "key");
    for (size_t i = 0; i < p->n_key; i++)
        if (!p->key[i] && p->has_image && i < p->entity->n_key && p->value->key[i] != NO_COLUMN)
            p->key[i] = &p->value->fields[p->value->key[i]];
    for (size_t i = 0; i < p->n_key; i++)
        if (!p->key[i])
            return err_set(err, ERR_VALUE, "The record has no key column %s.", p->names[i]);
    if (!p->n_key)
        return err_set(err, ERR_VALUE, "The record has no key.");
    buf_clear(&d->text);
    if (key_text_put(&d->text, p->key, p->n_key, &null, err))
        return -1;
    if (null)
        return err_set(err, ERR_VALUE, "A key column is NULL.");
    p->row->key = xstrdup(buf_cstr(&d->text));
    return silver_id(&p->row->id, p->names, p->key, p->n_key, err);
}

static int read_reference(struct row_decoder *d, struct parts *p, size_t i, struct err *err)
{
    const struct relationship *r = &p->entity->relationships[i];
    const struct field_value *values[KEY_COLUMNS_MAX];
    bool null = false;
    bson_t *id;

    if (r->n_columns > KEY_COLUMNS_MAX)
        return err_set(err, ERR_LIMIT, "The relationship %s has too many columns.", r->name);
    for (size_t k = 0; k < r->n_columns; k++) {
        if (p->value->refs[i][k] == NO_COLUMN)
            return err_set(err, ERR_SCHEMA, "The row has no column %s, which the contract's relationship %s needs.",
                           r->child_columns[k], r->name);
        values[k] = &p->value->fields[p->value->refs[i][k]];
    }
    buf_clear(&d->text);
    if (key_text_put(&d->text, values, r->n_columns, &null, err))
        return err_prefix(err, "%s", r->name);
    if (null)
        return r->required ? err_set(err, ERR_VALUE, "%s is required by the contract, but is NULL.", r->name) : 0;
    row_add_ref(p->row, i, r->parent, xstrdup(buf_cstr(&d->text)), &id);
    return silver_id(id, r->parent_columns, values, r->n_columns, err);
}

static int write_body(struct parts *p, const struct record *record, uint32_t epoch, struct err *err)
{
    struct row *row = p->row;
    struct silver_origin origin = {.version = row->version,
                                   .epoch = epoch,
                                   .offset = record->offset,
                                   .partition = record->partition,
                                   .op = p->envelope.op,
                                   .ts_us = p->envelope.source.ts_us,
                                   .gtid = p->envelope.source.gtid,
                                   .gtid_len = p->envelope.source.gtid_len};

    for (size_t i = 0; !row->deleted && i < envelope_n_fields(p->value->envelope); i++)
        if (!p->value->is_key[i] &&
            silver_put(&row->body, envelope_field_name(p->value->envelope, i), &p->value->fields[i], err))
            return -1;
    silver_put_origin(&row->body, &origin, row->deleted, p->entity, row->refs, row->n_refs);
    return 0;
}

int row_decode(struct row_decoder *d, size_t entity, const struct record *record, uint32_t epoch, struct row **out,
               struct err *err)
{
    struct parts p = {.row = row_new(), .entity = &d->contracts->entities[entity]};
    int rc;

    p.row->entity = entity;
    p.row->version = document_version(epoch, record->offset);
    rc = read_value(d, entity, record, &p, err);
    if (!rc && !p.row->truncate)
        rc = read_key(d, entity, record, &p, err);
    for (size_t i = 0; !rc && !p.row->deleted && i < p.entity->n_relationships; i++)
        rc = read_reference(d, &p, i, err);
    if (!rc)
        rc = write_body(&p, record, epoch, err);
    if (rc) {
        row_free(p.row);
        return -1;
    }
    *out = p.row;
    return 0;
}
