/* gate: the law of the merger (DESIGN section 6, M1, M3, M5, M6) as a state machine without I/O, clock or threads.
 *
 * The driver (merger.c, or the simulator) gives it a batch of changes; the gate answers with steps to be done on the
 * document store, one at a time (gate_next), and is told each step's outcome (gate_done) before it says the next. A
 * crash between any two steps is safe: running the batch again gives the same silver. Several gates (mergers) work on
 * one store at the same time, also one that goes on after its partitions were taken from it.
 *
 * What is in silver for a key K whose newest change has version v (the version guard makes all of these win in any
 * order): visible      the document, at v deleted      a tombstone, at v placeholder  {deleted, pending} at v - 1: K
 * waits in parked with v, and somebody may refer to it. Below v, so that the release may write v; above all that is
 * older, so that a slow merger cannot bring an older version back. withdrawn    an older visible version that was
 * patched to {deleted, pending}, since the source no longer says it All of them exist, so for `known: ever` K resolves
 * once any change of it was processed, whatever became of that change. This is what makes the end independent of the
 * order of arrival (M5), also where a parent waits itself and in cycles: existence only ever rises, is decided by
 * single-document writes, and may be cached for ever. `known: current` asks for `visible`, is never cached, and so
 * makes a child wait through any number of levels.
 *
 * For each batch, entities in rank order (parents first), those of one rank together:
 *   1. changes of one key are collapsed to the newest;
 *   2. LOOKUP the parents that are not known yet;
 *   3. UPSERT what has all parents (rows that become ready by it follow); only when that is acknowledged is the key
 * known; UNPARK removes an older parked version, if there may be one;
 *   4. the rest: PARK durably (a newer version replaces the parked one), SHADOW or WITHDRAW silver's older version,
 * then LOOKUP again (the re-check closes the race with whoever inserts the parent), then either 3 and UNPARK, or wait.
 * and then, for the whole batch:
 *   5. for each key that began to exist (or to be visible, when somebody asks for `current`) and may be a parent:
 * FIND_PARKED on it, page by page, and release what has all parents now: UPSERT, then UNPARK (both guarded by version);
 * released rows may release others. When UNPARK finds something newer parked, the released version was outdated:
 * PEEK_PARKED, WITHDRAW.
 *   6. deletes need no parents. onParentDelete cascade: after the tombstone, FIND_CHILDREN and CASCADE (children get
 * {deleted, cascaded} at their own version); a child that is written looks at its cascading parents afterwards (the
 * same pair of write-then-look as between parent and parked child). hold: FIND_CHILDREN first; while there is one the
 * delete is parked, waiting for nothing, and the sweep tries it again. Sweep (slowly, and for a new member): every
 * parked row is looked at again. It removes parked rows that silver has overtaken, withdraws what silver still shows of
 * an older version, releases what can be, and heals what a merger left that died or went on after it lost its
 * partitions between two steps.
 *
 * Known limit: a parent that is deleted and made again under cascade or current: which of its children's older changes
 * belong to which life is not known here, so for those children the order of arrival decides.
 *
 * Lifetime: a gate lives as long as the merger; memory is bounded by the batch, a page of rows found, and the
 * known-cache's cap. The gate knows keys as canonical text (key_text.h) and documents as opaque handles of the driver.
 * Thread: one owner. Errors: ERR_BUG when the driver breaks the protocol. */
#ifndef PILLION_MERGE_GATE_H
#define PILLION_MERGE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "contract/contract.h"

/* One reference of a change: which parent entity, which key. References that are NULL are left out. */
struct gate_ref {
    size_t relationship; /* index in the entity's relationships */
    size_t parent;       /* entity */
    const char *key;     /* canonical text of the parent's key */
};

enum gate_outcome { GATE_PENDING, GATE_APPLIED, GATE_SUPERSEDED, GATE_PARKED, GATE_DUPLICATE };

/* One change of one row. Borrowed until the batch is done. */
struct gate_change {
    size_t entity;
    const char *key;
    int64_t version; /* document_version; > 1 */
    bool deleted;
    bool fresh; /* an insert: nothing older of it can be visible */
    const struct gate_ref *refs;
    size_t n_refs;
    void *document;            /* the driver's */
    enum gate_outcome outcome; /* set by the gate */
};

