#include "kafka/lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    BLOCK_BYTES = 16 << 10,
    SPARE_MAX = 256,
    /* One batch: below librdkafka's batch.num.messages and batch.size, so that it goes in one request, and handed over
     * within the linger time, so that the broker thread does not leave with the first part. */
    BATCH_RECORDS = 5000,
    BATCH_BYTES = 900000,
    GROUP = 128 /* records handed over by one call */
};

struct lane_block {
    struct lane_block *next;
    size_t size, used, records;
    uint8_t data[];
};

/* Before each waiting record's key and value; padded to 8 bytes. */
struct waiting {
    uint64_t tag;
    rd_kafka_headers_t *headers;
    uint32_t key_len, value_len;
    bool has_key, has_value;
};

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

void lane_pool_init(struct lane_pool *p, rd_kafka_t *rk, int64_t linger_us, atomic_bool *failed)
{
    memset(p, 0, sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
    p->rk = rk;
    p->linger_us = linger_us;
    p->failed = failed;
}

void lane_pool_release(struct lane_pool *p)
{
    for (struct lane_block *b = p->spare, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    pthread_mutex_destroy(&p->lock);
}

static struct lane_block *block_get(struct lane_pool *p, size_t need)
{
    struct lane_block *b = NULL;
    size_t size = need > BLOCK_BYTES ? need : BLOCK_BYTES;

    if (size == BLOCK_BYTES) {
        pthread_mutex_lock(&p->lock);
        b = p->spare;
        if (b) {
            p->spare = b->next;
            p->n_spare--;
        }
        pthread_mutex_unlock(&p->lock);
    }
    if (!b) {
        b = xmalloc(sizeof(*b) + size);
        b->size = size;
    }
    b->next = NULL;
    b->used = 0;
    b->records = 0;
    return b;
}

static void block_put(struct lane_pool *p, struct lane_block *b)
{
    if (b->size == BLOCK_BYTES) {
        pthread_mutex_lock(&p->lock);
        if (p->n_spare < SPARE_MAX) {
            b->next = p->spare;
            p->spare = b;
            p->n_spare++;
            b = NULL;
        }
        pthread_mutex_unlock(&p->lock);
    }
    free(b);
}

void lane_init(struct lane *l, struct lane_pool *pool, rd_kafka_topic_t *rkt, int32_t partition)
{
    memset(l, 0, sizeof(*l));
    l->pool = pool;
    l->rkt = rkt;
    l->partition = partition;
    pthread_mutex_init(&l->lock, NULL);
}

static void drop_headers(struct lane_block *b)
{
    for (size_t at = 0; at < b->used;) {
        struct waiting *w = (struct waiting *)(void *)(b->data + at);

        if (w->headers)
            rd_kafka_headers_destroy(w->headers);
        at += padded(sizeof(*w) + w->key_len + w->value_len);
    }
}

void lane_release(struct lane *l)
{
    for (struct lane_block *b = l->first, *next; b; b = next) {
        next = b->next;
        drop_headers(b);
        free(b);
    }
    pthread_mutex_destroy(&l->lock);
}

/* ---- to librdkafka ---- */

/* librdkafka copies what it is given, but takes it without const. */
static void *bare(const void *p)
{
    void *q;

    memcpy(&q, &p, sizeof(q));
    return q;
}

/* Takes the headers. */
static rd_kafka_resp_err_t hand_over_with_headers(struct lane *l, const struct lane_record *r)
{
    rd_kafka_vu_t with[7];
    rd_kafka_error_t *refused;
    rd_kafka_resp_err_t code;

    memset(with, 0, sizeof(with));
    with[0].vtype = RD_KAFKA_VTYPE_RKT;
    with[0].u.rkt = l->rkt;
    with[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    with[1].u.i32 = l->partition;
    with[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    with[2].u.i = RD_KAFKA_MSG_F_COPY;
    with[3].vtype = RD_KAFKA_VTYPE_VALUE;
    with[3].u.mem.ptr = bare(r->value);
    with[3].u.mem.size = r->value_len;
    with[4].vtype = RD_KAFKA_VTYPE_KEY;
    with[4].u.mem.ptr = bare(r->key);
    with[4].u.mem.size = r->key_len;
    with[5].vtype = RD_KAFKA_VTYPE_HEADERS;
    with[5].u.headers = r->headers;
    with[6].vtype = RD_KAFKA_VTYPE_OPAQUE;
    with[6].u.ptr = (void *)(uintptr_t)r->tag;
    refused = rd_kafka_produceva(l->pool->rk, with, sizeof(with) / sizeof(with[0]));
    if (!refused)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    code = rd_kafka_error_code(refused);
    rd_kafka_error_destroy(refused);
    rd_kafka_headers_destroy(r->headers);
    return code;
}

static rd_kafka_resp_err_t hand_over_one(struct lane *l, const struct lane_record *r)
{
    if (r->headers)
        return hand_over_with_headers(l, r);
    if (rd_kafka_produce(l->rkt, l->partition, RD_KAFKA_MSG_F_COPY, bare(r->value), r->value_len, r->key, r->key_len,
                         (void *)(uintptr_t)r->tag))
        return rd_kafka_last_error();
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t hand_over_group(struct lane *l, rd_kafka_message_t *group, int n)
{
    if (!n || rd_kafka_produce_batch(l->rkt, l->partition, RD_KAFKA_MSG_F_COPY, group, n) == n)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < n; i++)
        if (group[i].err)
            return group[i].err;
    return RD_KAFKA_RESP_ERR__FAIL;
}

/* The records of one block, in groups; those with headers one by one. */
static rd_kafka_resp_err_t hand_over_block(struct lane *l, struct lane_block *b)
{
    rd_kafka_message_t group[GROUP];
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    int n = 0;

    memset(group, 0, sizeof(group));
    for (size_t at = 0; at < b->used && !code;) {
        struct waiting *w = (struct waiting *)(void *)(b->data + at);
        uint8_t *key = b->data + at + sizeof(*w);

        at += padded(sizeof(*w) + w->key_len + w->value_len);
        if (w->headers) {
            struct lane_record r = {w->has_key ? key : NULL,
                                    w->key_len,
                                    w->has_value ? key + w->key_len : NULL,
                                    w->value_len,
                                    w->headers,
                                    w->tag};

            code = hand_over_group(l, group, n);
            n = 0;
            w->headers = NULL;
            if (!code)
                code = hand_over_one(l, &r);
            else
                rd_kafka_headers_destroy(r.headers);
            continue;
        }
        group[n].key = w->has_key ? key : NULL;
        group[n].key_len = w->key_len;
        group[n].payload = w->has_value ? key + w->key_len : NULL;
        group[n].len = w->value_len;
        group[n]._private = (void *)(uintptr_t)w->tag;
        if (++n == GROUP) {
            code = hand_over_group(l, group, n);
            n = 0;
        }
    }
    return code ? code : hand_over_group(l, group, n);
}

/* ---- in and out ---- */

static void keep(struct lane *l, const struct lane_record *r)
{
    size_t need = padded(sizeof(struct waiting) + r->key_len + r->value_len);
    struct lane_block *b = l->last;
    struct waiting *w;
    uint8_t *p;

    if (!b || b->size - b->used < need) {
        b = block_get(l->pool, need);
        if (l->last)
            l->last->next = b;
        else
            l->first = b;
        l->last = b;
    }
    w = (struct waiting *)(void *)(b->data + b->used);
    w->tag = r->tag;
    w->headers = r->headers;
    w->key_len = (uint32_t)r->key_len;
    w->value_len = (uint32_t)r->value_len;
    w->has_key = r->key != NULL;
    w->has_value = r->value != NULL;
    p = b->data + b->used + sizeof(*w);
    if (r->key_len)
        memcpy(p, r->key, r->key_len);
    if (r->value_len)
        memcpy(p + r->key_len, r->value, r->value_len);
    b->used += need;
    b->records++;
}

rd_kafka_resp_err_t lane_send(struct lane *l, const struct lane_record *r)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    pthread_mutex_lock(&l->lock);
    if (!l->under_way)
        l->joinable_until = clock_mono_us() + l->pool->linger_us / 2;
    else if (l->first || !l->joinable_until || clock_mono_us() > l->joinable_until) {
        l->joinable_until = 0;
        keep(l, r);
        goto out;
    }
    l->under_way++;
    code = hand_over_one(l, r);
    if (code)
        l->under_way--;
out:
    pthread_mutex_unlock(&l->lock);
    return code;
}

rd_kafka_resp_err_t lane_acked(struct lane *l, size_t n)
{
    struct lane_block *batch = NULL, **end = &batch;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    size_t records = 0, bytes = 0;

    pthread_mutex_lock(&l->lock);
    l->under_way -= n;
    if (!l->under_way) {
        while (l->first &&
               (!records || (records + l->first->records <= BATCH_RECORDS && bytes + l->first->used <= BATCH_BYTES))) {
            *end = l->first;
            records += l->first->records;
            bytes += l->first->used;
            end = &l->first->next;
            l->first = l->first->next;
        }
        *end = NULL;
        if (!l->first)
            l->last = NULL;
        /* Counted before it is handed over, so that the sender keeps what comes meanwhile. */
        l->under_way = records;
        l->joinable_until = 0;
    }
    pthread_mutex_unlock(&l->lock);
    for (struct lane_block *b = batch, *next; b; b = next) {
        next = b->next;
        if (!code && !atomic_load(l->pool->failed))
            code = hand_over_block(l, b);
        if (code || atomic_load(l->pool->failed))
            drop_headers(b);
        block_put(l->pool, b);
    }
    return code;
}
