#include "capture/checkpoint_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "capture/topic_tail.h"

enum { WRITE_MS = 15000 };

char *checkpoint_log_topic(const char *prefix)
{
    return xasprintf("%s.pillion.checkpoint", prefix);
}

int checkpoint_log_ensure(struct admin_client *a, const char *topic, int replication, struct err *err)
{
    struct topic_spec spec = {.name = topic, .partitions = 1, .replication = replication, .compacted = true};
    int partitions = 0;

    if (admin_client_ensure_topic(a, &spec, &partitions, err))
        return -1;
    if (partitions != 1)
        return err_set(err, ERR_CHECKPOINT,
                       "Topic %s has %d partitions and must have one; delete it, and set the position with "
                       "`pillion position set`.",
                       topic, partitions);
    return 0;
}

struct newest {
    const char *name;
    uint8_t *value;
    size_t len;
    int64_t offset;
};

static int take(void *arg, const struct record *record, struct err *err)
{
    struct newest *n = arg;

    (void)err;
    if (record->key_len != strlen(n->name) || memcmp(record->key, n->name, record->key_len) != 0)
        return 0;
    free(n->value);
    n->value = record->value ? xmemdup(record->value, record->value_len) : NULL;
    n->len = record->value_len;
    n->offset = record->offset;
    return 0;
}

int checkpoint_log_read(struct consumer *c, const char *topic, const char *name, struct checkpoint *out, bool *found,
                        struct err *err)
{
    struct topic_tail_part part = {.topic = topic};
    struct newest newest = {.name = name};
    int rc = -1;

    *found = false;
    if (topic_tail_look(c, &part, 1, err) || topic_tail_read(c, &part, 1, take, &newest, err))
        goto out;
    if (newest.value) {
        if (checkpoint_decode(out, newest.value, newest.len, err)) {
            err_prefix(err, "topic %s, offset %lld", topic, (long long)newest.offset);
            goto out;
        }
        *found = true;
    }
    rc = 0;
out:
    free(newest.value);
    return rc;
}

int checkpoint_log_write(const struct kafka_options *kafka, const char *topic, const struct checkpoint *c,
                         struct err *err)
{
    struct producer_options options = {.kafka = *kafka, .record_max = CHECKPOINT_BYTES_MAX};
    int64_t end = clock_mono_us() + WRITE_MS * INT64_C(1000);
    struct producer *p = NULL;
    struct producer_topic *t;
    struct ack ack;
    struct buf value;
    int rc = -1, n = 0;

    buf_init(&value, CHECKPOINT_BYTES_MAX);
    if (checkpoint_encode(c, &value, err) || producer_new(&p, &options, err) ||
        producer_topic_open(p, topic, &t, err) ||
        producer_send(p, t, 0, c->name, strlen(c->name), value.data, value.len, NULL, 0, 1, err))
        goto out;
    while (!n) {
        n = producer_poll_acks(p, &ack, 1, 100, err);
        if (n < 0)
            goto out;
        if (!n && (clock_mono_us() > end || stop_requested())) {
            err_set(err, ERR_KAFKA, "The checkpoint was not acknowledged within %d s; try again when Kafka answers.",
                    WRITE_MS / 1000);
            goto out;
        }
    }
    rc = 0;
out:
    producer_free(p, 0);
    buf_release(&value);
    return rc;
}
