/* ack_window.c: see ack_window.h. */
#include "checkpoint/ack_window.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

struct entry {
    uint64_t tag;
    uint64_t sent;
    uint64_t acked;
    bool committed;
};

/* What is known of one partition. */
struct slot {
    struct partition_end round; /* .end: acks of tags up to the round's target */
    int64_t committed;          /* acks of committed tags */
    int64_t open;               /* acks of the open tag; 0: none */
    bool touched;               /* listed in w->touched */
};

struct topic_slots {
    uint32_t *slots; /* by partition: index + 1 in w->slots */
    size_t n;
};

struct ack_window {
    struct entry *ring; /* rising tags; only the last may be open */
    size_t size, head, count;
    size_t hint;         /* place, from head, of the entry that was found last */
    uint64_t newest_tag; /* given by begin */
    uint64_t committed_tag;
    struct position committed_at;
    uint64_t unacked_sent, unacked_acked; /* totals; late counting may let the second run ahead */

    bool round_open;
    uint64_t round_tag;
    struct position round_at;

    struct slot *slots;
    size_t n_slots, slots_size;
    struct topic_slots *topics;
    size_t n_topics;
    uint32_t *touched; /* slots with open acks */
    size_t n_touched, touched_size;
    struct partition_end *out;
    size_t out_size;
};

struct ack_window *ack_window_new(size_t max_transactions)
{
    struct ack_window *w = xcalloc(1, sizeof(*w));

    w->size = max_transactions ? max_transactions : 1;
    w->ring = xcalloc(w->size, sizeof(*w->ring));
    position_init(&w->committed_at);
    position_init(&w->round_at);
    return w;
}

void ack_window_free(struct ack_window *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_topics; i++)
        free(w->topics[i].slots);
    free(w->topics);
    free(w->slots);
    free(w->touched);
    free(w->out);
    free(w->ring);
    position_release(&w->committed_at);
    position_release(&w->round_at);
    free(w);
}

static struct entry *entry_at(const struct ack_window *w, size_t i)
{
    size_t at = w->head + i;

    return &w->ring[at >= w->size ? at - w->size : at];
}

/* The open transaction's entry, or NULL. */
static struct entry *open_entry(const struct ack_window *w)
{
    struct entry *last = w->count ? entry_at(w, w->count - 1) : NULL;

    return last && !last->committed ? last : NULL;
}

/* Tags rise but are not dense (empty transactions leave no entry). Reports come nearly in order, so the entry is mostly
 * the one found last or the next. */
static struct entry *find_entry(struct ack_window *w, uint64_t tag)
{
    size_t low = 0, high = w->count;

    for (size_t i = w->hint; i < w->count && i < w->hint + 2; i++)
        if (entry_at(w, i)->tag == tag) {
            w->hint = i;
            return entry_at(w, i);
        }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        struct entry *e = entry_at(w, mid);

        if (e->tag == tag) {
            w->hint = mid;
            return e;
        }
        if (e->tag < tag)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static struct slot *find_slot(struct ack_window *w, uint16_t topic, int32_t partition)
{
    struct topic_slots *t;
    struct slot *s;

    if (partition < 0 || partition >= ACK_WINDOW_PARTITIONS_MAX)
        return NULL;
    if (topic >= w->n_topics) {
        size_t n = (size_t)topic + 1;

        w->topics = xreallocarray(w->topics, n, sizeof(*w->topics));
        for (size_t i = w->n_topics; i < n; i++)
            w->topics[i] = (struct topic_slots){NULL, 0};
        w->n_topics = n;
    }
    t = &w->topics[topic];
    if ((size_t)partition >= t->n) {
        size_t n = (size_t)partition + 1;

        t->slots = xreallocarray(t->slots, n, sizeof(*t->slots));
        for (size_t i = t->n; i < n; i++)
            t->slots[i] = 0;
        t->n = n;
    }
    if (t->slots[partition])
        return &w->slots[t->slots[partition] - 1];
    if (w->n_slots == w->slots_size) {
        w->slots_size = w->slots_size ? 2 * w->slots_size : 16;
        w->slots = xreallocarray(w->slots, w->slots_size, sizeof(*w->slots));
    }
    s = &w->slots[w->n_slots++];
    *s = (struct slot){{topic, partition, 0}, 0, 0, false};
    t->slots[partition] = (uint32_t)w->n_slots;
    return s;
}

void ack_window_restore(struct ack_window *w, const struct partition_end *ends, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct slot *s = find_slot(w, ends[i].topic, ends[i].partition);

        if (!s)
            continue;
        if (ends[i].end > s->committed)
            s->committed = ends[i].end;
    }
}

bool ack_window_full(const struct ack_window *w)
{
    return w->count == w->size;
}

uint64_t ack_window_open_tag(const struct ack_window *w)
{
    struct entry *e = open_entry(w);

    return e ? e->tag : 0;
}

