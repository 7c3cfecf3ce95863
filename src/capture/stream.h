/* stream: the stream thread's loop: fetch, decode, route, publish, commit to the ack window.
 *
 * It keeps what must outlive a lost connection: the position after the newest complete transaction, and how far the
 * open one was sent, so that the next stream_run reads it again from its beginning and sends what is missing (never a
 * record twice). A transaction of the checkpoint's position that comes again (binlog files have no start position) is
 * read and not published. Thread: one, the caller's; stream_counters from any. Errors: those of decoder, routes and
 * producer; ERR_POSITION_FOREIGN when the server does not continue with the transaction that was open. */
#ifndef PILLION_CAPTURE_STREAM_H
#define PILLION_CAPTURE_STREAM_H

#include "capture/capture.h"
#include "capture/recovery.h"
#include "capture/table_filter.h"
#include "capture/topic_book.h"

struct stream;

struct stream_options {
    const struct capture_options *capture; /* all borrowed */
    const struct table_filter *filter;
    struct producer *producer;
    struct registry *registry;
    struct recovery *recovery;
    struct topic_book *topics;
    struct ack_thread *acks;
    const struct position *covered; /* what a checkpoint covers: not published again; NULL: nothing */
};

struct stream *stream_new(const struct stream_options *options);
void stream_free(struct stream *s);
/* The ack window's open transaction is another now. */
void stream_use_tag(struct stream *s, uint64_t tag);
/* Reads until the source ends, a stop is requested (both 0) or an error. at: where the source begins. */
int stream_run(struct stream *s, struct event_source *source, const struct position *at, struct err *err);
/* After the newest complete transaction; NULL before the first stream_run. */
const struct position *stream_position(const struct stream *s);
/* Complete transactions in all runs. */
uint64_t stream_transactions(const struct stream *s);

struct stream_counters {
    char newest_gtid[300];
    uint64_t events, transactions, bytes, skipped;
    int64_t lag_us;
};
void stream_counters(struct stream *s, struct stream_counters *out);

#endif
