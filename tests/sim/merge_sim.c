/* Several mergers on one world, item by item in random order. */
#include <stdlib.h>
#include <string.h>

#include "merge/bronze_writer.h"
#include "merge_world.h"

enum { MERGERS = 3, BATCH = 24, LATE = 64, STEPS_MAX = 200000, PAGE = 2 };

static const char *const scenarios[] = {
    /* rides and users */
    "  - name: users\n    properties: [{name: id, primaryKey: true}]\n"
    "  - name: rides\n    properties: [{name: id, primaryKey: true}, {name: c, required: true, relationships: [{to: "
    "users.id}]},"
    " {name: d, relationships: [{to: users.id}]}]\n",
    /* a chain with a self-reference */
    "  - name: rides\n    properties: [{name: id, primaryKey: true}, {name: c, relationships: [{to: users.id}]},"
    " {name: t, relationships: [{to: towns.id}]}]\n"
    "  - name: towns\n    properties: [{name: id, primaryKey: true}]\n"
    "  - name: users\n    properties: [{name: id, primaryKey: true}, {name: t, relationships: [{to: towns.id}]},"
    " {name: boss, relationships: [{to: users.id}]}]\n",
    /* a cycle, and one who hangs on it */
    "  - name: a\n    properties: [{name: id, primaryKey: true}, {name: b, relationships: [{to: b.id}]}]\n"
    "  - name: b\n    properties: [{name: id, primaryKey: true}, {name: a, relationships: [{to: a.id}]}]\n"
    "  - name: c\n    properties: [{name: id, primaryKey: true}, {name: a, relationships: [{to: a.id}]}]\n",
    /* current, through two levels */
    "  - name: towns\n    properties: [{name: id, primaryKey: true}]\n"
    "  - name: users\n    properties: [{name: id, primaryKey: true}, {name: t, relationships: [{to: towns.id, "
    "customProperties:"
    " [{property: known, value: current}]}]}]\n"
    "  - name: rides\n    properties: [{name: id, primaryKey: true}, {name: c, relationships: [{to: users.id, "
    "customProperties:"
    " [{property: known, value: current}]}]}, {name: t, relationships: [{to: towns.id}]}]\n",
    /* cascade, through two levels */
    "  - name: users\n    properties: [{name: id, primaryKey: true}]\n"
    "  - name: rides\n    properties: [{name: id, primaryKey: true}, {name: c, relationships: [{to: users.id, "
    "customProperties:"
    " [{property: onParentDelete, value: cascade}]}]}, {name: d, relationships: [{to: users.id}]}]\n"
    "  - name: stops\n    properties: [{name: id, primaryKey: true}, {name: r, relationships: [{to: rides.id, "
    "customProperties:"
    " [{property: onParentDelete, value: cascade}]}]}]\n",
    /* hold */
    "  - name: users\n    properties: [{name: id, primaryKey: true}]\n"
    "  - name: rides\n    properties: [{name: id, primaryKey: true}, {name: c, relationships: [{to: users.id, "
    "customProperties:"
    " [{property: onParentDelete, value: hold}]}]}, {name: d, relationships: [{to: users.id}]}]\n",
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };
static struct contract_set *contracts[SCENARIOS];

struct merger {
    bool alive, zombie; /* zombie: it lost partitions in mid-batch; it finishes the batch and commits nothing of them */
    struct gate *gate;
    bool owns[ENTITIES][PARTITIONS];
    size_t at[ENTITIES][PARTITIONS]; /* index in the log */
    struct bronze_writer *bronze[ENTITIES][PARTITIONS];
    bool busy, sweeping;
    struct gate_change changes[BATCH];
    struct gate_ref refs[BATCH][REFS];
    size_t n_changes;
    bool item_done[256]; /* of the step under way */
    size_t items_done;
    size_t cursor[GATE_STEP_FIND_CHILDREN + 1]; /* FIND: place behind the last row given */
};

