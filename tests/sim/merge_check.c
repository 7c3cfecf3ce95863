/* The end of a merge run: M2 for bronze, M4 and with it M5 and M6: silver and parked are what the model says, exactly.
 */
#include <stdio.h>
#include <string.h>

#include "merge_world.h"

/* What may be in the end, for a key whose newest change is no delete. */
struct fate {
    bool resolved; /* every parent that it requires existed, or is visible for `current` */
    bool maybe;    /* the order of arrival decides whether it resolves (current) */
    bool must_die; /* a cascading parent is deleted */
    bool may_die;  /* a cascading parent was deleted at some time */
};

static const struct relationship *relation(const struct world *w, size_t e, size_t i)
{
    return &w->contracts->entities[e].relationships[i];
}

static bool itself(const struct world *w, const struct event *n, size_t i)
{
    return relation(w, n->entity, i)->parent == n->entity && (size_t)n->refs[i] == n->key;
}

static bool cascades_on(const struct world *w, size_t e)
{
    for (size_t i = 0; i < w->contracts->entities[e].n_relationships; i++)
        if (relation(w, e, i)->on_parent_delete == PARENT_DELETE_CASCADE)
            return true;
    return false;
}

/* Resolved by the least solution: nobody resolves by himself. */
static void resolve(const struct world *w, struct fate fates[ENTITIES][KEYS])
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t e = 0; e < w->n_entities; e++)
            for (size_t k = 0; k < KEYS; k++) {
                const struct event *n = world_newest(w, e, k);
                bool resolved = n && !n->deleted, maybe = resolved;

                for (size_t i = 0; n && i < w->contracts->entities[e].n_relationships; i++) {
                    size_t p = relation(w, e, i)->parent;

                    if (n->refs[i] < 0 || itself(w, n, i))
                        continue;
                    if (relation(w, e, i)->known == KNOWN_EVER)
                        resolved = resolved && world_existed(w, p, n->refs[i]);
                    else
                        resolved = resolved && fates[p][n->refs[i]].resolved;
                    maybe = maybe && world_existed(w, p, n->refs[i]);
                }
                changed = changed || resolved != fates[e][k].resolved;
                fates[e][k].resolved = resolved;
                fates[e][k].maybe = maybe && !resolved;
            }
    }
}

static bool dies_by(const struct world *w, const struct event *n, struct fate fates[ENTITIES][KEYS], bool surely)
{
    for (size_t i = 0; i < w->contracts->entities[n->entity].n_relationships; i++) {
        const struct relationship *r = relation(w, n->entity, i);
        const struct event *parent;

        if (r->on_parent_delete != PARENT_DELETE_CASCADE || n->refs[i] < 0 || itself(w, n, i))
            continue;
        parent = world_newest(w, r->parent, (size_t)n->refs[i]);
        if (surely ? parent && (parent->deleted || fates[r->parent][n->refs[i]].must_die)
                   : fates[r->parent][n->refs[i]].may_die)
            return true;
    }
    return false;
}

static void find_dead(const struct world *w, struct fate fates[ENTITIES][KEYS])
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < w->n_events; i++) {
            const struct event *e = &w->events[i];
            struct fate *f = &fates[e->entity][e->key];
            bool newest = world_newest(w, e->entity, e->key) == e;
            bool may = f->may_die || e->deleted || dies_by(w, e, fates, false);
            bool must = f->must_die || (newest && !e->deleted && f->resolved && dies_by(w, e, fates, true));

            changed = changed || may != f->may_die || must != f->must_die;
            f->may_die = may;
            f->must_die = must;
        }
    }
}

