/* topic_epoch: notices that a topic was made anew, so that its offsets began again, and gives the new life a higher
 * number.
 *
 * Kept in the collection _pillion_topics: {_id: "<topic>", epoch}, and for each partition {_id: "<topic>/<p>", epoch,
 * next, mark}: the epoch that the group's committed offset belongs to, and a fingerprint of the record before it.
 * Evidence of a new life is a committed offset above the partition's end, or another record in the place of the one
 * before it. Whoever finds it first raises the topic's epoch (a guarded write: two who find it raise it once); a
 * partition whose own epoch is behind the topic's starts at its beginning, so its committed offset of the life before
 * is never taken for one of the new. Order of writing at such a start: the group's offset first, then the partition's
 * document, so that a crash in between starts it again. A version is (epoch, offset), so all records of the new life
 * are newer than all of the old. Thread: one owner (the merger's). Errors: those of sink/ and kafka/. */
#ifndef PILLION_MERGE_TOPIC_EPOCH_H
#define PILLION_MERGE_TOPIC_EPOCH_H

#include "kafka/consumer.h"
#include "sink/document_store.h"

#define TOPICS_COLLECTION "_pillion_topics"

struct topic_epochs;

/* fresh: the first time that each topic is met here is a new life (the mock cluster). */
struct topic_epochs *topic_epochs_new(struct document_store *store, bool fresh);
void topic_epochs_free(struct topic_epochs *t);
int topic_epochs_ensure(struct topic_epochs *t, struct err *err);
/* What is stored about a partition. *mark_known: stored_mark is the fingerprint of the record before stored_next, which
 * the caller compares (topic_epochs_mark of that record). */
struct partition_life {
    uint32_t epoch; /* of the topic, now */
    bool behind;    /* the partition's committed offset belongs to an earlier life, or there is none */
    int64_t next;   /* of the stored mark */
    uint64_t mark;
    bool mark_known;
};
int topic_epochs_read(struct topic_epochs *t, const char *topic, int32_t partition, struct partition_life *out,
                      struct err *err);
/* The topic has a new life: gives its epoch, which is above `old`. */
int topic_epochs_raise(struct topic_epochs *t, const char *topic, uint32_t old, uint32_t *epoch, struct err *err);
/* The partition's committed offset belongs to this epoch now. mark: of the record before next; next 0: none. */
int topic_epochs_keep(struct topic_epochs *t, const char *topic, int32_t partition, uint32_t epoch, int64_t next,
                      uint64_t mark, struct err *err);
uint64_t topic_epochs_mark(const struct record *record);

#endif
