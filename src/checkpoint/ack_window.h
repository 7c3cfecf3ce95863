/* ack_window: turns acknowledgements in any order into a contiguous mark over transactions (C1), with the end offsets
 * of the partitions that belong to it (C2). Pure: no I/O, no clock, no threads; the simulator runs it as it is.
 *
 * Transactions get sequence numbers (tags) 1, 2, 3 ... when they begin; one is open at a time, as in a binlog.
 * ack_window_sent counts records that were handed over (late counting is allowed: any time before the commit),
 * ack_window_acked as reports come, ack_window_commit says that no more will come and where the source stands after it.
 * The mark is the newest transaction such that it and all before it are committed and fully acknowledged. Transactions
 * without records (filtered) take no memory: they only move the newest position. End offsets: a checkpoint must not
 * name an end beyond a record of a transaction that it does not cover. So a round is opened on the newest committed
 * transaction (the target); only acks of tags up to it raise the round's ends; when the mark reaches the target the
 * round is complete: position of the target, with the ends. Records of a partition are acknowledged in order
 * (idempotent producer), which is what makes the ends exact.
 * Memory: 32 bytes for each transaction in flight, at most max_transactions (ack_window_full tells the caller to wait),
 * two positions, and three numbers for each partition, at most ACK_WINDOW_PARTITIONS_MAX of a topic. Errors: ERR_BUG on
 * a broken rule (more acks than records, a tag that is not open); ERR_LIMIT. Thread: one at a time. */
#ifndef PILLION_CHECKPOINT_ACK_WINDOW_H
#define PILLION_CHECKPOINT_ACK_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/position.h"

enum { ACK_WINDOW_PARTITIONS_MAX = 100000 };

struct ack_window;

/* One partition's end: the offset after its newest record that the checkpoint covers. topic is the caller's number. */
struct partition_end {
    uint16_t topic;
    int32_t partition;
    int64_t end;
};

struct ack_window *ack_window_new(size_t max_transactions);
void ack_window_free(struct ack_window *w);
/* What a former checkpoint said, so that partitions without new records keep their ends; or what is known to be covered
 * by the newest commit. Ends only rise. An open round is not touched. */
void ack_window_restore(struct ack_window *w, const struct partition_end *ends, size_t n);
bool ack_window_full(const struct ack_window *w);
/* A transaction begins; returns its tag. 0 when the window is full or another transaction is open. */
uint64_t ack_window_begin(struct ack_window *w);
/* Ignored unless tag is the open transaction's: ack_window_commit would then find more acks than records. */
void ack_window_sent(struct ack_window *w, uint64_t tag, uint64_t records);
int ack_window_commit(struct ack_window *w, uint64_t tag, const struct position *after, struct err *err);
int ack_window_acked(struct ack_window *w, uint64_t tag, uint16_t topic, int32_t partition, int64_t offset,
                     struct err *err);
/* Opens a round when none is open and something new is committed. True while a round is open. */
bool ack_window_open_round(struct ack_window *w);
/* True once when the open round is complete: *at and *ends are borrowed until the next call that changes the window. */
bool ack_window_take_round(struct ack_window *w, const struct position **at, const struct partition_end **ends,
                           size_t *n_ends);
uint64_t ack_window_mark(const struct ack_window *w);     /* newest tag of the contiguous mark */
uint64_t ack_window_unacked(const struct ack_window *w);  /* records sent and not acknowledged */
uint64_t ack_window_open_tag(const struct ack_window *w); /* the open transaction's, or 0 */

#endif
