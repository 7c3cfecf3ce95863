/* Which step comes next. Every phase has a function that adds the step's items (none: the phase is passed over) and one
 * that takes the answers. The order of the phases is that of gate.h; nothing else decides it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "merge/gate_internal.h"

enum { FIND_KEYS_MAX = 1000 };

static const struct relationship *relation(const struct gate *g, const struct row *r, size_t ref)
{
    return &g->contracts->entities[r->entity].relationships[r->refs[ref].relationship];
}

static bool is_parent(const struct gate *g, size_t entity)
{
    return g->n_children[entity] > 0;
}

static bool ready(struct gate *g, const struct row *r)
{
    if (r->deleted)
        return !r->held;
    for (size_t i = 0; i < r->n_refs; i++)
        if (!gate_ref_ok(g, r, &r->refs[i]))
            return false;
    return true;
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

/* --- LOOKUP, RECHECK, POSTCHECK, VERIFY
 * ----------------------------------------------------------------------------------- */

static void look_up(struct gate *g, size_t entity, const char *key)
{
    bool is_new;
    size_t *at = key_map_put(&g->seen, entity, key, &is_new);

    if (!is_new)
        return;
    *at = g->n_items;
    gate_add_item(g, SIZE_MAX, entity, key, 0);
}

static void begin_look(struct gate *g)
{
    key_map_clear(&g->seen);
    g->n_looked = 0;
}

/* The keys of `seen` are the items'; their places are the same in `looked`. */
static void take_looked(struct gate *g)
{
    if (g->looked_size < g->n_items) {
        g->looked_size = g->n_items;
        g->looked = xreallocarray(g->looked, g->looked_size, sizeof *g->looked);
    }
    g->n_looked = g->n_items;
    g->counts.looked_up += g->n_items;
    for (size_t i = 0; i < g->n_items; i++) {
        const struct gate_item *item = &g->items[i];

        g->looked[i] = (struct looked){item->state, item->found_version};
        if (item->state != GATE_ABSENT && g->asks_ever[item->entity])
            known_set_add(g->known, item->entity, item->key);
    }
}

/* gate_ref_ok must not read answers of the step that is being built: `seen` is filled only after the references were
 * asked. */
static bool build_lookup(struct gate *g, bool parked_only)
{
    begin_look(g);
    for (size_t i = 0; i < g->n_rows; i++) {
        struct row *r = &g->rows[i];

        if (parked_only ? r->parked_now && !r->held : r->state == ROW_NEW)
            for (size_t k = 0; k < r->n_refs; k++) {
                const struct gate_ref *ref = &r->refs[k];
                bool itself = ref->parent == r->entity && !strcmp(ref->key, r->key);
                bool known = relation(g, r, k)->known == KNOWN_EVER && known_set_has(g->known, ref->parent, ref->key);

                if (!itself && !known)
                    look_up(g, ref->parent, ref->key);
            }
        if (!parked_only && g->look_own)
            look_up(g, r->entity, r->key);
    }
    g->step.kind = GATE_STEP_LOOKUP;
    g->step.recheck = parked_only;
    return g->n_items > 0;
}

static void own_answers(struct gate *g)
{
    for (size_t i = 0; g->look_own && i < g->n_rows; i++) {
        struct row *r = &g->rows[i];
        const size_t *at = key_map_get(&g->seen, r->entity, r->key);

        if (!at)
            continue;
        r->own_state = g->looked[*at].state;
        r->own_version = g->looked[*at].version;
        if (r->own_state != GATE_ABSENT && r->own_version >= r->version)
            r->state = ROW_OVERTAKEN;
    }
}

static void after_recheck(struct gate *g)
{
    g->rechecked = true;
    for (size_t i = 0; i < g->n_rows; i++) {
        struct row *r = &g->rows[i];

        if (r->parked_now && !r->held && ready(g, r)) {
            r->state = ROW_NEW;
            r->found = true;
        }
        r->parked_now = false;
    }
}

static bool is_cascading(const struct gate *g, const struct row *r, size_t ref)
{
    const struct gate_ref *p = &r->refs[ref];

    return relation(g, r, ref)->on_parent_delete == PARENT_DELETE_CASCADE &&
           !(p->parent == r->entity && !strcmp(p->key, r->key));
}

static bool build_postcheck(struct gate *g)
{
    begin_look(g);
    for (size_t i = 0; i < g->n_rows; i++) {
        const struct row *r = &g->rows[i];

        for (size_t k = 0; r->state == ROW_WRITTEN && k < r->n_refs; k++)
            if (is_cascading(g, r, k))
                look_up(g, r->refs[k].parent, r->refs[k].key);
    }
    g->step.kind = GATE_STEP_LOOKUP;
    return g->n_items > 0;
}

static void after_postcheck(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        struct row *r = &g->rows[i];

        for (size_t k = 0; r->state == ROW_WRITTEN && k < r->n_refs; k++) {
            const size_t *at = is_cascading(g, r, k) ? key_map_get(&g->seen, r->refs[k].parent, r->refs[k].key) : NULL;
            if (at && g->looked[*at].state == GATE_DELETED)
                r->kill = true;
        }
    }
}

