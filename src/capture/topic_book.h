/* topic_book: the topics that this run has opened: made when they do not exist, checked against the checkpoint, read
 * back once.
 *
 * A topic belongs to one table: names that differ only in characters that Kafka does not allow would meet in one topic,
 * which is an error. Thread: the stream thread. Errors: ERR_CONFIG (two tables, one topic), recovery.h's, kafka/'s. */
#ifndef PILLION_CAPTURE_TOPIC_BOOK_H
#define PILLION_CAPTURE_TOPIC_BOOK_H

#include "capture/ack_thread.h"
#include "capture/recovery.h"
#include "kafka/admin_client.h"
#include "kafka/producer.h"

enum { TOPIC_NAME_MAX = 249 };

struct topic_book;

struct topic_book_options {
    const char *prefix;
    struct admin_client *admin; /* all borrowed */
    struct producer *producer;
    struct recovery *recovery;
    struct ack_thread *acks;
    int partitions, replication;
    int64_t retention_ms;
};

struct topic_book *topic_book_new(const struct topic_book_options *options);
void topic_book_free(struct topic_book *b);
/* "<prefix>.<database>.<table>", characters that Kafka does not allow as '_'. */
int topic_book_table(struct topic_book *b, const char *database, const char *table, struct producer_topic **out,
                     struct err *err);
/* Is there a topic of the table? It is not made. */
int topic_book_has_table(struct topic_book *b, const char *database, const char *table, bool *exists, struct err *err);
/* "<prefix>.<suffix>", one partition. */
int topic_book_feed(struct topic_book *b, const char *suffix, struct producer_topic **out, struct err *err);
/* All that was found at the start was read again and is committed: checkpoints may name the topics' ends as they were
 * found. */
void topic_book_settle(struct topic_book *b);

#endif
