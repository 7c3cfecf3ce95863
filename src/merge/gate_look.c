/* gate_look: what silver says of a key: LOOKUP of the parents, the re-check after PARK, the look at cascading parents
 * after UPSERT, and whether a parent is deleted that a cascade begins at. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "merge/gate_internal.h"

static const struct relationship *relation(const struct gate *g, const struct gate_row *r, size_t ref)
{
    return &g->contracts->entities[r->entity].relationships[r->refs[ref].relationship];
}

static void look_up(struct gate *g, size_t entity, const char *key)
{
    bool is_new;
    size_t *at = key_map_put(&g->seen, entity, key, &is_new);

    if (!is_new)
        return;
    *at = g->n_items;
    gate_add_item(g, SIZE_MAX, entity, key, 0);
}

void gate_look_begin(struct gate *g)
{
    key_map_clear(&g->seen);
    g->n_looked = 0;
}

/* The keys of `seen` are the items'; their places are the same in `looked`. */
void gate_look_take(struct gate *g)
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
bool gate_look_build(struct gate *g, bool parked_only)
{
    gate_look_begin(g);
    for (size_t i = 0; i < g->n_rows; i++) {
        struct gate_row *r = &g->rows[i];

        if (parked_only ? r->parked_now && !r->held : r->state == ROW_NEW)
            for (size_t k = 0; k < r->n_refs; k++) {
                const struct gate_ref *ref = &r->refs[k];
                bool itself = ref->parent == r->entity && !strcmp(ref->key, r->key);

                if (relation(g, r, k)->known == KNOWN_EVER && known_set_has(g->known, ref->parent, ref->key))
                    r->known_refs |= (uint64_t)1 << k;
                if (!itself && !(r->known_refs >> k & 1))
                    look_up(g, ref->parent, ref->key);
            }
        if (parked_only ? r->parked_now && g->wants_current[r->entity] : g->look_own)
            look_up(g, r->entity, r->key);
    }
    g->step.kind = GATE_STEP_LOOKUP;
    g->step.recheck = parked_only;
    return g->n_items > 0;
}

void gate_look_own_answers(struct gate *g)
{
    for (size_t i = 0; g->look_own && i < g->n_rows; i++) {
        struct gate_row *r = &g->rows[i];
        const size_t *at = key_map_get(&g->seen, r->entity, r->key);

        if (!at)
            continue;
        r->own_state = g->looked[*at].state;
        r->own_version = g->looked[*at].version;
        if (r->own_state != GATE_ABSENT && r->own_version >= r->version)
            r->state = ROW_OVERTAKEN;
    }
}

void gate_look_after_recheck(struct gate *g)
{
    g->rechecked = true;
    for (size_t i = 0; i < g->n_rows; i++) {
        struct gate_row *r = &g->rows[i];

        const size_t *own = r->parked_now ? key_map_get(&g->seen, r->entity, r->key) : NULL;

        if (own && g->looked[*own].state != GATE_ABSENT && g->looked[*own].version >= r->version) {
            r->state = ROW_OVERTAKEN; /* a replay: it was visible already, when its parent was */
            r->own_version = g->looked[*own].version;
            r->found = true;
            r->change->outcome = GATE_DUPLICATE;
            g->counts.duplicate++;
        } else if (r->parked_now && !r->held && gate_row_ready(g, r)) {
            r->state = ROW_NEW;
            r->found = true;
        }
        r->parked_now = false;
    }
}

static bool is_cascading(const struct gate *g, const struct gate_row *r, size_t ref)
{
    const struct gate_ref *p = &r->refs[ref];

    return relation(g, r, ref)->on_parent_delete == PARENT_DELETE_CASCADE &&
           !(p->parent == r->entity && !strcmp(p->key, r->key));
}

/* Written now, or by somebody who died before he looked. */
static bool wants_postcheck(const struct gate_row *r)
{
    return !r->checked && (r->state == ROW_WRITTEN || (r->state == ROW_OVERTAKEN && r->own_version == r->version));
}

bool gate_look_build_postcheck(struct gate *g)
{
    gate_look_begin(g);
    for (size_t i = 0; i < g->n_rows; i++) {
        const struct gate_row *r = &g->rows[i];

        for (size_t k = 0; wants_postcheck(r) && k < r->n_refs; k++)
            if (is_cascading(g, r, k))
                look_up(g, r->refs[k].parent, r->refs[k].key);
    }
    g->step.postcheck = true;
    g->step.kind = GATE_STEP_LOOKUP;
    return g->n_items > 0;
}

void gate_look_after_postcheck(struct gate *g)
{
    for (size_t i = 0; i < g->n_rows; i++) {
        struct gate_row *r = &g->rows[i];

        for (size_t k = 0; wants_postcheck(r) && k < r->n_refs; k++) {
            const size_t *at = is_cascading(g, r, k) ? key_map_get(&g->seen, r->refs[k].parent, r->refs[k].key) : NULL;
            if (at && g->looked[*at].state == GATE_DELETED)
                r->kill = true;
        }
        r->checked = r->checked || wants_postcheck(r);
    }
}

bool gate_look_build_verify(struct gate *g)
{
    gate_look_begin(g);
    for (size_t i = 0; i < g->cascade.n; i++)
        if (!g->cascade.keys[i].verified)
            look_up(g, g->cascade.keys[i].entity, g->cascade.keys[i].key);
    g->step.kind = GATE_STEP_LOOKUP;
    return g->n_items > 0;
}

void gate_look_after_verify(struct gate *g)
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
    gate_look_begin(g);
}
