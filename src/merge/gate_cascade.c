/* gate_cascade: children of deleted parents: HOLD keeps the delete waiting while there are some, CASCADE deletes them
 * too.
 *
 * A cascade goes down level by level. A child that cascades further is found again when it was cascaded already, since
 * whoever did that may have died before he went on below it; `visited` ends cycles. */
#include "merge/gate_internal.h"

enum { CASCADE_KEYS_MAX = 1000 };

/* The relationship number g->at_child of all that refer to entities with a delete here. */
bool gate_cascade_build_hold(struct gate *g)
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

bool gate_cascade_build_kill(struct gate *g)
{
    known_set_clear(g->visited); /* a new walk: what was cascaded by the one before may be visible and cascaded again */
    for (size_t i = 0; i < g->n_rows; i++)
        if (g->rows[i].kill)
            gate_add_item(g, i, g->rows[i].entity, g->rows[i].key, g->rows[i].version);
    for (size_t i = 0; i < g->n_rows; i++)
        g->rows[i].kill = false;
    g->step.kind = GATE_STEP_CASCADE;
    return g->n_items > 0;
}

void gate_cascade_after(struct gate *g)
{
    for (size_t i = 0; i < g->n_items; i++) {
        const struct gate_item *item = &g->items[i];

        g->counts.cascaded += item->yes;
        if (g->cascades[item->entity] && !known_set_has(g->visited, item->entity, item->key)) {
            known_set_add(g->visited, item->entity, item->key);
            queue_push_key(&g->cascade, item->entity, item->key, false);
        }
    }
}

/* Children of the queue's first keys, all of one entity, relationship by relationship. */
bool gate_cascade_build_children(struct gate *g)
{
    size_t entity;

    if (!g->cascade.n)
        return false;
    entity = g->cascade.keys[0].entity;
    if (!g->cascading) {
        while (g->cascading < g->cascade.n && g->cascading < CASCADE_KEYS_MAX &&
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
        g->step.cascaded = g->cascades[c->entity];
        arena_clear(&g->kid_keys);
        g->n_kids = 0;
        return true;
    }
    queue_drop_head(&g->cascade, g->cascading);
    g->cascading = 0;
    return false;
}

bool gate_cascade_build(struct gate *g)
{
    for (size_t i = 0; i < g->n_kids; i++)
        gate_add_item(g, SIZE_MAX, g->kids[i].entity, g->kids[i].key, g->kids[i].version);
    g->n_kids = 0;
    g->step.kind = GATE_STEP_CASCADE;
    return g->n_items > 0;
}
