/* merger_internal: the merger's state, shared alone by merger.c (loop, group, stop), merger_partition.c (where
 * partitions begin, bronze, commits) and merger_batch.c (records through the gate, TRUNCATE, quarantine, sweep). */
#ifndef PILLION_MERGE_MERGER_INTERNAL_H
#define PILLION_MERGE_MERGER_INTERNAL_H

#include <stdatomic.h>

#include "base/metric.h"
#include "merge/bronze_writer.h"
#include "merge/frontier.h"
#include "merge/gate_driver.h"
#include "merge/merger.h"
#include "merge/topic_epoch.h"

#define QUARANTINE_COLLECTION "_pillion_quarantine"
#define BRONZE_COLLECTION "_pillion_bronze"

enum { NO_ENTITY = -1 };

struct partition {
    const char *topic; /* the consumer's pointer */
    int32_t partition;
    int entity; /* or NO_ENTITY: bronze only */
    uint32_t epoch;
    struct bronze_writer *bronze; /* NULL: bronze objects are off */
    int64_t through;              /* all records below are through the gate (and in the documents of bronze) */
    int64_t committed;            /* what this member committed, or started from */
    int64_t high;                 /* end of the partition when it was last asked for */
    uint64_t mark;                /* of the record before `through` */
    int64_t mark_next;
    int64_t kept_us;   /* when the mark was last stored */
    int64_t object_us; /* when the oldest record that is in no object came */
    bool paused;       /* its parents' partitions come first */
    struct metric *records, *lag;
};

/* Counters of one entity. */
struct entity_metrics {
    struct metric *applied, *superseded, *parked, *duplicate, *quarantined, *late, *orphan, *released, *stale;
    int64_t late_now, orphan_now; /* counted by the sweep under way */
};

struct merger {
    struct merger_options options;
    char **topic_names;
    size_t n_topics;
    struct consumer *consumer;
    struct registry *registry;
    struct document_store *documents;
    struct object_store *objects;
    struct row_decoder *decoder;
    struct gate_driver *driver;
    struct topic_epochs *epochs;
    struct frontier *frontier;
    struct partition *partitions;
    size_t n_partitions;
    bool assigned;

    /* the batch under way */
    struct row **rows;
    struct gate_change *changes;
    size_t n_changes, changes_size;
    struct document_write *poison; /* quarantine */
    bson_t *poison_ids, *poison_docs;
    size_t n_poison, poison_size;
    struct document_write *raw; /* bronze documents */
    bson_t *raw_ids, *raw_docs;
    size_t n_raw, raw_size;
    struct buf encoded;
    struct buf object;

    bool sweeping;
    bson_t sweep_after;
    int64_t next_sweep_us, next_look_us, sweep_began_us;
    struct entity_metrics *metrics;

    atomic_bool ready, caught_up;
    atomic_llong backlog;
    int idle_polls; /* since the newest record */
};

/* merger_partition.c */
int merger_assign(struct merger *m, struct err *err);
/* Finishes what is owned: objects, commits. */
int merger_let_go(struct merger *m, struct err *err);
void merger_drop_partitions(struct merger *m);
struct partition *merger_partition(struct merger *m, const struct record *r);
/* Writes objects that are due (flush: all), then commits. */
int merger_flush(struct merger *m, bool flush, struct err *err);
/* Asks for the ends of the partitions: backlog, lag, caught up. */
int merger_look_at_ends(struct merger *m, struct err *err);

/* Lets parents come first: see merger_partition.c. */
int merger_order_reading(struct merger *m, struct err *err);
/* After a poll that failed: reads on from where the gate is. */
int merger_read_again(struct merger *m, struct err *err);

/* merger_batch.c */
int merger_take_batch(struct merger *m, const struct record_batch *batch, struct err *err);
int merger_sweep_page(struct merger *m, struct err *err);
void merger_batch_clear(struct merger *m);

/* merger.c: calls fn until it is done or fails for good; false with err when stopped. */
int merger_patiently(struct merger *m, const char *doing, int (*fn)(struct merger *m, void *arg, struct err *err),
                     void *arg, struct err *err);

#endif