static bool build_verify(struct gate *g)
{
    begin_look(g);
    for (size_t i = 0; i < g->cascade.n; i++)
        if (!g->cascade.keys[i].verified)
            look_up(g, g->cascade.keys[i].entity, g->cascade.keys[i].key);
    g->step.kind = GATE_STEP_LOOKUP;
    return g->n_items > 0;
}

static void after_verify(struct gate *g)
{
    size_t kept = 0;

    for (size_t i = 0; i < g->cascade.n; i++) {
        struct queued *q = &g->cascade.keys[i];
        const size_t *at = q->verified ? NULL : key_map_get(&g->seen, q->entity, q->key);

        q->verified = q->verified || (at && g->looked[*at].state == GATE_DELETED);
        if (q->verified)
            g->cascade.keys[kept++] = *q;
        else
            free(q->key);
    }
    g->cascade.n = kept;
    begin_look(g);
}

/* --- HOLD
 * ----------------------------------------------------------------------------------------------------------------- */

/* The relationship number g->at_child of all that refer to entities with a delete here. */
static bool build_hold(struct gate *g)
{
    for (;; g->at_child++, g->more = false) {
        const struct contract_set *s = g->contracts;
        size_t at = g->at_child;
        const struct child *c = NULL;
        size_t parent = 0;

        for (size_t e = 0; e < s->n_entities && !c; e++) {
            if (at < g->n_children[e]) {
                c = &g->children[e][at];
                parent = e;
            } else {
                at -= g->n_children[e];
            }
        }
        if (!c)
            return false;
        if (s->entities[c->entity].relationships[c->relationship].on_parent_delete != PARENT_DELETE_HOLD)
            continue;
        for (size_t i = 0; i < g->n_rows; i++)
            if (g->rows[i].state == ROW_NEW && g->rows[i].deleted && g->rows[i].entity == parent && !g->rows[i].held)
                gate_add_item(g, i, parent, g->rows[i].key, g->rows[i].version);
        if (!g->n_items)
            continue;
        g->step.kind = GATE_STEP_FIND_CHILDREN;
        g->step.child = c->entity;
        g->step.relationship = c->relationship;
        g->step.more = g->more;
        return true;
    }
}

/* --- UPSERT, UNPARK
 * --------------------------------------------------------------------------------------------------------- */

static bool build_upsert(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        const struct row *r = &g->rows[i];
        struct gate_item *item;

        if (r->state != ROW_NEW || !ready(g, r))
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
        struct row *r = &g->rows[g->item_row[i]];
        bool yes = g->items[i].yes;

        r->state = ROW_WRITTEN;
        if (r->change) {
            r->change->outcome = yes ? GATE_APPLIED : GATE_DUPLICATE;
            g->counts.applied += yes;
            g->counts.duplicate += !yes;
        }
        g->counts.stale += !yes;
        exists_now(g, r->entity, r->key, !r->deleted); /* refused too: then something newer is there */
        if (r->deleted && g->cascades[r->entity])
            queue_push_key(&g->cascade, r->entity, r->key, yes);
    }
}

static bool build_unpark(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        const struct row *r = &g->rows[i];
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
        struct row *r = &g->rows[g->item_row[i]];

        r->unparked = true;
        if (g->items[i].yes) {
            known_set_remove(g->maybe, r->entity, r->key);
            g->counts.released += r->found && r->state == ROW_WRITTEN && !r->deleted;
        } else if (r->found && r->state == ROW_WRITTEN) {
            queue_push_key(&g->peek, r->entity, r->key, false); /* a newer version may have been parked meanwhile */
        }
    }
}

/* --- PARK, SHADOW, WITHDRAW
 * --------------------------------------------------------------------------------------------------- */

static void name_missing(struct gate *g, const struct row *r, struct gate_item *item)
{
    struct gate_ref *missing = arena_alloc(&g->scratch, (r->n_refs ? r->n_refs : 1) * sizeof *missing);

    for (size_t i = 0; missing && i < r->n_refs; i++)
        if (!gate_ref_ok(g, r, &r->refs[i]))
            missing[item->n_waiting++] = r->refs[i];
    item->waiting = missing;
}

static bool build_park(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        struct row *r = &g->rows[i];
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
        struct row *r = &g->rows[g->item_row[i]];

        r->parked_now = true;
        r->change->outcome = GATE_PARKED;
        known_set_add(g->maybe, r->entity, r->key);
        if (r->held)
            queue_push_key(&g->held, r->entity, r->key, false);
    }
}

/* Does silver lack the placeholder of this waiting row? */
static bool wants_shadow(const struct gate *g, const struct row *r)
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
        struct row *r = &g->rows[g->item_row[i]];

        r->shadowed = g->items[i].yes;
        exists_now(g, r->entity, r->key, false);
    }
}

