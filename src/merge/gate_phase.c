/* gate_phase: which step comes next. Every phase has a function that adds the step's items (none: the phase is passed
 * over) and one that takes the answers. The order of the phases is that of gate.h; nothing else decides it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "merge/gate_internal.h"

enum { FIND_KEYS_MAX = 1000 };

static bool is_parent(const struct gate *g, size_t entity)
{
    return g->n_children[entity] > 0;
}

/* The key exists in silver now, and is visible when `visible` says so: who waits for it must be looked for. */
static void exists_now(struct gate *g, size_t entity, const char *key, bool visible)
{
    if (!is_parent(g, entity))
        return;
    if (g->asks_ever[entity])
        known_set_add(g->known, entity, key);
    if ((visible && g->asks_current[entity]) || (g->asks_ever[entity] && !known_set_has(g->settled, entity, key)))
        queue_push_key(&g->visible, entity, key, false);
}

/* --- UPSERT, UNPARK --- */

static bool build_upsert(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        struct gate_row *r = &g->rows[i];
        struct gate_item *item;

        if (r->state != ROW_NEW || !gate_row_ready(g, r))
            continue;
        item = gate_add_item(g, i, r->entity, r->key, r->version);
        item->deleted = r->deleted;
        item->document = r->document;
        item->refs = r->refs;
        item->n_refs = r->n_refs;
    }
    g->step.kind = GATE_STEP_UPSERT;
    return g->n_items > 0;
}

static void after_upsert(struct gate *g)
{
    for (size_t i = 0; i < g->n_items; i++) {
        struct gate_row *r = &g->rows[g->item_row[i]];
        bool yes = g->items[i].yes;

        r->state = ROW_WRITTEN;
        if (r->change) {
            r->change->outcome = yes ? GATE_APPLIED : GATE_DUPLICATE;
            g->counts.applied += yes;
            g->counts.duplicate += !yes;
        }
        g->counts.stale += !yes;
        g->stale[r->entity] += !yes;
        exists_now(g, r->entity, r->key, !r->deleted); /* refused too: then something newer is there */
        if (r->deleted && g->cascades[r->entity])
            queue_push_key(&g->cascade, r->entity, r->key, yes);
    }
}

static bool build_unpark(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        const struct gate_row *r = &g->rows[i];
        bool due = !r->unparked && (r->state == ROW_WRITTEN || r->state == ROW_OVERTAKEN);

        if (due &&
            (r->found || g->parked_all || known_set_forgot(g->maybe) || known_set_has(g->maybe, r->entity, r->key)))
            gate_add_item(g, i, r->entity, r->key, r->version);
    }
    g->step.kind = GATE_STEP_UNPARK;
    return g->n_items > 0;
}

static void after_unpark(struct gate *g)
{
    for (size_t i = 0; i < g->n_items; i++) {
        struct gate_row *r = &g->rows[g->item_row[i]];

        r->unparked = true;
        if (g->items[i].yes) {
            known_set_remove(g->maybe, r->entity, r->key);
            g->counts.released += r->found && r->state == ROW_WRITTEN && !r->deleted;
            g->released[r->entity] += r->found && r->state == ROW_WRITTEN && !r->deleted;
        } else if (r->found && r->state == ROW_WRITTEN) {
            queue_push_key(&g->peek, r->entity, r->key, false); /* a newer version may have been parked meanwhile */
        }
    }
}

/* --- PARK, SHADOW, WITHDRAW --- */

static void name_missing(struct gate *g, struct gate_row *r, struct gate_item *item)
{
    struct gate_ref *missing = arena_alloc(&g->scratch, (r->n_refs ? r->n_refs : 1) * sizeof *missing);

    for (size_t i = 0; missing && i < r->n_refs; i++)
        if (!gate_ref_ok(g, r, i))
            missing[item->n_waiting++] = r->refs[i];
    item->waiting = missing;
}

static bool build_park(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        struct gate_row *r = &g->rows[i];
        struct gate_item *item;

        if (r->state != ROW_NEW)
            continue;
        r->state = ROW_WAITING;
        if (r->found)
            continue; /* it is parked already */
        item = gate_add_item(g, i, r->entity, r->key, r->version);
        item->deleted = r->deleted;
        item->document = r->document;
        item->refs = r->refs;
        item->n_refs = r->n_refs;
        if (!r->deleted)
            name_missing(g, r, item);
    }
    g->step.kind = GATE_STEP_PARK;
    return g->n_items > 0;
}

static void after_park(struct gate *g)
{
    for (size_t i = 0; i < g->n_items; i++) {
        struct gate_row *r = &g->rows[g->item_row[i]];

        r->parked_now = true;
        r->change->outcome = GATE_PARKED;
        known_set_add(g->maybe, r->entity, r->key);
        if (r->held)
            queue_push_key(&g->held, r->entity, r->key, false);
    }
}

