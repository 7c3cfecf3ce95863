/* mongodb_store: a document_store in MongoDB or what speaks its protocol, by libmongoc (1.x or 2.x).
 *
 * Writes go in unordered bulks with w:majority and journal; a guarded upsert is replaceOne({_id, "_pillion.v": {$lt:
 * v}}) with upsert: when a newer document is there the insert meets its _id and fails with 11000, which is the refusal.
 * Two writers that insert one id at the same moment give the same error, so a refused write is tried once more before
 * it counts as stale. PATCH and REMOVE report WRITE_APPLIED when the server carried them out, whether or not a document
 * matched. Reads use read concern majority. Errors: network and "not primary" are ERR_STORE; authentication
 * ERR_STORE_CONFIG. Thread: one owner. */
#ifndef PILLION_SINK_MONGODB_STORE_H
#define PILLION_SINK_MONGODB_STORE_H

#include "sink/document_store.h"

int mongodb_store_open(struct document_store **out, const struct document_store_options *options, struct err *err);

#endif
