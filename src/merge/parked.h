/* parked: rows that wait, as documents of the collection _pillion_parked.
 *
 * {_id: "rides|17", entity: "rides", key: "17", waiting: ["users|7"], refs: [{r: "client_id", e: "users", k: "7", id:
 * 7}], id: 17, document: {...the silver document...}, deleted: false, since: date, reason: "late", _pillion: {v,
 * offset, partition, epoch}} `waiting` is indexed and names what is missing (empty: a delete that is held until its
 * children are gone); `refs` all references; `id` and refs.id are the values of silver's _id. A reference whose
 * relationship is no longer in the contract is left out when the row is read back: it no longer counts. Pure but for
 * memory. Errors: ERR_STORE_DATA for a document that Pillion did not write. Thread: any. */
#ifndef PILLION_MERGE_PARKED_H
#define PILLION_MERGE_PARKED_H

#include "merge/row_decoder.h"

#define PARKED_COLLECTION "_pillion_parked"

/* {"_id": "entity|key"} */
void parked_id(bson_t *out, const char *entity, const char *key);
/* {"v": "entity|key"}: a value of `waiting`. */
void parked_waiting_value(bson_t *out, const char *entity, const char *key);
void parked_write(bson_t *out, const struct contract_set *contracts, const struct row *row,
                  const struct gate_ref *waiting, size_t n_waiting, int64_t now_ms);
int parked_read(const struct contract_set *contracts, const bson_t *document, struct row **out, struct err *err);
/* Where the waiting row came from: its topic partition, for telling late from orphan. false when it is not there. */
bool parked_place(const bson_t *document, uint32_t *epoch, int32_t *partition, int64_t *offset);

#endif
