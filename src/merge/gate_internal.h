/* gate_internal: the gate's state, shared by gate.c (batches, answers) and gate_phase.c (which step comes next) alone.
 */
#ifndef PILLION_MERGE_GATE_INTERNAL_H
#define PILLION_MERGE_GATE_INTERNAL_H

#include "base/arena.h"
#include "merge/gate.h"
#include "merge/key_map.h"
#include "merge/known_set.h"

/* An admission takes g->rows from PHASE_LOOKUP to PHASE_RECHECK; the phases before and behind it feed it. */
enum gate_phase {
    PHASE_IDLE,
    PHASE_NEXT, /* chooses what to do: the next rank, a queue, or the end */
    PHASE_LOOKUP,
    PHASE_HOLD,
    PHASE_UPSERT,
    PHASE_POSTCHECK,
    PHASE_KILL,
    PHASE_VERIFY,
    PHASE_CHILDREN,
    PHASE_CASCADE,
    PHASE_UNPARK, /* not before the cascade: until then a row that was found comes again after a crash */
    PHASE_PARK,
    PHASE_SHADOW,
    PHASE_WITHDRAW,
    PHASE_RECHECK,
    PHASE_PEEK,
    PHASE_FIND,
    PHASE_DONE
};

enum row_state { ROW_NEW, ROW_WRITTEN, ROW_WAITING, ROW_OVERTAKEN };

struct gate_row {
    size_t entity;
    const char *key;
    int64_t version;
    bool deleted, fresh;
    const struct gate_ref *refs;
    size_t n_refs;
    uint64_t known_refs; /* bits: found to exist, whatever the cache forgets meanwhile */
    void *document;
    struct gate_change *change; /* NULL: a row found */
    enum row_state state;
    bool found;                /* it is in parked, and must leave it when it is written */
    bool held;                 /* a delete that waits for its children */
    bool parked_now;           /* parked in this admission: silver's older version and the re-check are due */
    bool shadowed;             /* the placeholder was written, so nothing is left to withdraw */
    bool unparked;             /* UNPARK was done */
    bool checked;              /* its cascading parents were looked at after it was written */
    bool kill;                 /* a cascading parent is deleted */
    enum gate_state own_state; /* look_own: what silver has of it */
    int64_t own_version;
};

struct looked {
    enum gate_state state;
    int64_t version;
};

struct queued {
    size_t entity;
    char *key; /* owned */
    bool verified;
};
struct queue_of_keys {
    struct queued *keys;
    size_t n, size;
};

struct child {
    size_t entity, relationship;
};

struct gate {
    const struct contract_set *contracts;
    /* by entity: relationships that refer to it, and what they ask for */
    struct child **children;
    size_t *n_children;
    bool *asks_ever, *asks_current, *cascades, *holds;
    bool *wants_current; /* a parent of its own must be visible */
    size_t page;
    struct known_set *known;   /* keys that exist in silver */
    struct known_set *settled; /* keys whose parked children this gate has looked for */
    struct known_set *maybe;   /* keys that may be parked, when !parked_all */
    bool parked_all;
    bool sweeping; /* a whole sweep is under way, and no partitions came since it began */

    enum gate_phase phase;
    struct gate_row *work; /* the batch, collapsed, by rank */
    size_t n_work, work_size, next_work;
    struct gate_row *rows; /* of the admission */
    size_t n_rows, rows_size;
    bool look_own, rechecked;
    struct arena found; /* strings of rows found; cleared before a FIND step outside an admission */
    size_t n_found;     /* by the step under way */
    struct queue_of_keys visible, finding, peek, cascade, held;
    size_t cascading; /* keys at the head of `cascade` that are being worked on */
    size_t at_child;  /* HOLD, CHILDREN: the relationship at work: index over all of the parents' */
    bool more;
    struct known_set *visited; /* by the cascade under way; never forgets */
    struct arena kid_keys;
    struct gate_item *kids; /* PHASE_CASCADE */
    size_t n_kids, kids_size;

    struct key_map batch, seen; /* collapse; answers of the newest LOOKUP */
    struct looked *looked;
    size_t n_looked, looked_size;
    struct arena scratch; /* of the step */
    struct gate_step step;
    bool step_ready;
    struct gate_item *items;
    size_t *item_row;
    size_t n_items, items_size;
    struct gate_counts counts;
    uint64_t *released, *stale; /* by entity */
};

/* Items of the step being built. row: its index, or SIZE_MAX. */
struct gate_item *gate_add_item(struct gate *g, size_t row, size_t entity, const char *key, int64_t version);
void queue_push_key(struct queue_of_keys *q, size_t entity, const char *key, bool verified);
void queue_drop_head(struct queue_of_keys *q, size_t n);
void queue_release_keys(struct queue_of_keys *q);
/* Is the row's reference number i satisfied as far as is known now? */
bool gate_ref_ok(struct gate *g, struct gate_row *r, size_t i);

/* May it be written? */
bool gate_row_ready(struct gate *g, struct gate_row *r);

/* gate_look.c. build: adds the step's items, false when there are none; after, take, answers: from the items' answers.
 */
void gate_look_begin(struct gate *g); /* forgets the answers of the LOOKUP before */
bool gate_look_build(struct gate *g, bool parked_only);
void gate_look_take(struct gate *g);
void gate_look_own_answers(struct gate *g);
void gate_look_after_recheck(struct gate *g);
bool gate_look_build_postcheck(struct gate *g);
void gate_look_after_postcheck(struct gate *g);
bool gate_look_build_verify(struct gate *g);
void gate_look_after_verify(struct gate *g);

/* gate_cascade.c, in the same way. */
bool gate_cascade_build_hold(struct gate *g);
bool gate_cascade_build_kill(struct gate *g);
bool gate_cascade_build_children(struct gate *g);
bool gate_cascade_build(struct gate *g);
void gate_cascade_after(struct gate *g);

/* gate_phase.c: builds steps from the current phase on until there is one (DONE at the end). */
void gate_phase_build(struct gate *g);
/* Takes the answers of the step and chooses the phase after it. */
void gate_phase_answer(struct gate *g);

#endif