struct late_write {
    enum gate_step_kind kind;
    struct gate_item item;
    struct gate_ref waiting[REFS];
};

struct sim {
    struct world world;
    struct merger mergers[MERGERS];
    size_t n_mergers;
    struct late_write late[LATE];
    size_t n_late;
    bool faults, faulty; /* faults may happen now; one of the kinds that only a sweep heals did */
};

void merge_sim_setup(void)
{
    for (size_t i = 0; i < SCENARIOS; i++) {
        static const char head[] =
            "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n";
        char text[4096];
        struct err err = ERR_INIT;

        strcpy(text, head);
        strcat(text, scenarios[i]);
        if (contract_set_load_bytes(&contracts[i], "sim.yaml", text, strlen(text), NULL, NULL, &err))
            abort();
    }
}

void merge_sim_teardown(void)
{
    for (size_t i = 0; i < SCENARIOS; i++)
        contract_set_free(contracts[i]);
}

static void check(struct sim *s, int rc, const struct err *err)
{
    if (rc)
        world_violation(&s->world, "the core gave an error: %s", err->text);
}

/* --- a merger's life --- */

static void start(struct sim *s, struct merger *m)
{
    memset(m, 0, sizeof *m);
    m->alive = true;
    m->gate = gate_new(s->world.contracts, 2 + sim_below(s->world.random, 64), PAGE);
}

static void let_go(struct merger *m, size_t e, size_t p)
{
    m->owns[e][p] = false;
    bronze_writer_free(m->bronze[e][p]);
    m->bronze[e][p] = NULL;
}

static void own(struct sim *s, struct merger *m, size_t e, size_t p)
{
    struct world *w = &s->world;
    int64_t from = w->committed[e][p];
    struct bronze_limits limits = {.object_bytes = 1 + sim_below(w->random, 40),
                                   .object_records = 1 + sim_below(w->random, 8)};

    if (s->faults && w->n_history[e][p] && sim_chance(w->random, 20)) /* a rewind: the suffix comes again */
        from = w->history[e][p][sim_below(w->random, w->n_history[e][p])];
    m->owns[e][p] = true;
    m->at[e][p] = 0;
    while (m->at[e][p] < w->n_log[e][p] && w->log[e][p][m->at[e][p]]->offset < from)
        m->at[e][p]++;
    m->bronze[e][p] = bronze_writer_new(&limits, from);
    gate_forget_parked(m->gate);
}

static void stop(struct merger *m)
{
    for (size_t e = 0; e < ENTITIES; e++)
        for (size_t p = 0; p < PARTITIONS; p++)
            let_go(m, e, p);
    gate_free(m->gate);
    memset(m, 0, sizeof *m);
}

/* Every partition without an owner gets one. */
static void assign(struct sim *s)
{
    for (size_t e = 0; e < s->world.n_entities; e++)
        for (size_t p = 0; p < PARTITIONS; p++) {
            bool owned = false;

            for (size_t i = 0; i < s->n_mergers; i++)
                owned = owned || s->mergers[i].owns[e][p];
            if (!owned)
                own(s, &s->mergers[sim_below(s->world.random, s->n_mergers)], e, p);
        }
}

static bool is_write(enum gate_step_kind kind)
{
    return kind != GATE_STEP_LOOKUP && kind < GATE_STEP_FIND_PARKED && kind != GATE_STEP_DONE;
}

/* What the dead merger had sent and the store has not yet carried out. */
static void keep_late(struct sim *s, const struct gate_step *step, const struct merger *m)
{
    for (size_t i = 0; i < step->n && s->n_late < LATE; i++)
        if (is_write(step->kind) && !m->item_done[i] && sim_chance(s->world.random, 40)) {
            struct late_write *l = &s->late[s->n_late++];

            *l = (struct late_write){.kind = step->kind, .item = step->items[i]};
            l->item.key = world_key_text[world_key(l->item.key)];
            for (size_t k = 0; k < l->item.n_waiting; k++)
                l->waiting[k] = l->item.waiting[k];
        }
}

