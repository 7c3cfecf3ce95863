#include "capture/topic_tail.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/stop.h"

enum { BATCH = 1000, POLL_MS = 100 };

int topic_tail_look(struct consumer *c, struct topic_tail_part *parts, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (stop_requested())
            return err_set(err, ERR_STOPPED, "Stopped while asking for the ends of the topics.");
        if (consumer_watermarks(c, parts[i].topic, parts[i].partition, &parts[i].low, &parts[i].high, err))
            return -1;
        if (parts[i].from < parts[i].low)
            parts[i].from = parts[i].low;
    }
    return 0;
}

struct reading {
    const struct topic_tail_part *parts;
    int64_t *next; /* by part */
    size_t n;
    size_t left; /* parts not at their end */
    size_t hint;
};

static size_t find_part(struct reading *r, const struct record *record)
{
    for (size_t k = 0; k < r->n; k++) {
        size_t i = r->hint + k < r->n ? r->hint + k : r->hint + k - r->n;

        if (r->parts[i].partition == record->partition && !strcmp(r->parts[i].topic, record->topic)) {
            r->hint = i;
            return i;
        }
    }
    return r->n;
}

static int take_batch(struct reading *r, const struct record_batch *batch, topic_tail_fn *fn, void *arg,
                      struct err *err)
{
    for (size_t k = 0; k < record_batch_count(batch); k++) {
        const struct record *record = record_batch_at(batch, k);
        size_t i = find_part(r, record);

        if (i == r->n || r->next[i] >= r->parts[i].high)
            continue;
        if (record->offset < r->parts[i].high && fn(arg, record, err))
            return -1;
        r->next[i] = record->offset + 1;
        if (r->next[i] >= r->parts[i].high)
            r->left--;
    }
    return 0;
}

int topic_tail_read(struct consumer *c, const struct topic_tail_part *parts, size_t n, topic_tail_fn *fn, void *arg,
                    struct err *err)
{
    struct reading r = {.parts = parts, .n = n};
    struct topic_partition *assigned = xcalloc(n + 1, sizeof(*assigned));
    int64_t progress = clock_mono_us();
    size_t n_assigned = 0;
    int rc = -1;

    r.next = xcalloc(n + 1, sizeof(*r.next));
    for (size_t i = 0; i < n; i++) {
        r.next[i] = parts[i].from;
        if (parts[i].from < parts[i].high)
            assigned[n_assigned++] = (struct topic_partition){parts[i].topic, parts[i].partition, parts[i].from};
    }
    r.left = n_assigned;
    if (n_assigned && consumer_assign(c, assigned, n_assigned, err))
        goto out;
    while (r.left) {
        struct record_batch *batch = NULL;
        enum consumer_notice notice;
        int failed;

        if (stop_requested()) {
            err_set(err, ERR_STOPPED, "Stopped while reading back the topics.");
            goto out;
        }
        if (FAULT("recover.read")) {
            err_set(err, ERR_KAFKA, "Reading back the topics was refused by the fault point recover.read.");
            goto out;
        }
        if (consumer_poll_batch(c, &batch, BATCH, POLL_MS, &notice, err))
            goto out;
        failed = batch ? take_batch(&r, batch, fn, arg, err) : 0;
        if (batch)
            progress = clock_mono_us();
        record_batch_free(batch);
        if (failed)
            goto out;
        if (clock_mono_us() - progress > (int64_t)TOPIC_TAIL_IDLE_MS * 1000) {
            size_t i = 0;

            while (i + 1 < n && r.next[i] >= parts[i].high)
                i++;
            err_set(err, ERR_KAFKA,
                    "Topic %s, partition %d ends at offset %lld, but nothing came after %lld for %d s; look at the "
                    "broker, and whether another program writes to the topic.",
                    parts[i].topic, (int)parts[i].partition, (long long)parts[i].high, (long long)r.next[i],
                    TOPIC_TAIL_IDLE_MS / 1000);
            goto out;
        }
    }
    if (n_assigned && consumer_assign(c, NULL, 0, err))
        goto out;
    rc = 0;
out:
    free(assigned);
    free(r.next);
    return rc;
}
