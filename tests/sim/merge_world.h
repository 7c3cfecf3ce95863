/* merge_world: what outlives a merger in the simulation: the source's history, the topics, the committed offsets, the
 * document store and the object store. Its writes check M1 (after each), M3 and M6 (at each). */
#ifndef PILLION_TESTS_SIM_MERGE_WORLD_H
#define PILLION_TESTS_SIM_MERGE_WORLD_H

#include "contract/contract.h"
#include "merge/gate.h"
#include "sim.h"

enum {
    ENTITIES = 4,
    KEYS = 4,
    REFS = 3,
    PARTITIONS = 2, /* of each topic */
    EVENTS = 64,
    OBJECTS = 256
};

/* One change, which is one record. */
struct event {
    size_t entity, key;
    bool deleted, fresh;
    int refs[REFS]; /* parent's key by relationship; -1 NULL */
    int64_t offset, version;
    size_t partition;
};

struct silver_row {
    enum gate_state state;
    int64_t version;
    const struct event *event; /* NULL: a placeholder */
    bool cascaded;
};

struct parked_row {
    bool there;
    int64_t version;
    const struct event *event;
    bool waits[REFS]; /* for that relationship's parent */
};

struct object {
    size_t entity, partition;
    int64_t first, next;
    int64_t offsets[EVENTS];
    size_t n;
};

struct world {
    struct sim_random *random;
    struct sim_result *result;
    enum sim_without without;
    const struct contract_set *contracts;
    size_t n_entities;
    struct event events[EVENTS];
    size_t n_events;
    const struct event *log[ENTITIES][PARTITIONS][EVENTS];
    size_t n_log[ENTITIES][PARTITIONS];
    int64_t committed[ENTITIES][PARTITIONS];
    int64_t history[ENTITIES][PARTITIONS][OBJECTS]; /* offsets that were committed: where a rewind may go */
    size_t n_history[ENTITIES][PARTITIONS];
    struct silver_row silver[ENTITIES][KEYS];
    struct parked_row parked[ENTITIES][KEYS];
    struct object objects[OBJECTS];
    size_t n_objects;
    bool alone; /* one merger that never crashed: nobody writes between its look and its write */
};

void world_violation(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_tell(const struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool world_broken(const struct world *w);
/* A random history over the contracts of the scenario, and its topics. */
void world_make_history(struct world *w);
const struct event *world_newest(const struct world *w, size_t entity, size_t key);
bool world_existed(const struct world *w, size_t entity, int key);

/* One item of a writing step on the stores. */
void world_write(struct world *w, enum gate_step_kind kind, struct gate_item *item);
void world_look_up(const struct world *w, struct gate_item *item);
size_t world_key(const char *text);
/* NULL when there is none of that name. */
struct object *world_object(struct world *w, size_t entity, size_t partition, int64_t first);
bool world_has_held_child(const struct world *w, size_t entity, size_t key);
void world_check_end(struct world *w);

extern const char *const world_key_text[KEYS];
extern const char *const world_step_names[];

#endif