static void crash(struct sim *s, struct merger *m)
{
    s->world.result->crashes++;
    s->world.alone = false;
    world_tell(&s->world, "merger %zu crashes", (size_t)(m - s->mergers));
    s->faulty = true;
    if (m->busy)
        keep_late(s, gate_next(m->gate), m);
    stop(m);
    start(s, m);
    assign(s);
}

static void land_late(struct sim *s)
{
    size_t i = sim_below(s->world.random, s->n_late);
    struct late_write l = s->late[i];

    l.item.waiting = l.waiting;
    s->world.result->late_writes++;
    world_write(&s->world, l.kind, &l.item);
    s->late[i] = s->late[--s->n_late];
}

/* --- batches
 * ---------------------------------------------------------------------------------------------------------------------
 */

static size_t make_refs(const struct world *w, const struct event *e, struct gate_ref *out)
{
    size_t n = 0;

    for (size_t i = 0; !e->deleted && i < w->contracts->entities[e->entity].n_relationships; i++)
        if (e->refs[i] >= 0)
            out[n++] = (struct gate_ref){.relationship = i,
                                         .parent = w->contracts->entities[e->entity].relationships[i].parent,
                                         .key = world_key_text[e->refs[i]]};
    return n;
}

static void *as_document(const struct event *e)
{
    union {
        const struct event *in;
        void *out;
    } u = {.in = e};

    return u.out;
}

static void take_record(struct sim *s, struct merger *m, size_t e, size_t p)
{
    struct world *w = &s->world;
    const struct event *event = w->log[e][p][m->at[e][p]++];
    uint8_t byte = (uint8_t)event->offset;
    struct bronze_record r = {.offset = event->offset, .encoded = &byte, .len = 1};
    struct gate_change *c = &m->changes[m->n_changes];
    struct err err = ERR_INIT;

    *c = (struct gate_change){.entity = e,
                              .key = world_key_text[event->key],
                              .version = event->version,
                              .deleted = event->deleted,
                              .fresh = event->fresh,
                              .refs = m->refs[m->n_changes],
                              .document = as_document(event)};
    c->n_refs = make_refs(w, event, m->refs[m->n_changes++]);
    check(s, bronze_writer_add(m->bronze[e][p], &r, &err), &err);
}

static void begin_batch(struct sim *s, struct merger *m)
{
    size_t wanted = 1 + sim_below(s->world.random, BATCH);
    struct err err = ERR_INIT;

    m->n_changes = 0;
    for (size_t tries = 0; tries < 3 * BATCH && m->n_changes < wanted; tries++) {
        size_t e = sim_below(s->world.random, s->world.n_entities), p = sim_below(s->world.random, PARTITIONS);

        if (m->owns[e][p] && m->at[e][p] < s->world.n_log[e][p])
            take_record(s, m, e, p);
    }
    if (!m->n_changes)
        return;
    for (size_t i = 0; i < m->n_changes; i++)
        world_tell(&s->world, "merger %zu takes %s %s v%d%s", (size_t)(m - s->mergers),
                   s->world.contracts->entities[m->changes[i].entity].name, m->changes[i].key,
                   (int)(m->changes[i].version & 0xfff), m->changes[i].deleted ? " deleted" : "");
    check(s, gate_begin(m->gate, m->changes, m->n_changes, &err), &err);
    m->busy = true;
    m->sweeping = false;
}

static void give_parked(struct sim *s, struct merger *m, size_t e, size_t k)
{
    struct parked_row *row = &s->world.parked[e][k];
    struct gate_ref refs[REFS];
    struct err err = ERR_INIT;

    if (!row->there)
        return;
    world_tell(&s->world, "  merger %zu finds parked %s %s v%d", (size_t)(m - s->mergers),
               s->world.contracts->entities[e].name, world_key_text[k], (int)(row->version & 0xfff));
    check(s,
          gate_found(m->gate, e, world_key_text[k], row->version, row->event->deleted, refs,
                     make_refs(&s->world, row->event, refs), as_document(row->event), &err),
          &err);
}

