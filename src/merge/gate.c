#include "merge/gate.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "merge/gate_internal.h"

enum { FOUND_BYTES_MAX = 1 << 30, SCRATCH_BYTES_MAX = 1 << 30 };

static void learn_children(struct gate *g)
{
    const struct contract_set *s = g->contracts;
    size_t n = s->n_entities;

    g->children = xcalloc(n + 1, sizeof *g->children);
    g->n_children = xcalloc(n + 1, sizeof *g->n_children);
    g->asks_ever = xcalloc(n + 1, sizeof *g->asks_ever);
    g->asks_current = xcalloc(n + 1, sizeof *g->asks_current);
    g->cascades = xcalloc(n + 1, sizeof *g->cascades);
    g->holds = xcalloc(n + 1, sizeof *g->holds);
    g->wants_current = xcalloc(n + 1, sizeof *g->wants_current);
    g->released = xcalloc(n + 1, sizeof *g->released);
    g->stale = xcalloc(n + 1, sizeof *g->stale);
    for (size_t e = 0; e < n; e++)
        for (size_t r = 0; r < s->entities[e].n_relationships; r++) {
            const struct relationship *rel = &s->entities[e].relationships[r];
            size_t p = rel->parent;

            g->children[p] = xreallocarray(g->children[p], g->n_children[p] + 1, sizeof **g->children);
            g->children[p][g->n_children[p]++] = (struct child){e, r};
            if (rel->known == KNOWN_EVER)
                g->asks_ever[p] = true;
            else
                g->asks_current[p] = g->wants_current[e] = true;
            g->cascades[p] = g->cascades[p] || rel->on_parent_delete == PARENT_DELETE_CASCADE;
            g->holds[p] = g->holds[p] || rel->on_parent_delete == PARENT_DELETE_HOLD;
        }
}

struct gate *gate_new(const struct contract_set *contracts, size_t known_max, size_t page)
{
    struct gate *g = xcalloc(1, sizeof *g);

    g->contracts = contracts;
    g->page = page ? page : 1;
    g->known = known_set_new(known_max);
    g->settled = known_set_new(known_max);
    g->maybe = known_set_new(known_max);
    g->visited = known_set_new(SIZE_MAX / 2);
    arena_init(&g->kid_keys, FOUND_BYTES_MAX);
    g->parked_all = true;
    arena_init(&g->found, FOUND_BYTES_MAX);
    arena_init(&g->scratch, SCRATCH_BYTES_MAX);
    learn_children(g);
    return g;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    gate_abort(g);
    for (size_t i = 0; i < g->contracts->n_entities; i++)
        free(g->children[i]);
    free(g->children);
    free(g->n_children);
    free(g->asks_ever);
    free(g->asks_current);
    free(g->cascades);
    free(g->holds);
    free(g->wants_current);
    free(g->released);
    free(g->stale);
    known_set_free(g->known);
    known_set_free(g->settled);
    known_set_free(g->maybe);
    known_set_free(g->visited);
    arena_release(&g->kid_keys);
    free(g->work);
    free(g->rows);
    free(g->kids);
    free(g->looked);
    free(g->items);
    free(g->item_row);
    key_map_release(&g->batch);
    key_map_release(&g->seen);
    arena_release(&g->found);
    arena_release(&g->scratch);
    free(g);
}

/* --- keys and items --- */

void queue_push_key(struct queue_of_keys *q, size_t entity, const char *key, bool verified)
{
    if (q->n == q->size) {
        q->size = q->size ? 2 * q->size : 64;
        q->keys = xreallocarray(q->keys, q->size, sizeof *q->keys);
    }
    q->keys[q->n++] = (struct queued){.entity = entity, .key = xstrdup(key), .verified = verified};
}

void queue_drop_head(struct queue_of_keys *q, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(q->keys[i].key);
    q->n -= n;
    memmove(q->keys, q->keys + n, q->n * sizeof *q->keys);
}

void queue_release_keys(struct queue_of_keys *q)
{
    for (size_t i = 0; i < q->n; i++)
        free(q->keys[i].key);
    free(q->keys);
    *q = (struct queue_of_keys){0};
}

struct gate_item *gate_add_item(struct gate *g, size_t row, size_t entity, const char *key, int64_t version)
{
    struct gate_item *item;

    if (g->n_items == g->items_size) {
        g->items_size = g->items_size ? 2 * g->items_size : 64;
        g->items = xreallocarray(g->items, g->items_size, sizeof *g->items);
        g->item_row = xreallocarray(g->item_row, g->items_size, sizeof *g->item_row);
    }
    g->item_row[g->n_items] = row;
    item = &g->items[g->n_items++];
    *item = (struct gate_item){.entity = entity, .key = key, .version = version};
    return item;
}

