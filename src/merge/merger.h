/* merger: one member of the consumer group: Kafka records in, bronze objects and silver documents out, then the commit.
 *
 * Loop: poll a batch; bronze takes every record; records are decoded and given to the gate; the gate's steps are
 * carried out on the document store; due bronze objects are written; offsets are committed at bronze boundaries whose
 * records are all through the gate. The checkpoint topic is read too: it gives the frontier by which a parked row is
 * told late or orphan (M7), and the epochs. A TRUNCATE is carried out between what came before it in the batch and what
 * comes behind (truncate.h). A record that breaks a rule (undecodable, missing key, required reference
 * NULL) is quarantined with its reason and counted, or stops the merger, by policy. Merge never includes mysql/,
 * binlog/, capture/. Thread: its own (merger_run blocks until stop or error); counters by metric. Errors: RETRY classes
 * are retried inside with a growing delay; others end the run. */
#ifndef PILLION_MERGE_MERGER_H
#define PILLION_MERGE_MERGER_H

#include "contract/contract.h"
#include "kafka/consumer.h"
#include "registry/registry.h"
#include "sink/document_store.h"
#include "sink/object_store.h"

enum quarantine_policy { QUARANTINE_KEEP, QUARANTINE_STOP };
enum bronze_target { BRONZE_OFF, BRONZE_OBJECTS, BRONZE_DOCUMENTS, BRONZE_BOTH };

struct merger_options {
    struct kafka_options kafka;
    const char *group;
    const char *prefix; /* of the topics; the checkpoint topic's too */
    const char *const
        *topics; /* extra names or ^patterns; n_topics 0: <prefix>.<db>.<table> of every contract entity */
    size_t n_topics;
    struct registry_options registry;
    struct document_store_options documents;
    struct object_store_options objects;
    enum bronze_target bronze;
    size_t object_bytes, object_records;
    int object_interval_ms;
    size_t batch_records, batch_bytes;
    int batch_wait_ms;
    int sweep_interval_ms;
    size_t known_max;
    enum quarantine_policy quarantine;
    int session_timeout_ms;
    int partitions, replication; /* of a contract's topic that is made because capture has not yet */
    int64_t retention_ms;
    bool fresh_topics;                    /* mock cluster: every start is a new epoch */
    const struct contract_set *contracts; /* borrowed */
};

struct merger;

int merger_new(struct merger **out, const struct merger_options *options, struct err *err);
/* Blocks until stop_requested or an error; leaves the group cleanly, everything handed over or committed. */
int merger_run(struct merger *m, struct err *err);
void merger_free(struct merger *m);
/* For readiness, and for capture on a mock cluster that must not overrun: records between the group's position and the
 * end. */
bool merger_ready(const struct merger *m);
int64_t merger_backlog(const struct merger *m);
/* True when all partitions were read to their ends and everything is written and committed; for bounded runs (tests,
 * demo). */
bool merger_caught_up(const struct merger *m);

#endif