static void begin_sweep(struct sim *s, struct merger *m)
{
    struct err err = ERR_INIT;

    m->n_changes = 0;
    gate_sweep_start(m->gate);
    check(s, gate_begin_sweep(m->gate, &err), &err);
    for (size_t e = 0; e < s->world.n_entities; e++)
        for (size_t k = 0; k < KEYS; k++)
            give_parked(s, m, e, k);
    m->busy = m->sweeping = true;
    world_tell(&s->world, "merger %zu sweeps", (size_t)(m - s->mergers));
}

/* --- steps
 * ------------------------------------------------------------------------------------------------------------------------
 */

static bool waits_on(const struct world *w, const struct parked_row *row, const struct gate_step *step)
{
    const struct entity *e;

    if (!row->there)
        return false;
    e = &w->contracts->entities[row->event->entity];
    for (size_t i = 0; i < e->n_relationships; i++)
        for (size_t k = 0; row->waits[i] && k < step->n; k++)
            if (step->items[k].entity == e->relationships[i].parent &&
                world_key(step->items[k].key) == (size_t)row->event->refs[i])
                return true;
    return false;
}

static void find_parked(struct sim *s, struct merger *m, const struct gate_step *step)
{
    size_t *at = &m->cursor[step->kind], given = 0;

    if (!step->more)
        *at = 0;
    for (; *at < ENTITIES * KEYS && given < step->limit; ++*at)
        if (*at / KEYS < s->world.n_entities && waits_on(&s->world, &s->world.parked[*at / KEYS][*at % KEYS], step)) {
            give_parked(s, m, *at / KEYS, *at % KEYS);
            given++;
        }
}

static void find_children(struct sim *s, struct merger *m, const struct gate_step *step)
{
    size_t *at = &m->cursor[step->kind], given = 0;

    if (!step->more)
        *at = 0;
    for (; *at < KEYS && given < step->limit; ++*at) {
        const struct silver_row *row = &s->world.silver[step->child][*at];
        struct gate_ref refs[REFS];
        struct err err = ERR_INIT;
        bool wanted = false;

        for (size_t i = 0;
             (row->state == GATE_VISIBLE || (step->cascaded && row->cascaded)) && row->event && i < step->n; i++)
            wanted = wanted || (row->event->refs[step->relationship] >= 0 &&
                                world_key(step->items[i].key) == (size_t)row->event->refs[step->relationship]);
        if (!wanted)
            continue;
        given++;
        check(s,
              gate_found(m->gate, step->child, world_key_text[*at], row->version, false, refs,
                         make_refs(&s->world, row->event, refs), NULL, &err),
              &err);
    }
}

static void put_object(struct sim *s, struct merger *m, size_t e, size_t p, const struct bronze_object *o)
{
    struct world *w = &s->world;
    const struct object *there = world_object(w, e, p, o->first);
    struct object *made = &w->objects[w->n_objects];
    struct err err = ERR_INIT;

    if (there) {
        if (w->without == WITHOUT_READ_BACK)
            bronze_writer_written(m->bronze[e][p]);
        else
            check(s, bronze_writer_exists(m->bronze[e][p], there->next, &err), &err);
        return;
    }
    if (w->n_objects == OBJECTS) {
        world_violation(w, "more objects than the simulation has room for");
        return;
    }
    w->n_objects++;
    *made = (struct object){.entity = e, .partition = p, .first = o->first, .next = o->next, .n = o->n_records};
    memcpy(made->offsets, o->offsets, o->n_records * sizeof *o->offsets);
    if (sim_chance(w->random, s->faults ? 90 : 100))
        bronze_writer_written(m->bronze[e][p]); /* else the answer was lost: the same object comes again */
}