bool gate_ref_ok(struct gate *g, struct gate_row *r, size_t i)
{
    const struct gate_ref *ref = &r->refs[i];
    const struct relationship *rel = &g->contracts->entities[r->entity].relationships[ref->relationship];
    const size_t *at;

    if (r->known_refs >> i & 1)
        return true;
    if (ref->parent == r->entity && !strcmp(ref->key, r->key))
        return true; /* a row that refers to itself comes with its parent */
    at = key_map_get(&g->seen, ref->parent, ref->key);
    if (rel->known == KNOWN_CURRENT)
        return at && g->looked[*at].state == GATE_VISIBLE;
    if (!(at && g->looked[*at].state != GATE_ABSENT) && !known_set_has(g->known, ref->parent, ref->key))
        return false;
    r->known_refs |= (uint64_t)1 << i;
    return true;
}

bool gate_row_ready(struct gate *g, struct gate_row *r)
{
    if (r->deleted)
        return !r->held;
    for (size_t i = 0; i < r->n_refs; i++)
        if (!gate_ref_ok(g, r, i))
            return false;
    return true;
}

/* --- batches --- */

static struct gate_row *add_row(struct gate_row **rows, size_t *n, size_t *size)
{
    struct gate_row *r;

    if (*n == *size) {
        *size = *size ? 2 * *size : 64;
        *rows = xreallocarray(*rows, *size, sizeof **rows);
    }
    r = &(*rows)[(*n)++];
    *r = (struct gate_row){0};
    return r;
}

static void take_change(struct gate_row *r, struct gate_change *c)
{
    r->entity = c->entity;
    r->key = c->key;
    r->version = c->version;
    r->deleted = c->deleted;
    r->refs = c->deleted ? NULL : c->refs;
    r->n_refs = c->deleted ? 0 : c->n_refs;
    r->document = c->document;
    r->change = c;
}

/* The newest change of each key; the others are superseded. Fresh is only an insert that stands alone: before one that
 * comes with others, something may be visible (an update's first version on a replay, or what a delete in the same
 * batch would have ended). */
static void collapse(struct gate *g, struct gate_change *changes, size_t n)
{
    key_map_clear(&g->batch);
    g->n_work = 0;
    for (size_t i = 0; i < n; i++) {
        struct gate_change *c = &changes[i];
        bool is_new;
        size_t *at = key_map_put(&g->batch, c->entity, c->key, &is_new);
        struct gate_row *r;

        c->outcome = GATE_PENDING;
        if (is_new) {
            *at = g->n_work;
            r = add_row(&g->work, &g->n_work, &g->work_size);
            take_change(r, c);
            r->fresh = c->fresh;
            continue;
        }
        r = &g->work[*at];
        r->fresh = false;
        if (c->version > r->version) {
            r->change->outcome = GATE_SUPERSEDED;
            take_change(r, c);
            g->counts.superseded++;
        } else if (c->version == r->version) {
            c->outcome = GATE_DUPLICATE;
            g->counts.duplicate++;
        } else {
            c->outcome = GATE_SUPERSEDED;
            g->counts.superseded++;
        }
    }
}

static void sort_by_rank(struct gate *g)
{
    const struct entity *entities = g->contracts->entities;
    size_t ranks = g->contracts->n_entities + 1, *start = xcalloc(ranks + 1, sizeof *start);
    struct gate_row *sorted = xcalloc(g->n_work, sizeof *sorted);

    for (size_t i = 0; i < g->n_work; i++)
        start[entities[g->work[i].entity].rank + 1]++;
    for (size_t i = 1; i <= ranks; i++)
        start[i] += start[i - 1];
    for (size_t i = 0; i < g->n_work; i++)
        sorted[start[entities[g->work[i].entity].rank]++] = g->work[i];
    free(g->work);
    free(start);
    g->work = sorted;
    g->work_size = g->n_work;
}

static int begin(struct gate *g, enum gate_phase phase, struct err *err)
{
    if (g->phase != PHASE_IDLE)
        return err_set(err, ERR_BUG, "The gate was given a batch before the one before was done.");
    g->phase = phase;
    g->step_ready = false;
    g->n_rows = g->next_work = g->at_child = 0;
    g->look_own = g->rechecked = g->more = false;
    arena_clear(&g->found);
    known_set_clear(g->visited);
    return 0;
}

int gate_begin(struct gate *g, struct gate_change *changes, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (changes[i].entity >= g->contracts->n_entities || changes[i].version < 2 ||
            changes[i].n_refs > CONTRACT_REFERENCES_MAX)
            return err_set(err, ERR_BUG, "A change of an unknown entity or without a version was given to the gate.");
    if (begin(g, PHASE_NEXT, err))
        return -1;
    collapse(g, changes, n);
    sort_by_rank(g);
    return 0;
}

int gate_begin_sweep(struct gate *g, struct err *err)
{
    if (begin(g, PHASE_LOOKUP, err))
        return -1;
    g->n_work = 0;
    g->look_own = true;
    return 0;
}

void gate_abort(struct gate *g)
{
    queue_release_keys(&g->visible);
    queue_release_keys(&g->finding);
    queue_release_keys(&g->peek);
    queue_release_keys(&g->cascade);
    queue_release_keys(&g->held);
    g->cascading = 0;
    g->phase = PHASE_IDLE;
    g->step_ready = false;
}

