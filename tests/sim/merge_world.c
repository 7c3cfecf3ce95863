#include "merge_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const world_step_names[] = {"done",    "look up", "upsert",      "park",        "shadow",       "withdraw",
                                        "cascade", "unpark",  "find parked", "peek parked", "find children"};
const char *const world_key_text[KEYS] = {"0", "1", "two", "3"};

void world_violation(struct world *w, const char *format, ...)
{
    va_list args;

    if (*w->result->text)
        return;
    va_start(args, format);
    vsnprintf(w->result->text, sizeof w->result->text, format, args);
    va_end(args);
}

void world_tell(const struct world *w, const char *format, ...)
{
    va_list args;

    if (!w->result->trace)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

bool world_broken(const struct world *w)
{
    return *w->result->text != 0;
}

size_t world_key(const char *text)
{
    for (size_t i = 0; i < KEYS; i++)
        if (!strcmp(world_key_text[i], text))
            return i;
    return KEYS;
}

/* --- the source's history --- */

void world_make_history(struct world *w)
{
    struct sim_random *r = w->random;
    bool live[ENTITIES][KEYS] = {{false}};
    int64_t next[ENTITIES][PARTITIONS] = {{0}};
    unsigned deletes = (unsigned)sim_below(r, 30);
    size_t n = 2 + sim_below(r, EVENTS - 2);

    for (w->n_events = 0; w->n_events < n; w->n_events++) {
        struct event *e = &w->events[w->n_events];
        const struct entity *entity;

        e->entity = sim_below(r, w->n_entities);
        e->key = sim_below(r, KEYS);
        entity = &w->contracts->entities[e->entity];
        e->deleted = live[e->entity][e->key] && sim_chance(r, deletes);
        e->fresh = !live[e->entity][e->key];
        live[e->entity][e->key] = !e->deleted;
        for (size_t i = 0; i < REFS; i++)
            e->refs[i] = i < entity->n_relationships && sim_chance(r, 85) ? (int)sim_below(r, KEYS) : -1;
        e->partition = e->key % PARTITIONS;
        next[e->entity][e->partition] += sim_chance(r, 15) ? 2 : 0; /* holes, as compaction and transactions leave */
        e->offset = next[e->entity][e->partition]++;
        e->version = ((int64_t)1 << 44) + e->offset;
        w->log[e->entity][e->partition][w->n_log[e->entity][e->partition]++] = e;
    }
}

const struct event *world_newest(const struct world *w, size_t entity, size_t key)
{
    for (size_t i = w->n_events; i-- > 0;)
        if (w->events[i].entity == entity && w->events[i].key == key)
            return &w->events[i];
    return NULL;
}

bool world_existed(const struct world *w, size_t entity, int key)
{
    return world_newest(w, entity, (size_t)key) != NULL;
}

/* --- the stores --- */

/* M1: whoever sees a row finds every parent that it requires. */
static void check_visibility(struct world *w)
{
    for (size_t e = 0; e < w->n_entities; e++)
        for (size_t k = 0; k < KEYS; k++) {
            const struct silver_row *row = &w->silver[e][k];

            for (size_t i = 0; row->state == GATE_VISIBLE && i < w->contracts->entities[e].n_relationships; i++) {
                int ref = row->event->refs[i];
                size_t parent = w->contracts->entities[e].relationships[i].parent;

                if (ref >= 0 && w->silver[parent][ref].state == GATE_ABSENT)
                    world_violation(w, "M1: %s %zu is visible without its parent %s %d", w->contracts->entities[e].name,
                                    k, w->contracts->entities[parent].name, ref);
            }
        }
}

static bool newer(const struct world *w, enum gate_state state, int64_t there, int64_t version)
{
    return state == GATE_ABSENT || there < version || w->without == WITHOUT_VERSION_GUARD;
}

static bool put(struct world *w, struct silver_row *row, struct silver_row with)
{
    if (!newer(w, row->state, row->version, with.version))
        return false;
    if (row->state != GATE_ABSENT && with.version < row->version)
        world_violation(w, "M3: the version of a document fell");
    *row = with;
    return true;
}

static bool park(struct world *w, struct parked_row *row, const struct gate_item *item)
{
    if (row->there && !newer(w, GATE_VISIBLE, row->version, item->version))
        return false;
    *row = (struct parked_row){.there = true, .version = item->version, .event = item->document};
    for (size_t i = 0; i < item->n_waiting; i++)
        row->waits[item->waiting[i].relationship] = true;
    return true;
}

static bool unpark(struct world *w, const struct gate_item *item, size_t key)
{
    struct parked_row *row = &w->parked[item->entity][key];
    const struct silver_row *silver = &w->silver[item->entity][key];

    if (!row->there || (row->version > item->version && w->without != WITHOUT_UNPARK_GUARD))
        return false;
    if (silver->state == GATE_ABSENT || silver->version < row->version)
        world_violation(w, "M6: %s %zu left parked and is not in silver", w->contracts->entities[item->entity].name,
                        key);
    row->there = false;
    return true;
}

void world_write(struct world *w, enum gate_step_kind kind, struct gate_item *item)
{
    size_t key = world_key(item->key);
    struct silver_row *row = &w->silver[item->entity][key];
    bool withdraw = w->without != WITHOUT_WITHDRAW;

    item->yes = false;
    w->result->steps++;
    switch (kind) {
    case GATE_STEP_UPSERT:
        if (item->deleted && w->alone && row->state == GATE_VISIBLE && row->version < item->version &&
            world_has_held_child(w, item->entity, key))
            world_violation(w, "%s %zu is deleted, though a visible child holds it",
                            w->contracts->entities[item->entity].name, key);
        item->yes =
            put(w, row,
                (struct silver_row){item->deleted ? GATE_DELETED : GATE_VISIBLE, item->version, item->document, false});
        break;
    case GATE_STEP_SHADOW:
        item->yes = withdraw && put(w, row, (struct silver_row){GATE_WAITING, item->version, NULL, false});
        break;
    case GATE_STEP_WITHDRAW:
        item->yes = withdraw && row->state != GATE_ABSENT && row->version < item->version;
        if (item->yes)
            row->state = GATE_WAITING;
        break;
    case GATE_STEP_CASCADE:
        item->yes = row->state != GATE_ABSENT && row->version <= item->version;
        if (item->yes) {
            row->cascaded = row->cascaded || row->state != GATE_DELETED;
            row->state = GATE_DELETED;
        }
        break;
    case GATE_STEP_PARK:
        item->yes = park(w, &w->parked[item->entity][key], item);
        break;
    case GATE_STEP_UNPARK:
        item->yes = unpark(w, item, key);
        break;
    default:
        world_violation(w, "the gate asked for a write of kind %d", (int)kind);
    }
    world_tell(w, "  %s %s %s v%d: %s", world_step_names[kind], w->contracts->entities[item->entity].name, item->key,
               (int)(item->version & 0xfff), item->yes ? "yes" : "no");
    check_visibility(w);
}

void world_look_up(const struct world *w, struct gate_item *item)
{
    const struct silver_row *row = &w->silver[item->entity][world_key(item->key)];

    item->state = row->state;
    item->found_version = row->version;
}

struct object *world_object(struct world *w, size_t entity, size_t partition, int64_t first)
{
    for (size_t i = 0; i < w->n_objects; i++)
        if (w->objects[i].entity == entity && w->objects[i].partition == partition && w->objects[i].first == first)
            return &w->objects[i];
    return NULL;
}
