#include "merge/gate_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "merge/key_map.h"

struct rows {
    struct row **items;
    size_t n, size;
};

struct gate_driver {
    struct document_store *store;
    const struct contract_set *contracts;
    struct gate *gate;
    struct buf text;
    struct rows found;  /* by the newest FIND_PARKED or PEEK_PARKED: the gate uses them until the next */
    struct rows page;   /* being read */
    struct key_map ids; /* (entity, key) to its place in id_values */
    const bson_t **id_values;
    size_t n_ids, ids_size;
    struct rows kids; /* FIND_CHILDREN: key and id only, kept to the end of the batch */
    struct key_map kid_ids;
    bson_t *after[GATE_STEP_FIND_CHILDREN + 1]; /* FIND: behind this one goes `more` */
    struct document_write *writes;
    bson_t *built; /* documents of the writes under way */
    const bson_t **ids_asked;
    const struct gate_step *step;
};

struct gate_driver *gate_driver_new(struct document_store *store, const struct contract_set *contracts,
                                    size_t known_max)
{
    struct gate_driver *d = xcalloc(1, sizeof *d);

    d->store = store;
    d->contracts = contracts;
    d->gate = gate_new(contracts, known_max, FIND_PAGE);
    buf_init(&d->text, 1 << 20);
    d->writes = xcalloc(WRITES_MAX, sizeof *d->writes);
    d->built = xcalloc(WRITES_MAX, sizeof *d->built);
    d->ids_asked = xcalloc(WRITES_MAX, sizeof *d->ids_asked);
    return d;
}

static void rows_clear(struct rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        row_free(r->items[i]);
    r->n = 0;
}

static void rows_add(struct rows *r, struct row *row)
{
    if (r->n == r->size) {
        r->size = r->size ? 2 * r->size : 64;
        r->items = xreallocarray(r->items, r->size, sizeof *r->items);
    }
    r->items[r->n++] = row;
}

static void clear_ids(struct gate_driver *d)
{
    key_map_clear(&d->ids);
    d->n_ids = 0;
}

static void batch_over(struct gate_driver *d)
{
    clear_ids(d);
    key_map_clear(&d->kid_ids);
    rows_clear(&d->kids);
    rows_clear(&d->found);
    rows_clear(&d->page);
}

void gate_driver_free(struct gate_driver *d)
{
    if (!d)
        return;
    batch_over(d);
    gate_free(d->gate);
    buf_release(&d->text);
    free(d->kids.items);
    free(d->found.items);
    free(d->page.items);
    key_map_release(&d->ids);
    key_map_release(&d->kid_ids);
    free(d->id_values);
    for (size_t i = 0; i <= GATE_STEP_FIND_CHILDREN; i++)
        if (d->after[i])
            bson_destroy(d->after[i]);
    free(d->writes);
    free(d->built);
    free(d->ids_asked);
    free(d);
}

struct gate *gate_driver_gate(struct gate_driver *d)
{
    return d->gate;
}

void gate_driver_abort(struct gate_driver *d)
{
    gate_abort(d->gate);
    batch_over(d);
}

static bool needs_refs(const struct entity *e)
{
    for (size_t i = 0; i < e->n_relationships; i++)
        if (e->relationships[i].on_parent_delete != PARENT_DELETE_KEEP)
            return true;
    return false;
}

int gate_driver_ensure(struct gate_driver *d, struct err *err)
{
    static const struct document_index waiting = {"waiting"}, refs = {"_pillion.refs"};

    for (size_t i = 0; i < d->contracts->n_entities; i++) {
        const struct entity *e = &d->contracts->entities[i];
        char *view = xasprintf("%s_live", e->name);
        int rc = d->store->ops->ensure(d->store, e->name, &refs, needs_refs(e) ? 1 : 0, err);

        if (!rc)
            rc = d->store->ops->ensure_live_view(d->store, e->name, view, err);
        free(view);
        if (rc)
            return -1;
    }
    return d->store->ops->ensure(d->store, PARKED_COLLECTION, &waiting, 1, err);
}

/* --- ids --- */