/* Does silver lack the placeholder of this waiting row? */
static bool wants_shadow(const struct gate *g, const struct gate_row *r)
{
    if (r->state != ROW_WAITING || r->deleted || !is_parent(g, r->entity))
        return false;
    return r->parked_now || (g->look_own && (r->own_state == GATE_ABSENT || r->own_version < r->version - 1));
}

static bool build_shadow(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++)
        if (wants_shadow(g, &g->rows[i]))
            gate_add_item(g, i, g->rows[i].entity, g->rows[i].key, g->rows[i].version - 1);
    g->step.kind = GATE_STEP_SHADOW;
    return g->n_items > 0;
}

static void after_shadow(struct gate *g)
{
    for (size_t i = 0; i < g->n_items; i++) {
        struct gate_row *r = &g->rows[g->item_row[i]];

        r->shadowed = g->items[i].yes;
        exists_now(g, r->entity, r->key, false);
    }
}

static bool build_withdraw(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        const struct gate_row *r = &g->rows[i];
        bool due = r->parked_now ? !r->fresh || is_parent(g, r->entity)
                                 : g->look_own && r->own_state == GATE_VISIBLE && r->own_version < r->version;

        if (r->state == ROW_WAITING && !r->deleted && !r->shadowed && due)
            gate_add_item(g, i, r->entity, r->key, r->version);
    }
    g->step.kind = GATE_STEP_WITHDRAW;
    return g->n_items > 0;
}

/* --- NEXT: ranks, queues, the end --- */

static void begin_admission(struct gate *g, bool look_own)
{
    g->n_rows = 0;
    g->look_own = look_own;
    g->rechecked = g->more = false;
    g->at_child = 0;
    gate_look_begin(g);
}

static void next_rank(struct gate *g)
{
    size_t first = g->next_work, rank = g->contracts->entities[g->work[first].entity].rank;

    begin_admission(g, false);
    while (g->next_work < g->n_work && g->contracts->entities[g->work[g->next_work].entity].rank == rank)
        g->next_work++;
    if (g->rows_size < g->next_work - first) {
        g->rows_size = g->next_work - first;
        g->rows = xreallocarray(g->rows, g->rows_size, sizeof *g->rows);
    }
    g->n_rows = g->next_work - first;
    memcpy(g->rows, g->work + first, g->n_rows * sizeof *g->rows);
}

static void admission_over(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++)
        g->counts.parked += g->rows[i].change && g->rows[i].change->outcome == GATE_PARKED;
    g->n_rows = 0;
    g->look_own = false;
}

/* Held deletes are tried once more at the end of their batch, for it may have deleted the children too. */
static void retry_held(struct gate *g)
{
    for (size_t i = 0; i < g->held.n; i++)
        queue_push_key(&g->peek, g->held.keys[i].entity, g->held.keys[i].key, false);
    queue_release_keys(&g->held);
}

static bool settles(const struct gate *g, size_t entity)
{
    return g->asks_ever[entity];
}

static void find_over(struct gate *g)
{
    for (size_t i = 0; i < g->finding.n; i++)
        if (settles(g, g->finding.keys[i].entity))
            known_set_add(g->settled, g->finding.keys[i].entity, g->finding.keys[i].key);
    queue_drop_head(&g->finding, g->finding.n);
}

static enum gate_phase choose(struct gate *g)
{
    admission_over(g);
    if (g->next_work < g->n_work) {
        next_rank(g);
        return PHASE_LOOKUP;
    }
    if (g->held.n)
        retry_held(g);
    if (g->peek.n)
        return PHASE_PEEK;
    if (g->finding.n || g->visible.n)
        return PHASE_FIND;
    return PHASE_DONE;
}

static bool build_peek(struct gate *g)
{
    size_t n = g->peek.n < FIND_KEYS_MAX ? g->peek.n : FIND_KEYS_MAX;

    if (!n)
        return false;
    if (n > g->page)
        n = g->page; /* so that one page holds the answer */
    begin_admission(g, true);
    arena_clear(&g->found);
    for (size_t i = 0; i < n; i++)
        gate_add_item(g, SIZE_MAX, g->peek.keys[i].entity, g->peek.keys[i].key, 0);
    g->step.kind = GATE_STEP_PEEK_PARKED;
    return true;
}

static bool build_find(struct gate *g)
{
    bool more = g->finding.n > 0;

    if (!more) {
        size_t n = g->visible.n < FIND_KEYS_MAX ? g->visible.n : FIND_KEYS_MAX;

        for (size_t i = 0; i < n; i++)
            queue_push_key(&g->finding, g->visible.keys[i].entity, g->visible.keys[i].key, false);
        queue_drop_head(&g->visible, n);
    }
    begin_admission(g, false);
    arena_clear(&g->found);
    for (size_t i = 0; i < g->finding.n; i++)
        gate_add_item(g, SIZE_MAX, g->finding.keys[i].entity, g->finding.keys[i].key, 0);
    g->step.kind = GATE_STEP_FIND_PARKED;
    g->step.more = more;
    return g->n_items > 0;
}