enum gate_step_kind {
    GATE_STEP_DONE,         /* the batch is finished: offsets may be committed */
    GATE_STEP_LOOKUP,       /* state and version of these keys in silver */
    GATE_STEP_UPSERT,       /* write the document to silver unless version >= is there */
    GATE_STEP_PARK,         /* write to parked, by the same guard */
    GATE_STEP_SHADOW,       /* write {deleted, pending} to silver at item.version, by the same guard */
    GATE_STEP_WITHDRAW,     /* patch a silver document with a smaller version: deleted and pending */
    GATE_STEP_CASCADE,      /* patch a silver document with a smaller or equal version: deleted and cascaded */
    GATE_STEP_UNPARK,       /* remove from parked what is <= version */
    GATE_STEP_FIND_PARKED,  /* gate_found for rows parked on these keys */
    GATE_STEP_PEEK_PARKED,  /* gate_found for the rows of these keys in parked */
    GATE_STEP_FIND_CHILDREN /* gate_found for visible silver rows of step.child whose step.relationship refers to these
                               keys */
};

enum gate_state { GATE_ABSENT, GATE_VISIBLE, GATE_WAITING /* placeholder or withdrawn */, GATE_DELETED };

struct gate_item {
    size_t entity;
    const char *key;
    int64_t version;
    bool deleted;
    const struct gate_ref *waiting; /* PARK: the references that are missing; none: a delete that is held */
    size_t n_waiting;
    const struct gate_ref *refs; /* PARK, UPSERT: all references */
    size_t n_refs;
    void *document; /* UPSERT, PARK: the change's, or that of a row found */
    /* The driver's answer: */
    enum gate_state state; /* LOOKUP */
    int64_t found_version; /* LOOKUP */
    bool yes;              /* writes: applied */
};

struct gate_step {
    enum gate_step_kind kind;
    struct gate_item *items;
    size_t n;
    size_t child, relationship; /* FIND_CHILDREN */
    size_t limit;               /* FIND_*: rows to give at most */
    bool cascaded;              /* FIND_CHILDREN: also those that were cascaded, besides the visible ones */
    bool more;                  /* FIND_*: go on behind the last row given for the step of the same kind before */
    bool recheck, postcheck;    /* LOOKUP after PARK, after UPSERT; for the simulator */
};

struct gate;

/* known_max: keys in the cache of known parents; page: rows found at once. */
struct gate *gate_new(const struct contract_set *contracts, size_t known_max, size_t page);
void gate_free(struct gate *g);
int gate_begin(struct gate *g, struct gate_change *changes, size_t n, struct err *err);
/* A page of parked rows, given with gate_found before the first gate_next. */
int gate_begin_sweep(struct gate *g, struct err *err);
/* The step to do now; the same again until gate_done. Items and what they point to are valid until then. */
const struct gate_step *gate_next(struct gate *g);
/* A row that a FIND step asked for. Strings and refs are copied; the document is the driver's and is used until the
 * next FIND step or the end. FIND_CHILDREN: refs must hold the relationship asked for. */
int gate_found(struct gate *g, size_t entity, const char *key, int64_t version, bool deleted,
               const struct gate_ref *refs, size_t n_refs, void *document, struct err *err);
int gate_done(struct gate *g, struct err *err);
/* Drops a batch after an error; what was cached as known stays, for it was acknowledged. */
void gate_abort(struct gate *g);

/* Which keys may be parked: all of them at first and after new partitions came; after a whole sweep those that it gave
 * and those parked since. It saves the UNPARK of rows that never were. */
void gate_forget_parked(struct gate *g);
void gate_sweep_start(struct gate *g);    /* before the first page */
void gate_sweep_complete(struct gate *g); /* after the last; without effect when new partitions came in between */

struct gate_counts {
    uint64_t applied, superseded, parked, duplicate, released, stale, withdrawn, cascaded, looked_up;
};
struct gate_counts gate_counts_take(struct gate *g);
/* Of one entity since the last call: rows released, and writes to silver that were refused. */
void gate_entity_counts_take(struct gate *g, size_t entity, uint64_t *released, uint64_t *stale);

#endif