static void remember_id(struct gate_driver *d, size_t entity, const char *key, const bson_t *id)
{
    bool is_new;
    size_t *at = key_map_put(&d->ids, entity, key, &is_new);

    if (!is_new)
        return;
    if (d->n_ids == d->ids_size) {
        d->ids_size = d->ids_size ? 2 * d->ids_size : 256;
        d->id_values = xreallocarray(d->id_values, d->ids_size, sizeof *d->id_values);
    }
    *at = d->n_ids;
    d->id_values[d->n_ids++] = id;
}

static void remember_row(struct gate_driver *d, const struct row *r)
{
    remember_id(d, r->entity, r->key, &r->id);
    for (size_t i = 0; i < r->n_refs; i++)
        remember_id(d, r->refs[i].parent, r->refs[i].key, &r->ref_ids[i]);
}

static const bson_t *id_of(struct gate_driver *d, size_t entity, const char *key, struct err *err)
{
    const size_t *at = key_map_get(&d->ids, entity, key);

    if (at)
        return d->id_values[*at];
    at = key_map_get(&d->kid_ids, entity, key);
    if (at)
        return &d->kids.items[*at]->id;
    err_set(err, ERR_BUG, "The gate asked for a key of %s that it was never given.",
            d->contracts->entities[entity].name);
    return NULL;
}

int gate_driver_begin(struct gate_driver *d, struct gate_change *changes, size_t n, struct err *err)
{
    batch_over(d);
    for (size_t i = 0; i < n; i++)
        remember_row(d, changes[i].document);
    return gate_begin(d->gate, changes, n, err);
}

/* --- LOOKUP --- */

struct looking {
    struct gate_driver *d;
    size_t entity;
    struct key_map asked; /* key to item */
};

static int looked_at(void *arg, const bson_t *document, struct err *err)
{
    struct looking *l = arg;
    bson_iter_t id;
    size_t *at;
    bool cascaded;

    if (!bson_iter_init_find(&id, document, "_id") || silver_key_text(&l->d->text, &id, err))
        return -1;
    at = key_map_get(&l->asked, l->entity, buf_cstr(&l->d->text));
    if (at) {
        struct gate_item *item = &l->d->step->items[*at];
        item->state = silver_state(document, &item->found_version, &cascaded);
    }
    return 0;
}

static int look_up_entity(struct gate_driver *d, size_t entity, struct err *err)
{
    static const char *const fields[] = {"_pillion", NULL};
    struct looking l = {.d = d, .entity = entity};
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i <= d->step->n && !rc; i++) {
        bool is_new;

        if (n && (i == d->step->n || n == WRITES_MAX)) {
            rc = d->store->ops->find_ids(d->store, d->contracts->entities[entity].name, d->ids_asked, n, fields,
                                         looked_at, &l, err);
            n = 0;
        }
        if (rc || i == d->step->n || d->step->items[i].entity != entity)
            continue;
        d->step->items[i].state = GATE_ABSENT;
        *key_map_put(&l.asked, entity, d->step->items[i].key, &is_new) = i;
        d->ids_asked[n] = id_of(d, entity, d->step->items[i].key, err);
        if (!d->ids_asked[n++])
            rc = -1;
    }
    key_map_release(&l.asked);
    return rc;
}

static int look_up(struct gate_driver *d, struct err *err)
{
    for (size_t e = 0; e < d->contracts->n_entities; e++)
        for (size_t i = 0; i < d->step->n; i++)
            if (d->step->items[i].entity == e) {
                if (look_up_entity(d, e, err))
                    return -1;
                break;
            }
    return 0;
}

/* --- writes --- */

static void build_shadow(bson_t *out, int64_t version)
{
    bson_t sub;

    bson_append_document_begin(out, "_pillion", 8, &sub);
    bson_append_int64(&sub, "v", 1, version);
    bson_append_bool(&sub, "deleted", 7, true);
    bson_append_bool(&sub, "pending", 7, true);
    bson_append_document_end(out, &sub);
}

