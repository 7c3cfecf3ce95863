/* gate: the law of the merger (DESIGN section 6, M1, M3, M5, M6) as a state machine without I/O, clock or threads.
 *
 * The driver (merger.c, or the simulator) gives it a batch of changes; the gate answers with steps to be done on the document
 * store, one at a time (gate_next), and is told each step's outcome (gate_done) before it says the next. A crash between any two
 * steps is safe: running the batch again gives the same silver. Several gates (mergers) work on one store at the same time.
 *
 * For each batch, entities in rank order (parents first):
 *   1. changes of one key are collapsed to the newest;
 *   2. LOOKUP the parents that are not known yet;
 *   3. UPSERT what has all parents; only when that is acknowledged is the key known (cached for ever);
 *   4. the rest: PARK durably (a newer version replaces the parked one; silver's older version, if any, is withdrawn, since it is
 *      no longer what the source says), then LOOKUP again (the re-check closes the race with whoever inserts the parent), then
 *      either go on with 3 and UNPARK, or wait;
 *   5. for each key that became visible and is somebody's parent: FIND_PARKED on it, and release what has all parents now: UPSERT
 *      (guarded), then UNPARK (guarded by version); released rows may release others.
 *   6. deletes need no parents: a tombstone is written, the parked version removed; then the relationship's onParentDelete acts.
 * Lifetime: a gate lives as long as the merger; memory is bounded by the batch and by the known-cache's cap.
 *
 * The gate knows keys as canonical text (key_text.h) and documents as opaque handles of the driver. */
#ifndef PILLION_MERGE_GATE_H
#define PILLION_MERGE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "contract/contract.h"

/* One reference of a change: which parent entity, which key. */
struct gate_ref {
    size_t relationship; /* index in the entity's relationships */
    size_t parent;       /* entity */
    const char *key;     /* canonical text of the parent's key */
};

/* One change of one row, newest state. Borrowed until the batch is done. */
struct gate_change {
    size_t entity;
    const char *key;
    int64_t version; /* document_version */
    bool deleted;
    const struct gate_ref *refs;
    size_t n_refs;
    void *document; /* the driver's */
    uint8_t outcome; /* enum gate_outcome, set by the gate */
};

enum gate_outcome { GATE_PENDING, GATE_APPLIED, GATE_SUPERSEDED, GATE_PARKED, GATE_DUPLICATE };

enum gate_step_kind {
    GATE_STEP_DONE,        /* the batch is finished: offsets may be committed */
    GATE_STEP_LOOKUP,      /* which of these keys exist in silver? */
    GATE_STEP_UPSERT,      /* write to silver, guarded */
    GATE_STEP_PARK,        /* write to parked, guarded */
    GATE_STEP_WITHDRAW,    /* patch silver documents older than the version: deleted and pending */
    GATE_STEP_UNPARK,      /* remove from parked what is <= version */
    GATE_STEP_FIND_PARKED, /* rows parked on these keys */
    GATE_STEP_FIND_CHILDREN /* live silver children of these keys by one relationship (onParentDelete: cascade, hold) */
};

struct gate_item {
    size_t entity;
    size_t relationship; /* FIND_CHILDREN */
    const char *key;
    int64_t version;
    bool deleted;
    bool live_only;      /* LOOKUP for known: current */
    const struct gate_ref *waiting; /* PARK: the references that are missing */
    size_t n_waiting;
    const struct gate_ref *refs;    /* PARK: all references, to be stored with the row */
    size_t n_refs;
    void *document;      /* UPSERT, PARK: the change's, or that of a row found by FIND_PARKED */
    bool yes;            /* the driver's answer: LOOKUP exists; UPSERT, PARK, WITHDRAW, UNPARK applied */
};

struct gate_step {
    enum gate_step_kind kind;
    struct gate_item *items;
    size_t n;
};

struct gate;

/* known_max: keys in the cache of known parents. */
struct gate *gate_new(const struct contract_set *contracts, size_t known_max);
void gate_free(struct gate *g);
int gate_begin(struct gate *g, struct gate_change *changes, size_t n, struct err *err);
/* The slow sweep and a new assignment: look again at these parked rows (given with gate_found). */
int gate_begin_sweep(struct gate *g, struct err *err);
/* The step to do now; the same again until gate_done. */
const struct gate_step *gate_next(struct gate *g);
/* Answer to FIND_PARKED, FIND_CHILDREN and input of a sweep: call once per row found, before gate_done. Strings and refs are copied. */
int gate_found(struct gate *g, size_t entity, const char *key, int64_t version, bool deleted, const struct gate_ref *refs,
               size_t n_refs, void *document, struct err *err);
int gate_done(struct gate *g, struct err *err);
/* Drops a batch after an error; what was cached as known stays, for it was acknowledged. */
void gate_abort(struct gate *g);

struct gate_counts {
    uint64_t applied, superseded, parked, duplicate, released, stale, withdrawn;
};
struct gate_counts gate_counts_take(struct gate *g);

#endif