static void commit(struct sim *s, struct merger *m, size_t e, size_t p)
{
    struct world *w = &s->world;
    int64_t to = bronze_writer_position(m->bronze[e][p]);
    int64_t through = m->at[e][p] < w->n_log[e][p] ? w->log[e][p][m->at[e][p]]->offset : INT64_MAX;

    if (to > through || to <= w->committed[e][p])
        return;
    w->committed[e][p] = to;
    if (w->n_history[e][p] < OBJECTS)
        w->history[e][p][w->n_history[e][p]++] = to;
}

static void end_batch(struct sim *s, struct merger *m)
{
    struct gate_counts c = gate_counts_take(m->gate);

    if (c.applied + c.superseded + c.parked + c.duplicate != m->n_changes)
        world_violation(&s->world, "M2: a batch of %zu: %d applied, %d superseded, %d parked, %d duplicate",
                        m->n_changes, (int)c.applied, (int)c.superseded, (int)c.parked, (int)c.duplicate);
    if (m->sweeping)
        gate_sweep_complete(m->gate);
    m->busy = m->sweeping = m->zombie = false;
    for (size_t e = 0; e < s->world.n_entities; e++)
        for (size_t p = 0; p < PARTITIONS; p++) {
            struct bronze_object o;
            bool flush = !s->faults || sim_chance(s->world.random, 50);

            if (!m->owns[e][p])
                continue;
            while (!world_broken(&s->world) && bronze_writer_due(m->bronze[e][p], flush, &o))
                put_object(s, m, e, p, &o);
            commit(s, m, e, p);
        }
}

/* One item of a write, or one whole read. */
static void advance(struct sim *s, struct merger *m)
{
    struct world *w = &s->world;
    const struct gate_step *step = gate_next(m->gate);
    struct err err = ERR_INIT;

    if (!m->items_done)
        world_tell(w, " merger %zu: %s of %zu", (size_t)(m - s->mergers), world_step_names[step->kind], step->n);
    if (step->n > sizeof m->item_done) {
        world_violation(w, "a step of %zu items", step->n);
        return;
    }
    if (step->kind != GATE_STEP_DONE && step->n && m->items_done < step->n &&
        (is_write(step->kind) || step->kind == GATE_STEP_LOOKUP)) {
        size_t i = sim_below(w->random, step->n);

        while (m->item_done[i])
            i = (i + 1) % step->n;
        m->item_done[i] = true;
        m->items_done++;
        if (is_write(step->kind)) {
            world_write(w, step->kind, &step->items[i]);
        } else {
            world_look_up(w, &step->items[i]);
            if (step->recheck && w->without == WITHOUT_RECHECK)
                step->items[i].state = GATE_ABSENT;
            if (step->postcheck && w->without == WITHOUT_POSTCHECK)
                step->items[i].state = GATE_VISIBLE;
        }
        return;
    }
    if (step->kind == GATE_STEP_FIND_PARKED)
        find_parked(s, m, step);
    if (step->kind == GATE_STEP_PEEK_PARKED)
        for (size_t i = 0; i < step->n; i++)
            give_parked(s, m, step->items[i].entity, world_key(step->items[i].key));
    if (step->kind == GATE_STEP_FIND_CHILDREN)
        find_children(s, m, step);
    memset(m->item_done, 0, sizeof m->item_done);
    m->items_done = 0;
    if (step->kind == GATE_STEP_DONE) {
        check(s, gate_done(m->gate, &err), &err);
        end_batch(s, m);
        return;
    }
    check(s, gate_done(m->gate, &err), &err);
}

