/* recovery: what a former run left in the topics beyond the checkpoint (C2).
 *
 * Reads partitions from the checkpoint's ends to their high watermarks and tells `published` the identity of each
 * record: from the envelope's source block (gtid, txn_index), else from the header `pillion.id` = "<gtid>#<index>"
 * (tombstones, profile debezium, transaction and schema-change topics). Transactions that the checkpoint's position
 * holds are left out: they are not read again. Topics that the checkpoint knows are read at start, all at once; others
 * when capture opens them, from their start. A high watermark below the checkpoint's end means that the topic was made
 * anew: its ends are forgotten and the epoch rises. A changed number of partitions is ERR_EPOCH: keys would change
 * their partition and lose their order. Thread: the stream thread. Errors: ERR_EPOCH, ERR_CHECKPOINT (a record without
 * identity), kafka/'s, registry.h's. */
#ifndef PILLION_CAPTURE_RECOVERY_H
#define PILLION_CAPTURE_RECOVERY_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/published.h"
#include "kafka/admin_client.h"
#include "kafka/consumer.h"
#include "registry/registry.h"

struct recovery;

struct recovery_options {
    struct kafka_options kafka;
    struct registry *registry;    /* borrowed */
    struct admin_client *admin;   /* borrowed */
    const char *checkpoint_topic; /* left out */
};

int recovery_new(struct recovery **out, const struct recovery_options *options, struct err *err);
void recovery_free(struct recovery *r);
/* The consumer without group, for the checkpoint log. */
struct consumer *recovery_consumer(struct recovery *r);
/* Reads the tails of all topics of the checkpoint, and corrects its ends and epoch where topics were made anew or
 * vanished. */
int recovery_start(struct recovery *r, struct checkpoint *checkpoint, struct err *err);
/* A topic is opened for the first time in this run. *ends (by partition, free it): what the next checkpoints have to
 * name while what was found is not read again; *highs (free it): what they may name after that. */
int recovery_topic(struct recovery *r, const char *topic, int partitions, int64_t **ends, int64_t **highs,
                   struct err *err);
struct published *recovery_published(struct recovery *r);
uint64_t recovery_records(const struct recovery *r); /* read back so far */

#endif