static void build_patch(bson_t *out, const struct entity *e, bool cascade)
{
    bson_append_bool(out, "_pillion.deleted", -1, true);
    bson_append_bool(out, cascade ? "_pillion.cascaded" : "_pillion.pending", -1, true);
    for (size_t i = 0; cascade && i < e->n_properties; i++)
        if (!e->properties[i].primary_key && !strchr(e->properties[i].name, '.'))
            bson_append_null(out, e->properties[i].name, -1);
}

static int build_write(struct gate_driver *d, const struct gate_item *item, struct document_write *w, bson_t *built,
                       bson_t *id, struct err *err)
{
    const struct entity *e = &d->contracts->entities[item->entity];
    const struct row *row = item->document;

    *w = (struct document_write){
        .kind = WRITE_UPSERT, .collection = e->name, .version = item->version, .document = built};
    switch (d->step->kind) {
    case GATE_STEP_UPSERT:
        w->document = &row->body;
        break;
    case GATE_STEP_SHADOW:
        build_shadow(built, item->version);
        break;
    case GATE_STEP_WITHDRAW:
    case GATE_STEP_CASCADE:
        w->kind = WRITE_PATCH;
        w->version += d->step->kind == GATE_STEP_CASCADE; /* its own version too */
        build_patch(built, e, d->step->kind == GATE_STEP_CASCADE);
        break;
    case GATE_STEP_PARK:
        parked_write(built, d->contracts, row, item->waiting, item->n_waiting, clock_wall_us() / 1000);
        break;
    case GATE_STEP_UNPARK:
        w->kind = WRITE_REMOVE;
        w->document = NULL;
        break;
    default:
        return err_set(err, ERR_BUG, "The gate gave a step of an unknown kind.");
    }
    if (d->step->kind == GATE_STEP_PARK || d->step->kind == GATE_STEP_UNPARK) {
        w->collection = PARKED_COLLECTION;
        parked_id(id, e->name, item->key);
        w->id = id;
        return 0;
    }
    w->id = row ? &row->id : id_of(d, item->entity, item->key, err);
    return w->id ? 0 : -1;
}

static int write_portion(struct gate_driver *d, size_t from, size_t n, struct err *err)
{
    bson_t *ids = xcalloc(n, sizeof *ids);
    size_t made = 0;
    int rc = 0;

    for (; made < n && !rc; made++) {
        bson_init(&ids[made]);
        bson_init(&d->built[made]);
        rc = build_write(d, &d->step->items[from + made], &d->writes[made], &d->built[made], &ids[made], err);
    }
    if (!rc)
        rc = d->store->ops->write(d->store, d->writes, n, err);
    for (size_t i = 0; i < made; i++) {
        if (!rc)
            d->step->items[from + i].yes = d->writes[i].result == WRITE_APPLIED;
        bson_destroy(&ids[i]);
        bson_destroy(&d->built[i]);
    }
    free(ids);
    return rc;
}

static int write_all(struct gate_driver *d, struct err *err)
{
    for (size_t at = 0; at < d->step->n; at += WRITES_MAX) {
        size_t n = d->step->n - at;

        if (write_portion(d, at, n < WRITES_MAX ? n : WRITES_MAX, err))
            return -1;
    }
    return 0;
}

/* --- FIND --- */

static void keep_place(struct gate_driver *d, const bson_t *document)
{
    bson_t **after = &d->after[d->step->kind];
    bson_iter_t it;

    if (*after)
        bson_destroy(*after);
    *after = bson_new();
    if (bson_iter_init_find(&it, document, "_id"))
        bson_append_iter(*after, "_id", 3, &it);
}

static int read_parked(void *arg, const bson_t *document, struct err *err)
{
    struct gate_driver *d = arg;
    struct row *row;

    if (parked_read(d->contracts, document, &row, err))
        return -1;
    rows_add(&d->page, row);
    return 0;
}

static int read_parked_page(void *arg, const bson_t *document, struct err *err)
{
    struct gate_driver *d = arg;

    keep_place(d, document);
    return read_parked(arg, document, err);
}