static void check_live(struct world *w, const struct event *n, const struct fate *f)
{
    const struct silver_row *row = &w->silver[n->entity][n->key];
    const struct parked_row *parked = &w->parked[n->entity][n->key];
    const char *name = w->contracts->entities[n->entity].name;
    bool current = row->state != GATE_ABSENT && row->version == n->version;
    bool visible = row->state == GATE_VISIBLE, cascades = cascades_on(w, n->entity);

    if (parked->there && parked->version != n->version)
        world_violation(w, "M4: %s %zu: an old version is parked", name, n->key);
    else if (visible && !current)
        world_violation(w, "M4: %s %zu: an old version is visible", name, n->key);
    else if (parked->there && visible)
        world_violation(w, "M4: %s %zu is both parked and visible", name, n->key);
    else if (f->maybe) {
        if (!visible && !parked->there)
            world_violation(w, "M4: %s %zu is lost", name, n->key);
    } else if (!f->resolved) {
        if (visible || !parked->there)
            world_violation(w, "M4: %s %zu must be parked", name, n->key);
    } else if (parked->there)
        world_violation(w, "M4: %s %zu is parked, though its parents are there", name, n->key);
    else if (cascades && f->must_die) {
        if (visible)
            world_violation(w, "M4: %s %zu is visible, though its parent's delete cascades", name, n->key);
    } else if (!visible && !(cascades && f->may_die && current))
        world_violation(w, "M4: %s %zu must be visible", name, n->key);
}

bool world_has_held_child(const struct world *w, size_t entity, size_t key)
{
    for (size_t e = 0; e < w->n_entities; e++)
        for (size_t k = 0; k < KEYS; k++)
            for (size_t i = 0; i < w->contracts->entities[e].n_relationships; i++)
                if (relation(w, e, i)->parent == entity && relation(w, e, i)->on_parent_delete == PARENT_DELETE_HOLD &&
                    w->silver[e][k].state == GATE_VISIBLE && w->silver[e][k].event->refs[i] == (int)key)
                    return true;
    return false;
}

static void check_dead(struct world *w, const struct event *n)
{
    const struct silver_row *row = &w->silver[n->entity][n->key];
    const struct parked_row *parked = &w->parked[n->entity][n->key];
    const char *name = w->contracts->entities[n->entity].name;

    if (parked->there) {
        if (parked->version != n->version || !world_has_held_child(w, n->entity, n->key))
            world_violation(w, "M4: %s %zu is deleted, and parked without a reason", name, n->key);
    } else if (row->state != GATE_DELETED || row->version != n->version) {
        world_violation(w, "M4: %s %zu is deleted, and has no tombstone", name, n->key);
    }
}

/* The objects of a partition join, and hold every record once. */
static void check_bronze(struct world *w, size_t e, size_t p)
{
    int64_t at = 0;
    size_t record = 0;

    while (record < w->n_log[e][p]) {
        const struct object *o = world_object(w, e, p, at);

        if (!o) {
            world_violation(w, "M2: bronze of %s/%zu has a gap at offset %d", w->contracts->entities[e].name, p,
                            (int)at);
            return;
        }
        for (size_t i = 0; i < o->n; i++, record++)
            if (record == w->n_log[e][p] || o->offsets[i] != w->log[e][p][record]->offset) {
                world_violation(w, "M2: bronze of %s/%zu does not hold the records in order",
                                w->contracts->entities[e].name, p);
                return;
            }
        at = o->next;
    }
    for (size_t i = 0; i < w->n_objects; i++)
        for (size_t k = 0; k < w->n_objects; k++)
            if (i != k && w->objects[i].entity == w->objects[k].entity &&
                w->objects[i].partition == w->objects[k].partition && w->objects[i].first < w->objects[k].next &&
                w->objects[k].first < w->objects[i].next)
                world_violation(w, "M2: two bronze objects overlap");
}

void world_check_end(struct world *w)
{
    struct fate fates[ENTITIES][KEYS];

    memset(fates, 0, sizeof fates);
    resolve(w, fates);
    find_dead(w, fates);
    for (size_t e = 0; e < w->n_entities && !world_broken(w); e++) {
        for (size_t k = 0; k < KEYS && !world_broken(w); k++) {
            const struct event *n = world_newest(w, e, k);

            if (n && n->deleted)
                check_dead(w, n);
            else if (n)
                check_live(w, n, &fates[e][k]);
            else if (w->silver[e][k].state != GATE_ABSENT || w->parked[e][k].there)
                world_violation(w, "M4: a row that never was is there");
        }
        for (size_t p = 0; p < PARTITIONS && !world_broken(w); p++)
            check_bronze(w, e, p);
    }
}