const struct gate_step *gate_next(struct gate *g)
{
    if (!g->step_ready) {
        arena_clear(&g->scratch);
        g->n_items = g->n_found = 0;
        g->step = (struct gate_step){.limit = g->page};
        gate_phase_build(g);
        g->step.items = g->items;
        g->step.n = g->n_items;
        g->step_ready = true;
    }
    return &g->step;
}

/* --- answers --- */

static struct gate_ref *copy_refs(struct arena *a, const struct gate_ref *refs, size_t n)
{
    struct gate_ref *copy = arena_alloc(a, (n ? n : 1) * sizeof *copy);

    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = refs[i];
        copy[i].key = arena_strndup(a, refs[i].key, strlen(refs[i].key));
        if (!copy[i].key)
            return NULL;
    }
    return copy;
}

/* HOLD: the deletes whose child was found wait; a row that refers to itself does not hold itself. */
static void hold_back(struct gate *g, size_t entity, const char *key, const struct gate_ref *refs, size_t n_refs)
{
    for (size_t i = 0; i < n_refs; i++)
        for (size_t k = 0; refs[i].relationship == g->step.relationship && k < g->n_items; k++)
            if (g->items[k].entity == refs[i].parent && !strcmp(g->items[k].key, refs[i].key) &&
                !(refs[i].parent == entity && !strcmp(refs[i].key, key)))
                g->rows[g->item_row[k]].held = true;
}

static int found_row(struct gate *g, size_t entity, const char *key, int64_t version, bool deleted,
                     const struct gate_ref *refs, size_t n_refs, void *document, struct err *err)
{
    struct gate_row *r = add_row(&g->rows, &g->n_rows, &g->rows_size);

    r->entity = entity;
    r->key = arena_strndup(&g->found, key, strlen(key));
    r->version = version;
    r->deleted = deleted;
    r->refs = copy_refs(&g->found, refs, deleted ? 0 : n_refs);
    r->n_refs = deleted ? 0 : n_refs;
    r->document = document;
    r->found = true;
    if (r->key && r->refs)
        return 0;
    g->n_rows--;
    return err_set(err, ERR_LIMIT,
                   "The rows parked on one page need more than %d bytes; make the sweep's page smaller.",
                   FOUND_BYTES_MAX);
}

static int found_child(struct gate *g, size_t entity, const char *key, int64_t version, struct err *err)
{
    const char *copy = arena_strndup(&g->kid_keys, key, strlen(key));

    if (!copy)
        return err_set(err, ERR_LIMIT, "The children found on one page need more than %d bytes.", FOUND_BYTES_MAX);
    if (g->n_kids == g->kids_size) {
        g->kids_size = g->kids_size ? 2 * g->kids_size : 64;
        g->kids = xreallocarray(g->kids, g->kids_size, sizeof *g->kids);
    }
    g->kids[g->n_kids++] = (struct gate_item){.entity = entity, .key = copy, .version = version};
    return 0;
}

int gate_found(struct gate *g, size_t entity, const char *key, int64_t version, bool deleted,
               const struct gate_ref *refs, size_t n_refs, void *document, struct err *err)
{
    bool sweeping = g->phase == PHASE_LOOKUP && g->look_own && !g->step_ready && g->n_work == 0;

    if (entity >= g->contracts->n_entities || n_refs > CONTRACT_REFERENCES_MAX)
        return err_set(err, ERR_BUG, "A row of an unknown entity was given to the gate.");
    if (sweeping) {
        known_set_add(g->maybe, entity, key);
        return found_row(g, entity, key, version, deleted, refs, n_refs, document, err);
    }
    if (!g->step_ready || g->step.kind < GATE_STEP_FIND_PARKED)
        return err_set(err, ERR_BUG, "A row was given to the gate that it did not ask for.");
    g->n_found++;
    if (g->step.kind != GATE_STEP_FIND_CHILDREN)
        return found_row(g, entity, key, version, deleted, refs, n_refs, document, err);
    if (g->phase == PHASE_HOLD) {
        hold_back(g, entity, key, refs, n_refs);
        return 0;
    }
    return found_child(g, entity, key, version, err);
}

int gate_done(struct gate *g, struct err *err)
{
    if (!g->step_ready)
        return err_set(err, ERR_BUG, "The gate was told the outcome of a step that it did not give.");
    gate_phase_answer(g);
    g->step_ready = false;
    return 0;
}

/* --- what may be parked --- */

void gate_forget_parked(struct gate *g)
{
    known_set_clear(g->maybe);
    g->parked_all = true;
    g->sweeping = false;
}

void gate_sweep_start(struct gate *g)
{
    g->sweeping = true;
}

void gate_sweep_complete(struct gate *g)
{
    if (g->sweeping)
        g->parked_all = known_set_forgot(g->maybe);
    g->sweeping = false;
}

struct gate_counts gate_counts_take(struct gate *g)
{
    struct gate_counts c = g->counts;

    g->counts = (struct gate_counts){0};
    return c;
}

void gate_entity_counts_take(struct gate *g, size_t entity, uint64_t *released, uint64_t *stale)
{
    *released = g->released[entity];
    *stale = g->stale[entity];
    g->released[entity] = g->stale[entity] = 0;
}
