#include "merge/frontier.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "checkpoint/checkpoint.h"
#include "kafka/admin_client.h"

enum { CAPTURES_MAX = 256, BATCH = 1000, POLL_MS = 200, POLLS_MAX = 50 };

struct reached {
    char *topic;
    int64_t *committed; /* by partition */
    size_t n;
};

struct frontier {
    struct kafka_options kafka;
    const char *group;
    char *topic;
    struct consumer *reader, *asker; /* of the checkpoint topic; of the group's offsets */
    struct admin_client *admin;      /* until the checkpoint topic is there */
    int64_t next;
    struct checkpoint *checkpoints; /* the newest of each capture */
    size_t n_checkpoints;
    struct reached *reached;
    size_t n_reached;
};

struct frontier *frontier_new(const struct kafka_options *kafka, const char *group, const char *prefix)
{
    struct frontier *f = xcalloc(1, sizeof *f);

    f->kafka = *kafka;
    f->group = group;
    f->topic = xasprintf("%s.pillion.checkpoint", prefix);
    return f;
}

static void forget_reached(struct frontier *f)
{
    for (size_t i = 0; i < f->n_reached; i++) {
        free(f->reached[i].topic);
        free(f->reached[i].committed);
    }
    f->n_reached = 0;
}

void frontier_free(struct frontier *f)
{
    if (!f)
        return;
    consumer_free(f->reader);
    consumer_free(f->asker);
    admin_client_free(f->admin);
    for (size_t i = 0; i < f->n_checkpoints; i++)
        checkpoint_release(&f->checkpoints[i]);
    free(f->checkpoints);
    forget_reached(f);
    free(f->reached);
    free(f->topic);
    free(f);
}

static void take(struct frontier *f, const struct record *r)
{
    struct checkpoint c;
    struct err err = ERR_INIT;
    size_t i = 0;

    if (!r->value)
        return;
    checkpoint_init(&c);
    if (checkpoint_decode(&c, r->value, r->value_len, &err)) {
        log_warn("merge", "A checkpoint at offset %lld cannot be read and proves nothing: %s", (long long)r->offset,
                 err.text);
        checkpoint_release(&c);
        return;
    }
    while (i < f->n_checkpoints && strcmp(f->checkpoints[i].name, c.name) != 0)
        i++;
    if (i == CAPTURES_MAX) {
        checkpoint_release(&c);
        return;
    }
    if (i == f->n_checkpoints) {
        f->checkpoints = xreallocarray(f->checkpoints, ++f->n_checkpoints, sizeof *f->checkpoints);
    } else {
        checkpoint_release(&f->checkpoints[i]);
    }
    f->checkpoints[i] = c;
}

static int open_clients(struct frontier *f, struct err *err)
{
    struct consumer_options options = {.kafka = f->kafka, .fetch_bytes = 1 << 20};

    if (!f->reader && consumer_new(&f->reader, &options, err))
        return -1;
    options.group = f->group;
    return !f->asker && consumer_new(&f->asker, &options, err) ? -1 : 0;
}

/* Is there a checkpoint topic? Asking a topic that is not there for its ends is an error, as it must be elsewhere. */
static int find_topic(struct frontier *f, bool *found, struct err *err)
{
    int partitions = 1;

    if (f->next == 0 && ((!f->admin && admin_client_new(&f->admin, &f->kafka, err)) ||
                         admin_client_partitions(f->admin, f->topic, &partitions, err)))
        return -1;
    *found = partitions > 0;
    if (*found) {
        admin_client_free(f->admin);
        f->admin = NULL;
    }
    return 0;
}

/* All checkpoints up to the end that the topic has now. */
static int read_checkpoints(struct frontier *f, struct err *err)
{
    struct topic_partition at = {.topic = f->topic, .partition = 0, .offset = f->next};
    int64_t low, high;
    bool found;

    if (find_topic(f, &found, err))
        return -1;
    if (!found)
        return 0;
    if (consumer_watermarks(f->reader, f->topic, 0, &low, &high, err))
        return -1;
    if (high < f->next) /* made anew */
        f->next = at.offset = 0;
    if (f->next >= high)
        return 0;
    if (at.offset < low)
        at.offset = low;
    if (consumer_assign(f->reader, &at, 1, err))
        return -1;
    for (int polls = 0; f->next < high && polls < POLLS_MAX; polls++) {
        struct record_batch *batch = NULL;
        enum consumer_notice notice;

        if (consumer_poll_batch(f->reader, &batch, BATCH, POLL_MS, &notice, err))
            return -1;
        for (size_t i = 0; notice == CONSUMER_RECORDS && i < record_batch_count(batch); i++) {
            take(f, record_batch_at(batch, i));
            f->next = record_batch_at(batch, i)->offset + 1;
        }
        if (notice == CONSUMER_RECORDS)
            record_batch_free(batch);
    }
    return consumer_assign(f->reader, NULL, 0, err);
}

static int ask_committed(struct frontier *f, const struct checkpoint_topic *t, struct err *err)
{
    struct topic_partition *parts = xcalloc(t->n_partitions + 1, sizeof *parts);
    struct reached *r;
    int rc;

    for (size_t p = 0; p < t->n_partitions; p++)
        parts[p] = (struct topic_partition){.topic = t->name, .partition = (int32_t)p, .offset = -1};
    rc = consumer_committed(f->asker, parts, t->n_partitions, err);
    if (!rc) {
        f->reached = xreallocarray(f->reached, f->n_reached + 1, sizeof *f->reached);
        r = &f->reached[f->n_reached++];
        *r = (struct reached){.topic = xstrdup(t->name), .n = t->n_partitions};
        r->committed = xcalloc(t->n_partitions + 1, sizeof *r->committed);
        for (size_t p = 0; p < t->n_partitions; p++)
            r->committed[p] = parts[p].offset;
    }
    free(parts);
    return rc;
}

int frontier_refresh(struct frontier *f, struct err *err)
{
    if (open_clients(f, err) || read_checkpoints(f, err))
        return -1;
    forget_reached(f);
    for (size_t i = 0; i < f->n_checkpoints; i++)
        for (size_t k = 0; k < f->checkpoints[i].n_topics; k++)
            if (ask_committed(f, &f->checkpoints[i].topics[k], err))
                return -1;
    return 0;
}

bool frontier_proves_orphan(const struct frontier *f, const char *topic, int32_t partition, int64_t offset,
                            const char *parent_topic)
{
    for (size_t i = 0; i < f->n_checkpoints; i++) {
        const struct checkpoint *c = &f->checkpoints[i];

        if (offset >= checkpoint_end(c, topic, partition) || !checkpoint_partitions(c, parent_topic))
            continue;
        for (size_t k = 0; k < f->n_reached; k++) {
            const struct reached *r = &f->reached[k];
            bool all = !strcmp(r->topic, parent_topic);

            for (size_t p = 0; all && p < r->n; p++)
                all = r->committed[p] >= checkpoint_end(c, parent_topic, (int32_t)p);
            if (all)
                return true;
        }
    }
    return false;
}