/* What the page holds replaces what was found before, and goes to the gate. */
static int give_page(struct gate_driver *d, struct err *err)
{
    struct rows old = d->found;

    clear_ids(d);
    d->found = d->page;
    d->page = old;
    rows_clear(&d->page);
    for (size_t i = 0; i < d->found.n; i++) {
        struct row *r = d->found.items[i];

        remember_row(d, r);
        if (gate_found(d->gate, r->entity, r->key, r->version, r->deleted, r->refs, r->n_refs, r, err))
            return -1;
    }
    return 0;
}

typedef void value_fn(bson_t *out, const char *entity, const char *key);

/* One bson for each item of the step. */
static bson_t **item_values(struct gate_driver *d, value_fn *fn)
{
    bson_t **values = xcalloc(d->step->n + 1, sizeof *values);

    for (size_t i = 0; i < d->step->n; i++) {
        values[i] = bson_new();
        fn(values[i], d->contracts->entities[d->step->items[i].entity].name, d->step->items[i].key);
    }
    return values;
}

static void free_values(bson_t **values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bson_destroy(values[i]);
    free(values);
}

static const bson_t *place(const struct gate_driver *d)
{
    return d->step->more ? d->after[d->step->kind] : NULL;
}

/* While a page is read, the place of the page before must stay, for the page may have to be read again. */
static int find_parked(struct gate_driver *d, struct err *err)
{
    bson_t **values = item_values(d, d->step->kind == GATE_STEP_PEEK_PARKED ? parked_id : parked_waiting_value);
    const bson_t *const *const_values = (const bson_t *const *)values;
    bson_t *before = place(d) ? bson_copy(place(d)) : NULL;
    int rc;

    rows_clear(&d->page);
    if (d->step->kind == GATE_STEP_PEEK_PARKED)
        rc = d->store->ops->find_ids(d->store, PARKED_COLLECTION, const_values, d->step->n, NULL, read_parked, d, err);
    else
        rc = d->store->ops->find_field(d->store, PARKED_COLLECTION, "waiting", const_values, d->step->n, before,
                                       d->step->limit, read_parked_page, d, err);
    free_values(values, d->step->n);
    if (rc && before) {
        bson_destroy(d->after[d->step->kind]);
        d->after[d->step->kind] = before;
        return rc;
    }
    if (before)
        bson_destroy(before);
    return rc ? rc : give_page(d, err);
}

struct children {
    struct gate_driver *d;
    struct rows rows; /* key, id, version and the one reference */
    size_t seen, wanted;
};

static int read_child(void *arg, const bson_t *document, struct err *err)
{
    struct children *c = arg;
    struct gate_driver *d = c->d;
    const struct relationship *rel = &d->contracts->entities[d->step->child].relationships[d->step->relationship];
    int64_t version;
    bool cascaded;
    enum gate_state state = silver_state(document, &version, &cascaded);
    bson_iter_t it, sub;
    struct row *row;
    bson_t *ignored;

    c->seen++;
    keep_place(d, document);
    if (state != GATE_VISIBLE && !(d->step->cascaded && cascaded))
        return 0;
    if (!bson_iter_init_find(&it, document, "_id") || silver_key_text(&d->text, &it, err))
        return -1;
    row = row_new();
    row->entity = d->step->child;
    row->key = xstrdup(buf_cstr(&d->text));
    row->version = version;
    bson_append_iter(&row->id, "_id", 3, &it);
    rows_add(&c->rows, row);
    if (!bson_iter_init(&it, document) || !bson_iter_find_descendant(&it, "_pillion.refs", &sub) ||
        !bson_iter_recurse(&sub, &it))
        return 0;
    while (bson_iter_next(&it))
        for (size_t i = 0; BSON_ITER_HOLDS_UTF8(&it) && i < d->step->n && row->n_refs < CONTRACT_REFERENCES_MAX; i++)
            if (!strcmp(silver_ref_text(&d->text, rel, d->step->items[i].key), bson_iter_utf8(&it, NULL)))
                row_add_ref(row, d->step->relationship, rel->parent, xstrdup(d->step->items[i].key), &ignored);
    return 0;
}