uint64_t ack_window_begin(struct ack_window *w)
{
    if (ack_window_full(w) || open_entry(w))
        return 0;
    *entry_at(w, w->count++) = (struct entry){.tag = ++w->newest_tag};
    return w->newest_tag;
}

void ack_window_sent(struct ack_window *w, uint64_t tag, uint64_t records)
{
    struct entry *e = open_entry(w);

    if (!e || e->tag != tag)
        return;
    e->sent += records;
    w->unacked_sent += records;
}

/* Lets go of what the mark has passed. */
static void advance(struct ack_window *w)
{
    while (w->count) {
        struct entry *e = entry_at(w, 0);

        if (!e->committed || e->acked != e->sent)
            return;
        w->head = w->head + 1 == w->size ? 0 : w->head + 1;
        w->count--;
        w->hint = w->hint ? w->hint - 1 : 0;
    }
}

int ack_window_commit(struct ack_window *w, uint64_t tag, const struct position *after, struct err *err)
{
    struct entry *e = open_entry(w);

    if (!e || e->tag != tag)
        return err_set(err, ERR_BUG,
                       "The ack window was told to commit transaction %" PRIu64 ", which is not the open one.", tag);
    if (e->acked > e->sent)
        return err_set(err, ERR_BUG,
                       "Transaction %" PRIu64 " has %" PRIu64 " acknowledgements for %" PRIu64 " records.", tag,
                       e->acked, e->sent);
    e->committed = true;
    w->committed_tag = tag;
    position_copy(&w->committed_at, after);
    for (size_t i = 0; i < w->n_touched; i++) {
        struct slot *s = &w->slots[w->touched[i]];

        if (s->open > s->committed)
            s->committed = s->open;
        s->open = 0;
        s->touched = false;
    }
    w->n_touched = 0;
    if (!e->sent)
        w->count--; /* nothing to wait for */
    advance(w);
    return 0;
}

int ack_window_acked(struct ack_window *w, uint64_t tag, uint16_t topic, int32_t partition, int64_t offset,
                     struct err *err)
{
    struct entry *e = find_entry(w, tag);
    struct slot *s;

    if (!e || (e->committed && e->acked >= e->sent))
        return err_set(err, ERR_BUG, "An acknowledgement came for transaction %" PRIu64 ", which waits for none.", tag);
    s = find_slot(w, topic, partition);
    if (!s)
        return err_set(err, ERR_LIMIT, "Partition %d of topic number %u is above the limit of %d partitions a topic.",
                       (int)partition, (unsigned)topic, (int)ACK_WINDOW_PARTITIONS_MAX);
    e->acked++;
    w->unacked_acked++;
    if (!e->committed) {
        if (!s->touched) {
            if (w->n_touched == w->touched_size) {
                w->touched_size = w->touched_size ? 2 * w->touched_size : 16;
                w->touched = xreallocarray(w->touched, w->touched_size, sizeof(*w->touched));
            }
            w->touched[w->n_touched++] = (uint32_t)(s - w->slots);
            s->touched = true;
        }
        if (offset + 1 > s->open)
            s->open = offset + 1;
        return 0;
    }
    if (offset + 1 > s->committed)
        s->committed = offset + 1;
    if (w->round_open && tag <= w->round_tag && offset + 1 > s->round.end)
        s->round.end = offset + 1;
    if (e->acked == e->sent)
        advance(w);
    return 0;
}

bool ack_window_open_round(struct ack_window *w)
{
    if (w->round_open)
        return true;
    if (w->committed_tag <= w->round_tag)
        return false;
    w->round_open = true;
    w->round_tag = w->committed_tag;
    position_copy(&w->round_at, &w->committed_at);
    for (size_t i = 0; i < w->n_slots; i++)
        w->slots[i].round.end = w->slots[i].committed;
    return true;
}

bool ack_window_take_round(struct ack_window *w, const struct position **at, const struct partition_end **ends,
                           size_t *n_ends)
{
    size_t n = 0;

    if (!w->round_open || ack_window_mark(w) < w->round_tag)
        return false;
    w->round_open = false;
    if (w->out_size < w->n_slots) {
        w->out_size = w->n_slots;
        w->out = xreallocarray(w->out, w->out_size, sizeof(*w->out));
    }
    for (size_t i = 0; i < w->n_slots; i++)
        if (w->slots[i].round.end)
            w->out[n++] = w->slots[i].round;
    *at = &w->round_at;
    *ends = w->out;
    *n_ends = n;
    return true;
}

uint64_t ack_window_mark(const struct ack_window *w)
{
    return w->count ? entry_at(w, 0)->tag - 1 : w->committed_tag;
}

uint64_t ack_window_unacked(const struct ack_window *w)
{
    return w->unacked_sent > w->unacked_acked ? w->unacked_sent - w->unacked_acked : 0;
}
