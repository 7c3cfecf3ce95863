/* gate_driver: carries out the gate's steps on a document store.
 *
 * A step is one call of the store for each collection it touches (in portions of WRITES_MAX), so a batch costs few
 * round trips whatever its size. gate_driver_run may fail with a passing error in the middle of a step: calling it
 * again does that step again, which is right, since every write is idempotent under its guard; rows that a FIND gave
 * are handed to the gate only when all of the page was read. Ownership: rows given to gate_driver_begin are the
 * caller's and stay until the batch is done or aborted; rows found are the driver's. Thread: one owner (the merger's).
 * Errors: those of sink/document_store.h; ERR_STORE_DATA; ERR_BUG. */
#ifndef PILLION_MERGE_GATE_DRIVER_H
#define PILLION_MERGE_GATE_DRIVER_H

#include "merge/parked.h"
#include "sink/document_store.h"

enum { WRITES_MAX = 1000, FIND_PAGE = 500 };

struct gate_driver;

struct gate_driver *gate_driver_new(struct document_store *store, const struct contract_set *contracts,
                                    size_t known_max);
void gate_driver_free(struct gate_driver *d);
/* Makes the collections, their indexes and views. */
int gate_driver_ensure(struct gate_driver *d, struct err *err);
/* changes[i].document is a struct row *, and its key and refs are that row's. */
int gate_driver_begin(struct gate_driver *d, struct gate_change *changes, size_t n, struct err *err);
/* Reads the next page of parked rows and begins to look at them again; *end: that was the last page. fn (may be NULL)
 * sees each document before. after: {"_id": ...} of the last row seen, moved on; empty at first. */
int gate_driver_begin_sweep(struct gate_driver *d, bson_t *after, bool *end, document_fn *fn, void *arg,
                            struct err *err);
int gate_driver_run(struct gate_driver *d, struct err *err);
void gate_driver_abort(struct gate_driver *d);
struct gate *gate_driver_gate(struct gate_driver *d);

#endif