static bool build(struct gate *g)
{
    switch (g->phase) {
    case PHASE_LOOKUP:
        return gate_look_build(g, false);
    case PHASE_HOLD:
        return gate_cascade_build_hold(g);
    case PHASE_UPSERT:
        return build_upsert(g);
    case PHASE_UNPARK:
        return build_unpark(g);
    case PHASE_PARK:
        return build_park(g);
    case PHASE_SHADOW:
        return build_shadow(g);
    case PHASE_WITHDRAW:
        return build_withdraw(g);
    case PHASE_RECHECK:
        return !g->rechecked && gate_look_build(g, true);
    case PHASE_POSTCHECK:
        return gate_look_build_postcheck(g);
    case PHASE_KILL:
        return gate_cascade_build_kill(g);
    case PHASE_VERIFY:
        return gate_look_build_verify(g);
    case PHASE_CHILDREN:
        return gate_cascade_build_children(g);
    case PHASE_CASCADE:
        return gate_cascade_build(g);
    case PHASE_PEEK:
        return build_peek(g);
    case PHASE_FIND:
        return build_find(g);
    case PHASE_DONE:
        g->step.kind = GATE_STEP_DONE;
        return true;
    case PHASE_IDLE:
    case PHASE_NEXT:
        break;
    }
    return false;
}

/* The phase after one that had nothing to do. */
static enum gate_phase passed_over(struct gate *g)
{
    switch (g->phase) {
    case PHASE_RECHECK: { /* nothing to ask is not nothing to release: all that was missing may be known by now */
        bool released = false;

        if (!g->rechecked) {
            gate_look_after_recheck(g);
            for (size_t i = 0; i < g->n_rows; i++)
                released = released || g->rows[i].state == ROW_NEW;
        }
        return released ? PHASE_UPSERT : PHASE_NEXT;
    }
    case PHASE_FIND:
    case PHASE_PEEK:
    case PHASE_NEXT:
        return choose(g);
    case PHASE_CHILDREN:
        return g->cascade.n ? PHASE_VERIFY : PHASE_UNPARK;
    case PHASE_CASCADE:
        return PHASE_CHILDREN;
    case PHASE_IDLE:
        return PHASE_DONE;
    default:
        return (enum gate_phase)(g->phase + 1);
    }
}

void gate_phase_build(struct gate *g)
{
    while (!build(g)) {
        g->step = (struct gate_step){.limit = g->page};
        g->n_items = 0;
        g->phase = passed_over(g);
    }
}

void gate_phase_answer(struct gate *g)
{
    switch (g->phase) {
    case PHASE_LOOKUP:
        gate_look_take(g);
        gate_look_own_answers(g);
        g->phase = PHASE_HOLD;
        break;
    case PHASE_HOLD:
        g->more = g->n_found == g->step.limit;
        if (!g->more)
            g->at_child++;
        break;
    case PHASE_UPSERT:
        after_upsert(g); /* and again: what was written may be what others waited for */
        break;
    case PHASE_UNPARK:
        after_unpark(g);
        g->phase = PHASE_PARK;
        break;
    case PHASE_PARK:
        after_park(g);
        g->phase = PHASE_SHADOW;
        break;
    case PHASE_SHADOW:
        after_shadow(g);
        g->phase = PHASE_WITHDRAW;
        break;
    case PHASE_WITHDRAW:
        for (size_t i = 0; i < g->n_items; i++)
            g->counts.withdrawn += g->items[i].yes;
        g->phase = PHASE_RECHECK;
        break;
    case PHASE_RECHECK:
        gate_look_take(g);
        gate_look_after_recheck(g);
        g->phase = PHASE_UPSERT;
        break;
    case PHASE_POSTCHECK:
        gate_look_take(g);
        gate_look_after_postcheck(g);
        g->phase = PHASE_KILL;
        break;
    case PHASE_KILL:
        gate_cascade_after(g);
        g->phase = PHASE_VERIFY;
        break;
    case PHASE_VERIFY:
        gate_look_take(g);
        gate_look_after_verify(g);
        g->phase = PHASE_CHILDREN;
        break;
    case PHASE_CHILDREN:
        g->more = g->n_found == g->step.limit;
        if (!g->more)
            g->at_child++;
        g->phase = PHASE_CASCADE;
        break;
    case PHASE_CASCADE:
        gate_cascade_after(g);
        g->phase = PHASE_CHILDREN;
        break;
    case PHASE_PEEK:
        queue_drop_head(&g->peek, g->n_items);
        g->phase = PHASE_LOOKUP;
        break;
    case PHASE_FIND:
        if (g->n_found < g->step.limit)
            find_over(g);
        g->phase = PHASE_LOOKUP;
        break;
    case PHASE_DONE:
        g->phase = PHASE_IDLE;
        break;
    case PHASE_IDLE:
    case PHASE_NEXT:
        break;
    }
}
