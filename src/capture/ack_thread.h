/* ack_thread: takes delivery reports, moves the ack window, writes checkpoints to the checkpoint topic.
 *
 * Own thread inside; it shares the ack window with the stream thread under one mutex, which the stream thread takes
 * once a transaction and this one once a batch of reports. Checkpoints leave through a producer of its own, so that
 * sending one never waits for room that only this thread can make. A checkpoint is written every interval_ms when
 * something moved, and once when the run ends. Functions are called by the stream thread unless said otherwise. Errors:
 * what failed here (a record refused for good, the lease lost) is given by ack_thread_failed and by every call that
 * would wait; `interrupt` is called once so that the stream thread does not sleep over it, and when a stop is
 * requested. */
#ifndef PILLION_CAPTURE_ACK_THREAD_H
#define PILLION_CAPTURE_ACK_THREAD_H

#include "checkpoint/ack_window.h"
#include "checkpoint/checkpoint.h"
#include "kafka/lease.h"
#include "kafka/producer.h"

struct ack_thread;

struct ack_thread_options {
    struct producer *producer;         /* borrowed; this thread polls its reports */
    const struct kafka_options *kafka; /* for the checkpoints' own producer */
    const char *checkpoint_topic;
    const struct checkpoint *base; /* copied: name, epoch, position and ends to go on from */
    struct lease *lease;           /* borrowed; NULL: none is needed */
    int interval_ms;
    size_t max_transactions;
    void (*interrupt)(void *arg); /* any thread */
    void *interrupt_arg;
};

int ack_thread_start(struct ack_thread **out, const struct ack_thread_options *options, struct err *err);
/* Ends the thread without waiting for anything; NULL is allowed. */
void ack_thread_free(struct ack_thread *a);

/* A topic's ends to go on from, by partition. They may rise later, when the newest commit is known to cover more. */
void ack_thread_topic(struct ack_thread *a, const struct producer_topic *topic, const int64_t *ends);
/* The tag of the open transaction. */
uint64_t ack_thread_tag(struct ack_thread *a);
/* The open transaction is over: so many records were sent (none: it was filtered), and the source stands at `after`.
 * Begins the next, waiting while too many are in flight: *tag is its tag. */
int ack_thread_commit(struct ack_thread *a, uint64_t records, const struct position *after, uint64_t *tag,
                      struct err *err);
/* Waits until a checkpoint covers what was committed so far. */
int ack_thread_wait_checkpoint(struct ack_thread *a, int timeout_ms, struct err *err);
/* Waits for all reports, writes the last checkpoint, ends the thread. */
int ack_thread_finish(struct ack_thread *a, int timeout_ms, struct err *err);
bool ack_thread_failed(struct ack_thread *a, struct err *err);
/* Remembers when a record of the open transaction was sent, to measure the way to its acknowledgement. */
void ack_thread_sample(struct ack_thread *a, uint64_t tag);

/* Any thread: the newest acknowledged checkpoint, as text (GTID set, or file:offset). */
void ack_thread_position(struct ack_thread *a, char *out, size_t size);

#endif
