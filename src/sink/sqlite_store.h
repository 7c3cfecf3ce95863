/* sqlite_store: a document_store in one SQLite file, for first use and for tests.
 *
 * Each collection is a table (id, v, deleted, json, bson): `json` is relaxed extended JSON for people, `bson` the
 * document itself. Each indexed field has a table of its own beside it. Every write call is one transaction with
 * synchronous=FULL; several processes may share the file (WAL, busy timeout). Two ids that MongoDB takes for equal (5
 * as 32 and 64 bits) are equal here too. Thread: one owner. */
#ifndef PILLION_SINK_SQLITE_STORE_H
#define PILLION_SINK_SQLITE_STORE_H

#include "sink/document_store.h"

int sqlite_store_open(struct document_store **out, const char *path, struct err *err);

#endif
