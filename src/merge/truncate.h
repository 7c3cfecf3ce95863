/* truncate: carries out a TRUNCATE of a table as deletes that go through the gate.
 *
 * Capture sends the event ('t': no key, no images) to every partition of the table's topic. In partition p at offset o
 * it says: every key whose newest version in p is below o is deleted at (epoch, o). Keys stay in their partition, so
 * the events of all partitions together empty the table, each at its own place in its partition, and a row that was
 * written again after the TRUNCATE wins wherever it is merged first. Debezium sends its event to one partition alone:
 * with several, the rows of the others stay.
 * A document of an earlier life of the topic (epoch below) may have had its key in another partition. So any of the
 * events deletes it, at the last version before this epoch: below whatever this life of the topic says of the key.
 *
 * First the rows that wait in parked, page by page, then those in silver: a release writes to silver before it removes
 * from parked, so no row slips through. Taken are documents of the event's partition and below its version: visible,
 * withdrawn, cascaded; a placeholder says no partition, but its row is in parked. The tombstones of this very event are
 * taken too, so that after a crash in the middle their cascades and releases are done (again). onParentDelete holds as
 * for any delete. The whole collection is read once for each partition: TRUNCATE is rare, and neither store has an
 * index on the partition.
 *
 * truncate_run may fail with a passing error: calling it again goes on. What came before the event must be through the
 * gate. Thread: one owner (the merger's). Memory: one page. Errors: those of gate_driver.h. */
#ifndef PILLION_MERGE_TRUNCATE_H
#define PILLION_MERGE_TRUNCATE_H

#include "merge/gate_driver.h"

struct truncate;

/* event: a row of row_decoder.h with `truncate`, borrowed; the driver must be between batches. */
struct truncate *truncate_new(struct document_store *store, struct gate_driver *driver,
                              const struct contract_set *contracts, const struct row *event);
/* Drops the page under way, if it is not done. */
void truncate_free(struct truncate *t);
int truncate_run(struct truncate *t, struct err *err);

#endif
