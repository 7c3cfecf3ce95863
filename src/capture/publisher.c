#include "capture/publisher.h"

#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/stop.h"

void publisher_begin(struct publisher *p, const struct gtid *gtid)
{
    p->gtid = *gtid;
    p->calls = 0;
}

static int wait_while_held(struct publisher *p, struct err *err)
{
    while (p->hold(p->hold_arg))
        if (stop_wait_ms(5))
            return err_set(err, ERR_STOPPED, "Stopped while the merger catches up.");
    return 0;
}

int publisher_send(struct publisher *p, const struct publication *r, struct err *err)
{
    p->left_out = true;
    if (p->calls < p->resume) {
        p->calls++;
        return 0;
    }
    if (!published_empty(p->published) &&
        published_has(p->published, producer_topic_name(r->topic), r->partition, &p->gtid, r->place)) {
        p->calls++;
        p->skipped++;
        return 0;
    }
    if (p->hold && wait_while_held(p, err))
        return -1;
    if (FAULT("capture.produce"))
        return err_set(err, ERR_KAFKA, "A record was refused by the fault point capture.produce.");
    if (producer_send(p->producer, r->topic, r->partition, r->key, r->key_len, r->value, r->value_len, r->headers,
                      r->n_headers, p->tag, err))
        return -1;
    p->left_out = false;
    p->calls++;
    p->sent++;
    p->bytes += r->key_len + r->value_len;
    return 0;
}

void publisher_count(struct publisher *p)
{
    if (p->bytes)
        metric_add(metric_plain(M_CAPTURE_BYTES), (int64_t)p->bytes);
    if (p->skipped)
        metric_add(metric_plain(M_CAPTURE_SKIPPED_PUBLISHED), (int64_t)p->skipped);
    p->all_bytes += p->bytes;
    p->all_skipped += p->skipped;
    p->bytes = p->skipped = 0;
}

int32_t publisher_keyless_partition(const struct publisher *p, const struct producer_topic *topic, uint64_t index)
{
    struct {
        char gtid[GTID_TEXT];
        uint64_t index;
    } identity;

    memset(&identity, 0, sizeof(identity));
    (void)gtid_format(&p->gtid, identity.gtid);
    identity.index = index;
    return producer_partition(topic, &identity, sizeof(identity));
}