static bool build_withdraw(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        const struct row *r = &g->rows[i];
        bool due = r->parked_now ? !r->fresh || is_parent(g, r->entity)
                                 : g->look_own && r->own_state == GATE_VISIBLE && r->own_version < r->version;

        if (r->state == ROW_WAITING && !r->deleted && !r->shadowed && due)
            gate_add_item(g, i, r->entity, r->key, r->version);
    }
    g->step.kind = GATE_STEP_WITHDRAW;
    return g->n_items > 0;
}

/* --- CASCADE
 * ------------------------------------------------------------------------------------------------------------------ */

static bool build_kill(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++)
        if (g->rows[i].kill)
            gate_add_item(g, i, g->rows[i].entity, g->rows[i].key, g->rows[i].version);
    g->step.kind = GATE_STEP_CASCADE;
    return g->n_items > 0;
}

static void after_cascade(struct gate *g)
{
    for (size_t i = 0; i < g->n_items; i++) {
        const struct gate_item *item = &g->items[i];

        g->counts.cascaded += item->yes;
        if (g->cascades[item->entity])
            queue_push_key(&g->cascade, item->entity, item->key, false);
    }
}

/* Children of the queue's first keys, all of one entity, relationship by relationship. */
static bool build_children(struct gate *g)
{
    size_t entity;

    if (!g->cascade.n)
        return false;
    entity = g->cascade.keys[0].entity;
    if (!g->cascading) {
        while (g->cascading < g->cascade.n && g->cascading < FIND_KEYS_MAX &&
               g->cascade.keys[g->cascading].entity == entity && g->cascade.keys[g->cascading].verified)
            g->cascading++;
        g->at_child = 0;
        g->more = false;
    }
    for (; g->at_child < g->n_children[entity]; g->at_child++, g->more = false) {
        const struct child *c = &g->children[entity][g->at_child];

        if (g->contracts->entities[c->entity].relationships[c->relationship].on_parent_delete != PARENT_DELETE_CASCADE)
            continue;
        for (size_t i = 0; i < g->cascading; i++)
            gate_add_item(g, SIZE_MAX, entity, g->cascade.keys[i].key, 0);
        g->step.kind = GATE_STEP_FIND_CHILDREN;
        g->step.child = c->entity;
        g->step.relationship = c->relationship;
        g->step.more = g->more;
        arena_clear(&g->found);
        g->n_kids = 0;
        return true;
    }
    queue_drop_head(&g->cascade, g->cascading);
    g->cascading = 0;
    return false;
}

static bool build_cascade(struct gate *g)
{
    for (size_t i = 0; i < g->n_kids; i++)
        gate_add_item(g, SIZE_MAX, g->kids[i].entity, g->kids[i].key, g->kids[i].version);
    g->n_kids = 0;
    g->step.kind = GATE_STEP_CASCADE;
    return g->n_items > 0;
}

/* --- NEXT: ranks, queues, the end
 * ----------------------------------------------------------------------------------------------- */

static void begin_admission(struct gate *g, bool look_own)
{
    g->n_rows = 0;
    g->look_own = look_own;
    g->rechecked = g->more = false;
    g->at_child = 0;
    begin_look(g);
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
    if (g->cascade.n)
        return PHASE_VERIFY;
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
        return build_lookup(g, false);
    case PHASE_HOLD:
        return build_hold(g);
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
        return !g->rechecked && build_lookup(g, true);
    case PHASE_POSTCHECK:
        return build_postcheck(g);
    case PHASE_KILL:
        return build_kill(g);
    case PHASE_VERIFY:
        return build_verify(g);
    case PHASE_CHILDREN:
        return build_children(g);
    case PHASE_CASCADE:
        return build_cascade(g);
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
            after_recheck(g);
            for (size_t i = 0; i < g->n_rows; i++)
                released = released || g->rows[i].state == ROW_NEW;
        }
        return released ? PHASE_UPSERT : PHASE_POSTCHECK;
    }
    case PHASE_KILL:
    case PHASE_FIND:
    case PHASE_PEEK:
    case PHASE_NEXT:
        return choose(g);
    case PHASE_CHILDREN:
        return g->cascade.n ? PHASE_VERIFY : choose(g);
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
        g->n_items = 0;
        g->phase = passed_over(g);
    }
}

void gate_phase_answer(struct gate *g)
{
    switch (g->phase) {
    case PHASE_LOOKUP:
        take_looked(g);
        own_answers(g);
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
        g->phase = g->rechecked ? PHASE_POSTCHECK : PHASE_PARK;
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
        take_looked(g);
        after_recheck(g);
        g->phase = PHASE_UPSERT;
        break;
    case PHASE_POSTCHECK:
        take_looked(g);
        after_postcheck(g);
        g->phase = PHASE_KILL;
        break;
    case PHASE_KILL:
        after_cascade(g);
        g->phase = PHASE_NEXT;
        break;
    case PHASE_VERIFY:
        take_looked(g);
        after_verify(g);
        g->phase = PHASE_CHILDREN;
        break;
    case PHASE_CHILDREN:
        g->more = g->n_found == g->step.limit;
        if (!g->more)
            g->at_child++;
        g->phase = PHASE_CASCADE;
        break;
    case PHASE_CASCADE:
        after_cascade(g);
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