static int give_children(struct gate_driver *d, struct children *c, struct err *err)
{
    for (size_t i = 0; i < c->rows.n; i++) {
        struct row *r = c->rows.items[i];
        bool is_new;
        size_t *at = key_map_put(&d->kid_ids, r->entity, r->key, &is_new);

        if (gate_found(d->gate, r->entity, r->key, r->version, false, r->refs, r->n_refs, NULL, err))
            return -1;
        if (is_new) {
            *at = d->kids.n;
            rows_add(&d->kids, r);
            c->rows.items[i] = NULL;
        }
    }
    return 0;
}

static int find_children(struct gate_driver *d, struct err *err)
{
    const struct entity *child = &d->contracts->entities[d->step->child];
    struct children c = {.d = d};
    bson_t **values = xcalloc(d->step->n + 1, sizeof *values), *before = place(d) ? bson_copy(place(d)) : NULL;
    bool more = d->step->more;
    int rc = 0;

    for (size_t i = 0; i < d->step->n; i++) {
        values[i] = bson_new();
        bson_append_utf8(values[i], "v", 1,
                         silver_ref_text(&d->text, &child->relationships[d->step->relationship], d->step->items[i].key),
                         -1);
    }
    do { /* what is deleted does not count, so ask until the page is full or there is no more */
        c.wanted = d->step->limit - c.rows.n;
        c.seen = 0;
        rc =
            d->store->ops->find_field(d->store, child->name, "_pillion.refs", (const bson_t *const *)values, d->step->n,
                                      more ? d->after[d->step->kind] : NULL, c.wanted, read_child, &c, err);
        more = true;
    } while (!rc && c.seen == c.wanted && c.rows.n < d->step->limit);
    free_values(values, d->step->n);
    if (rc && before) {
        if (d->after[d->step->kind])
            bson_destroy(d->after[d->step->kind]);
        d->after[d->step->kind] = bson_copy(before);
    }
    if (before)
        bson_destroy(before);
    if (!rc)
        rc = give_children(d, &c, err);
    rows_clear(&c.rows);
    free(c.rows.items);
    return rc;
}

/* --- sweep --- */

struct sweep {
    struct gate_driver *d;
    bson_t *last;
    document_fn *fn;
    void *arg;
};

static int swept(void *arg, const bson_t *document, struct err *err)
{
    struct sweep *s = arg;
    bson_iter_t it;

    bson_reinit(s->last);
    if (bson_iter_init_find(&it, document, "_id"))
        bson_append_iter(s->last, "_id", 3, &it);
    if (s->fn && s->fn(s->arg, document, err))
        return -1;
    return read_parked(s->d, document, err);
}

int gate_driver_begin_sweep(struct gate_driver *d, bson_t *after, bool *end, document_fn *fn, void *arg,
                            struct err *err)
{
    bson_t last = BSON_INITIALIZER;
    struct sweep s = {.d = d, .last = &last, .fn = fn, .arg = arg};
    int rc;

    batch_over(d);
    rc = d->store->ops->scan(d->store, PARKED_COLLECTION, bson_empty(after) ? NULL : after, FIND_PAGE, swept, &s, err);
    if (!rc) {
        *end = d->page.n < FIND_PAGE;
        if (bson_empty(after))
            gate_sweep_start(d->gate);
        if (!bson_empty(&last)) {
            bson_destroy(after);
            bson_copy_to(&last, after);
        }
        rc = gate_begin_sweep(d->gate, err);
    }
    if (!rc)
        rc = give_page(d, err);
    bson_destroy(&last);
    return rc;
}

int gate_driver_run(struct gate_driver *d, struct err *err)
{
    for (;;) {
        int rc;

        d->step = gate_next(d->gate);
        switch (d->step->kind) {
        case GATE_STEP_DONE:
            rc = gate_done(d->gate, err);
            batch_over(d);
            return rc;
        case GATE_STEP_LOOKUP:
            rc = look_up(d, err);
            break;
        case GATE_STEP_FIND_PARKED:
        case GATE_STEP_PEEK_PARKED:
            rc = find_parked(d, err);
            break;
        case GATE_STEP_FIND_CHILDREN:
            rc = find_children(d, err);
            break;
        default:
            rc = write_all(d, err);
        }
        if (rc)
            return -1;
        if (gate_done(d->gate, err))
            return -1;
    }
}
