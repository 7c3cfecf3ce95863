#include "merge/truncate.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum stage { STAGE_PARKED, STAGE_SILVER, STAGE_DONE };

struct place {
    uint32_t epoch;
    int32_t partition;
    int64_t offset;
};

struct truncate {
    struct document_store *store;
    struct gate_driver *driver;
    const struct contract_set *contracts;
    const struct row *event;
    struct place place;
    int64_t life;     /* the first version of this epoch */
    bson_t tombstone; /* of documents of an earlier epoch; the event's body is that of the others */
    struct buf text;
    enum stage stage;
    bson_t after; /* {"_id": ...} of the last document read; empty at first */
    size_t read;  /* documents of the page */
    struct row *rows[FIND_PAGE];
    struct gate_change changes[FIND_PAGE];
    size_t n;
    bool begun; /* the gate has the page */
};

/* The event's body at another version. */
static void put_tombstone(bson_t *out, const bson_t *body, int64_t version)
{
    bson_iter_t it, sub;
    bson_t part;

    if (!bson_iter_init_find(&it, body, "_pillion") || !bson_iter_recurse(&it, &sub))
        return;
    bson_append_document_begin(out, "_pillion", 8, &part);
    while (bson_iter_next(&sub))
        if (strcmp(bson_iter_key(&sub), "v"))
            bson_append_iter(&part, NULL, 0, &sub);
        else
            bson_append_int64(&part, "v", 1, version);
    bson_append_document_end(out, &part);
}

struct truncate *truncate_new(struct document_store *store, struct gate_driver *driver,
                              const struct contract_set *contracts, const struct row *event)
{
    struct truncate *t = xcalloc(1, sizeof *t);

    t->store = store;
    t->driver = driver;
    t->contracts = contracts;
    t->event = event;
    (void)parked_place(&event->body, &t->place.epoch, &t->place.partition, &t->place.offset);
    t->life = document_version(t->place.epoch, 0);
    bson_init(&t->tombstone);
    put_tombstone(&t->tombstone, &event->body, t->life - 1);
    bson_init(&t->after);
    buf_init(&t->text, 1 << 20);
    return t;
}

static void clear_page(struct truncate *t)
{
    while (t->n)
        row_free(t->rows[--t->n]);
    t->begun = false;
}

void truncate_free(struct truncate *t)
{
    if (!t)
        return;
    if (t->begun)
        gate_driver_abort(t->driver);
    clear_page(t);
    bson_destroy(&t->tombstone);
    bson_destroy(&t->after);
    buf_release(&t->text);
    free(t);
}

/* Is a document deleted by the event, and at which version? */
static bool is_due(const struct truncate *t, const bson_t *document, int64_t *version)
{
    struct place at;
    int64_t v;
    bool cascaded;
    enum gate_state state = silver_state(document, &v, &cascaded);

    if (!parked_place(document, &at.epoch, &at.partition, &at.offset))
        return false;
    *version = v < t->life ? t->life - 1 : t->event->version;
    if (at.epoch == t->place.epoch && at.partition == t->place.partition && at.offset == t->place.offset)
        return true;
    return v < *version && (v < t->life || at.partition == t->place.partition) && (state != GATE_DELETED || cascaded);
}

/* Takes key and id over. */
static void take(struct truncate *t, struct row *row, int64_t version)
{
    row->entity = t->event->entity;
    row->version = version;
    row->deleted = true;
    bson_concat(&row->body, version < t->life ? &t->tombstone : &t->event->body);
    t->rows[t->n] = row;
    t->changes[t->n++] = (struct gate_change){
        .entity = row->entity, .key = row->key, .version = version, .deleted = true, .document = row};
}

static void keep_place(struct truncate *t, const bson_iter_t *id)
{
    bson_reinit(&t->after);
    bson_append_iter(&t->after, "_id", 3, id);
    t->read++;
}

static int see_silver(void *arg, const bson_t *document, struct err *err)
{
    struct truncate *t = arg;
    struct row *row;
    bson_iter_t id;
    int64_t version;

    if (!bson_iter_init_find(&id, document, "_id"))
        return err_set(err, ERR_STORE_DATA, "A document has no _id.");
    keep_place(t, &id);
    if (!is_due(t, document, &version))
        return 0;
    if (silver_key_text(&t->text, &id, err))
        return -1;
    row = row_new();
    row->key = xstrdup(buf_cstr(&t->text));
    bson_append_iter(&row->id, "_id", 3, &id);
    take(t, row, version);
    return 0;
}

static int see_parked(void *arg, const bson_t *document, struct err *err)
{
    struct truncate *t = arg;
    const char *name = t->contracts->entities[t->event->entity].name;
    struct row *row, *found;
    bson_iter_t it;
    int64_t version;

    if (!bson_iter_init_find(&it, document, "_id"))
        return err_set(err, ERR_STORE_DATA, "A document has no _id.");
    keep_place(t, &it);
    if (!bson_iter_init_find(&it, document, "entity") || !BSON_ITER_HOLDS_UTF8(&it) ||
        strcmp(bson_iter_utf8(&it, NULL), name) || !is_due(t, document, &version))
        return 0;
    if (parked_read(t->contracts, document, &found, err))
        return -1;
    row = row_new();
    row->key = found->key;
    found->key = NULL;
    bson_concat(&row->id, &found->id);
    row_free(found);
    take(t, row, version);
    return 0;
}

static int read_page(struct truncate *t, struct err *err)
{
    const char *silver = t->contracts->entities[t->event->entity].name;
    bool parked = t->stage == STAGE_PARKED, first = bson_empty(&t->after);
    bson_t before;
    int rc;

    bson_copy_to(&t->after, &before);
    t->read = 0;
    rc = t->store->ops->scan(t->store, parked ? PARKED_COLLECTION : silver, first ? NULL : &before, FIND_PAGE,
                             parked ? see_parked : see_silver, t, err);
    if (rc) { /* read again from the same place */
        clear_page(t);
        bson_destroy(&t->after);
        bson_copy_to(&before, &t->after);
    }
    bson_destroy(&before);
    return rc;
}

static int run_page(struct truncate *t, struct err *err)
{
    if (!t->begun) {
        if (read_page(t, err))
            return -1;
        if (t->n && gate_driver_begin(t->driver, t->changes, t->n, err))
            return -1;
        t->begun = t->n > 0;
    }
    if (t->begun && gate_driver_run(t->driver, err))
        return -1;
    clear_page(t);
    return 0;
}

int truncate_run(struct truncate *t, struct err *err)
{
    while (t->stage != STAGE_DONE) {
        if (run_page(t, err))
            return -1;
        if (t->read == FIND_PAGE)
            continue;
        t->stage++;
        bson_reinit(&t->after);
    }
    return 0;
}