/* A partition goes to another merger; the old one may be in mid-batch, and then goes on with it. */
static void rebalance(struct sim *s)
{
    struct world *w = &s->world;
    size_t e = sim_below(w->random, w->n_entities), p = sim_below(w->random, PARTITIONS);

    for (size_t i = 0; i < s->n_mergers; i++) {
        struct merger *m = &s->mergers[i];

        if (!m->owns[e][p])
            continue;
        if (m->busy)
            m->zombie = s->faulty = true;
        let_go(m, e, p);
        w->result->rebalances++;
        world_tell(w, "merger %zu loses %s/%zu", i, w->contracts->entities[e].name, p);
        own(s, &s->mergers[(i + 1) % s->n_mergers], e, p);
        return;
    }
}

static bool all_read(const struct sim *s)
{
    for (size_t i = 0; i < s->n_mergers; i++) {
        const struct merger *m = &s->mergers[i];

        if (m->busy)
            return false;
        for (size_t e = 0; e < s->world.n_entities; e++)
            for (size_t p = 0; p < PARTITIONS; p++)
                if (m->owns[e][p] && m->at[e][p] < s->world.n_log[e][p])
                    return false;
    }
    return s->n_late == 0;
}

static void tick(struct sim *s, size_t *budget)
{
    struct sim_random *r = s->world.random;
    struct merger *m = &s->mergers[sim_below(r, s->n_mergers)];

    if (s->n_late && sim_chance(r, 10)) {
        land_late(s);
        return;
    }
    if (s->faults && *budget && sim_below(r, 40) == 0) {
        --*budget;
        if (sim_chance(r, 60))
            crash(s, m);
        else
            rebalance(s);
        return;
    }
    if (m->busy)
        advance(s, m);
    else if (s->faults && sim_chance(r, 3))
        begin_sweep(s, m);
    else
        begin_batch(s, m);
}

static void sweep_whole(struct sim *s)
{
    for (size_t round = 0; round < 8 && !world_broken(&s->world); round++) {
        begin_sweep(s, &s->mergers[round % s->n_mergers]);
        while (s->mergers[round % s->n_mergers].busy && !world_broken(&s->world))
            advance(s, &s->mergers[round % s->n_mergers]);
    }
}

static void flush_bronze(struct sim *s)
{
    s->faults = false;
    for (size_t i = 0; i < s->n_mergers; i++) {
        s->mergers[i].n_changes = 0;
        end_batch(s, &s->mergers[i]);
    }
}

static bool holds(const struct contract_set *c)
{
    for (size_t e = 0; e < c->n_entities; e++)
        for (size_t i = 0; i < c->entities[e].n_relationships; i++)
            if (c->entities[e].relationships[i].on_parent_delete == PARENT_DELETE_HOLD)
                return true;
    return false;
}

void merge_sim_run(uint64_t seed, enum sim_without without, struct sim_result *out)
{
    struct sim_random random = {.state = seed * 2};
    struct sim s = {.world = {.random = &random, .result = out, .without = without}};
    size_t budget = sim_chance(&random, 40) ? 0 : sim_below(&random, 12), steps = 0;

    s.world.contracts = contracts[sim_below(&random, SCENARIOS)];
    s.world.n_entities = s.world.contracts->n_entities;
    s.n_mergers = 1 + sim_below(&random, MERGERS);
    s.faults = budget > 0;
    s.world.alone = s.n_mergers == 1;
    world_make_history(&s.world);
    for (size_t i = 0; i < s.n_mergers; i++)
        start(&s, &s.mergers[i]);
    assign(&s);
    while (!world_broken(&s.world) && !all_read(&s) && ++steps < STEPS_MAX) {
        s.faults = s.faults && budget > 0;
        tick(&s, &budget);
    }
    if (steps == STEPS_MAX)
        world_violation(&s.world, "the run does not end");
    if (!world_broken(&s.world)) {
        flush_bronze(&s);
        /* Without crashes and zombies nothing may be left for the sweep, but for deletes that are held. */
        if (s.faulty || holds(s.world.contracts))
            sweep_whole(&s);
    }
    if (!world_broken(&s.world))
        world_check_end(&s.world);
    for (size_t i = 0; i < s.n_mergers; i++)
        stop(&s.mergers[i]);
}
