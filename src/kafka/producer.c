#include "kafka/producer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "kafka/handle.h"
#include "kafka/lane.h"
#include "kafka/mock.h"

enum {
    RECORD_COST = 256, /* what librdkafka holds for a record beside key and value */
    TOPICS_MAX = 4096,
    WAIT_SLICE_MS = 100,   /* a waiting sender looks at the stop flag this often */
    OPEN_MS = 15000,       /* for a topic's metadata: a new topic needs a moment to be known to every broker */
    LINGER_LEAST_US = 500, /* a lane hands over a batch within this time */
    BATCH_BYTES = 1000000  /* librdkafka's and the broker's default for one request */
};

struct producer_topic {
    struct producer *producer;
    rd_kafka_topic_t *rkt;
    char *name;
    uint16_t index;
    int32_t partitions;
    struct lane *lanes; /* one per partition */
};

struct producer {
    struct kafka_handle handle;
    size_t queue_bytes, queue_records, record_max;
    struct lane_pool pool;

    struct producer_topic **topics; /* a fixed array: readers need no lock */
    atomic_uint n_topics;

    /* What was handed over and is not acknowledged. The sender adds, the ack thread subtracts. */
    atomic_size_t bytes, records;
    pthread_mutex_t lock;
    pthread_cond_t room;
    atomic_bool waiting;
    atomic_bool failed;

    /* The ack thread's own. */
    rd_kafka_event_t *event;
    struct err failure;
};

static size_t record_max(const struct producer_options *o)
{
    return o->record_max > BATCH_BYTES ? o->record_max : BATCH_BYTES;
}

static int64_t linger_us(const struct producer_options *o)
{
    return o->linger_ms > 0 ? o->linger_ms * INT64_C(1000) : LINGER_LEAST_US;
}

static int configure(rd_kafka_conf_t *conf, const struct producer_options *o, struct err *err)
{
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    /* Gapless: a record that is refused stops the producer, so that a partition always holds a prefix of what was meant
     * for it (C2). No time limit: capture waits for a broker that is away, its queue being full. */
    if (kafka_conf_set(conf, err, "enable.idempotence", "true") || kafka_conf_set(conf, err, "acks", "all") ||
        kafka_conf_set(conf, err, "enable.gapless.guarantee", "true") ||
        kafka_conf_set(conf, err, "message.timeout.ms", "0") ||
        kafka_conf_set(conf, err, "linger.ms", "%.3f", (double)linger_us(o) / 1000.0) ||
        kafka_conf_set(conf, err, "compression.codec", "%s", o->compression ? o->compression : "none") ||
        kafka_conf_set(conf, err, "message.max.bytes", "%zu", record_max(o) + RECORD_COST) ||
        /* The bounds are kept here, where a record's whole cost is counted. */
        kafka_conf_set(conf, err, "queue.buffering.max.messages", "10000000") ||
        kafka_conf_set(conf, err, "queue.buffering.max.kbytes", "2097151"))
        return -1;
    return kafka_conf_set_raw(conf, &o->kafka, err);
}

int producer_new(struct producer **out, const struct producer_options *options, struct err *err)
{
    struct producer *p;
    rd_kafka_conf_t *conf;
    pthread_condattr_t attr;

    *out = NULL;
    if (kafka_conf_new(&conf, &options->kafka, err))
        return -1;
    if (configure(conf, options, err)) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    p = xcalloc(1, sizeof(*p));
    if (kafka_handle_init(&p->handle, RD_KAFKA_PRODUCER, conf, &options->kafka, err)) {
        free(p);
        return -1;
    }
    p->queue_bytes = options->queue_bytes ? options->queue_bytes : 16u << 20;
    p->queue_records = options->queue_records ? options->queue_records : 100000;
    p->record_max = record_max(options);
    lane_pool_init(&p->pool, p->handle.rk, linger_us(options), &p->failed);
    p->topics = xcalloc(TOPICS_MAX, sizeof(struct producer_topic *));
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->room, &attr);
    pthread_condattr_destroy(&attr);
    *out = p;
    return 0;
}

/* ---- topics ---- */

/* The number of partitions, or -1. A topic that was just made may be unknown for a moment. */
static int learn_partitions(struct producer *p, struct producer_topic *t, struct err *err)
{
    int64_t end = clock_mono_us() + OPEN_MS * INT64_C(1000);
    rd_kafka_resp_err_t code;

    for (;;) {
        const struct rd_kafka_metadata *md = NULL;
        int n = 0;

        code = rd_kafka_metadata(p->handle.rk, 0, t->rkt, &md, 2000);
        if (!code) {
            code = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
            n = md->topic_cnt == 1 ? md->topics[0].partition_cnt : 0;
            rd_kafka_metadata_destroy(md);
            if (!code && n > 0) {
                t->partitions = n;
                return 0;
            }
        }
        if (kafka_error_code(code) != ERR_KAFKA || kafka_handle_refused(&p->handle) || clock_mono_us() > end)
            break;
        if (stop_wait_ms(100))
            return err_set(err, ERR_STOPPED, "Stopped while opening topic %s.", t->name);
    }
    return kafka_handle_failed(&p->handle, code, NULL, err, "Topic %s cannot be opened", t->name);
}

int producer_topic_open(struct producer *p, const char *name, struct producer_topic **out, struct err *err)
{
    unsigned n = atomic_load(&p->n_topics);
    rd_kafka_topic_conf_t *conf;
    struct producer_topic *t;

    *out = NULL;
    for (unsigned i = 0; i < n; i++)
        if (!strcmp(p->topics[i]->name, name)) {
            *out = p->topics[i];
            return 0;
        }
    if (n == TOPICS_MAX)
        return err_set(err, ERR_LIMIT, "More than %d topics; capture fewer tables with one process.", TOPICS_MAX);
    t = xcalloc(1, sizeof(*t));
    t->producer = p;
    t->name = xstrdup(name);
    t->index = (uint16_t)n;
    conf = rd_kafka_default_topic_conf_dup(p->handle.rk);
    rd_kafka_topic_conf_set_opaque(conf, t);
    t->rkt = rd_kafka_topic_new(p->handle.rk, name, conf);
    if (!t->rkt) {
        kafka_handle_failed(&p->handle, rd_kafka_last_error(), NULL, err, "Topic %s cannot be opened", name);
        rd_kafka_topic_conf_destroy(conf);
        goto fail;
    }
    if (learn_partitions(p, t, err))
        goto fail;
    t->lanes = xcalloc((size_t)t->partitions, sizeof(*t->lanes));
    for (int32_t i = 0; i < t->partitions; i++)
        lane_init(&t->lanes[i], &p->pool, t->rkt, i);
    p->topics[n] = t;
    atomic_store_explicit(&p->n_topics, n + 1, memory_order_release);
    *out = t;
    return 0;
fail:
    if (t->rkt)
        rd_kafka_topic_destroy(t->rkt);
    free(t->name);
    free(t);
    return -1;
}

uint16_t producer_topic_index(const struct producer_topic *t)
{
    return t->index;
}

const char *producer_topic_name(const struct producer_topic *t)
{
    return t->name;
}

int32_t producer_topic_partitions(const struct producer_topic *t)
{
    return t->partitions;
}

const struct producer_topic *producer_topic_at(const struct producer *p, uint16_t index)
{
    return index < atomic_load_explicit(&p->n_topics, memory_order_acquire) ? p->topics[index] : NULL;
}

int32_t producer_partition(const struct producer_topic *t, const void *key, size_t len)
{
    /* Java puts a record without a key anywhere; here it must come out the same again after a restart. */
    if (!key)
        return 0;
    return rd_kafka_msg_partitioner_murmur2(t->rkt, key, len, t->partitions, NULL, NULL);
}

/* ---- sending ---- */

static bool has_room(struct producer *p)
{
    return atomic_load_explicit(&p->bytes, memory_order_relaxed) < p->queue_bytes &&
           atomic_load_explicit(&p->records, memory_order_relaxed) < p->queue_records;
}

/* Waits until a quarter of the queue is free, so that threads do not take turns record by record. */
static bool has_much_room(struct producer *p)
{
    return atomic_load(&p->bytes) <= p->queue_bytes / 4 * 3 && atomic_load(&p->records) <= p->queue_records / 4 * 3;
}

static int send_failed(struct producer *p, struct err *err)
{
    pthread_mutex_lock(&p->lock);
    if (err)
        *err = p->failure;
    pthread_mutex_unlock(&p->lock);
    return -1;
}

static int wait_for_room(struct producer *p, struct err *err)
{
    struct timespec until;

    pthread_mutex_lock(&p->lock);
    atomic_store(&p->waiting, true);
    while (!has_much_room(p) && !atomic_load(&p->failed) && !stop_requested()) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WAIT_SLICE_MS * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&p->room, &p->lock, &until);
    }
    atomic_store(&p->waiting, false);
    pthread_mutex_unlock(&p->lock);
    if (atomic_load(&p->failed))
        return send_failed(p, err);
    if (!has_much_room(p))
        return err_set(err, ERR_STOPPED, "Stopped while waiting for room in Kafka's queue.");
    return 0;
}

int producer_send(struct producer *p, struct producer_topic *t, int32_t partition, const void *key, size_t key_len,
                  const void *value, size_t value_len, const struct kafka_header *headers, size_t n_headers,
                  uint64_t tag, struct err *err)
{
    size_t cost = key_len + value_len + RECORD_COST;
    struct lane_record r = {key, key_len, value, value_len, NULL, tag};
    rd_kafka_resp_err_t code;

    if (key_len + value_len > p->record_max)
        return err_set(err, ERR_KAFKA_FATAL,
                       "A record of %zu bytes for topic %s is above this producer's limit of %zu; raise "
                       "events.max_record_bytes and "
                       "max.message.bytes of the topic.",
                       key_len + value_len, t->name, p->record_max);
    if (partition < 0 || partition >= t->partitions)
        return err_set(err, ERR_BUG, "Topic %s has no partition %d; please report it.", t->name, (int)partition);
    if (!has_room(p) && wait_for_room(p, err))
        return -1;
    if (atomic_load_explicit(&p->failed, memory_order_relaxed))
        return send_failed(p, err);
    if (n_headers) {
        r.headers = rd_kafka_headers_new(n_headers);
        for (size_t i = 0; i < n_headers; i++)
            rd_kafka_header_add(r.headers, headers[i].name, -1, headers[i].value, (ssize_t)headers[i].len);
    }
    atomic_fetch_add_explicit(&p->bytes, cost, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->records, 1, memory_order_relaxed);
    code = lane_send(&t->lanes[partition], &r);
    if (!code)
        return 0;
    atomic_fetch_sub_explicit(&p->bytes, cost, memory_order_relaxed);
    atomic_fetch_sub_explicit(&p->records, 1, memory_order_relaxed);
    return kafka_handle_failed(&p->handle, code, NULL, err, "A record for topic %s, partition %d, cannot be sent",
                               t->name, (int)partition);
}

/* ---- acknowledgements ---- */

void producer_fail(struct producer *p, const struct err *failure)
{
    pthread_mutex_lock(&p->lock);
    if (!atomic_load(&p->failed)) {
        p->failure = *failure;
        atomic_store(&p->failed, true);
    }
    pthread_cond_broadcast(&p->room);
    pthread_mutex_unlock(&p->lock);
}

static void made_room(struct producer *p, size_t bytes, size_t records)
{
    atomic_fetch_sub(&p->bytes, bytes);
    atomic_fetch_sub(&p->records, records);
    if (!atomic_load(&p->waiting) || !has_much_room(p))
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_signal(&p->room);
    pthread_mutex_unlock(&p->lock);
}

/* A record was refused, or given up with a producer that failed. */
static void note_failure(struct producer *p, const rd_kafka_message_t *m, const struct producer_topic *t)
{
    struct err failure = ERR_INIT;

    kafka_handle_failed(&p->handle, m->err, NULL, &failure, "A record for topic %s, partition %d, was not taken",
                        t->name, (int)m->partition);
    if (failure.code == ERR_KAFKA) /* without a time limit, what comes back will not pass by itself */
        failure.code = ERR_KAFKA_FATAL;
    producer_fail(p, &failure);
}

static void lane_goes_on(struct producer *p, struct producer_topic *t, int32_t partition, size_t records)
{
    rd_kafka_resp_err_t code;
    struct err failure = ERR_INIT;

    if (!records || partition < 0 || partition >= t->partitions)
        return;
    code = lane_acked(&t->lanes[partition], records);
    if (code && !atomic_load(&p->failed)) {
        kafka_handle_failed(&p->handle, code, NULL, &failure, "Records for topic %s, partition %d, cannot be sent",
                            t->name, (int)partition);
        producer_fail(p, &failure);
    }
}

/* Takes acks out of the delivery report that is being read. A report is about one partition, as a rule. */
static int take_acks(struct producer *p, struct ack *acks, int max)
{
    size_t bytes = 0, records = 0, of_lane = 0;
    const rd_kafka_topic_t *rkt = NULL;
    struct producer_topic *t = NULL;
    int32_t partition = -1;
    const rd_kafka_message_t *m;
    int n = 0;

    while (n < max && (m = rd_kafka_event_message_next(p->event))) {
        size_t cost = m->len + m->key_len;

        if (m->rkt != rkt || m->partition != partition) {
            lane_goes_on(p, t, partition, of_lane);
            of_lane = 0;
            rkt = m->rkt;
            partition = m->partition;
            t = rd_kafka_topic_opaque(rkt);
        }
        bytes += cost + RECORD_COST;
        records++;
        of_lane++;
        if (m->err) {
            note_failure(p, m, t);
            continue;
        }
        if (p->handle.mock)
            kafka_mock_produced(t->name, partition, m->offset, cost + 80);
        acks[n].tag = (uintptr_t)m->_private;
        acks[n].topic = t->index;
        acks[n].partition = partition;
        acks[n].offset = m->offset;
        n++;
    }
    lane_goes_on(p, t, partition, of_lane);
    if (n < max) {
        rd_kafka_event_destroy(p->event);
        p->event = NULL;
    }
    if (records)
        made_room(p, bytes, records);
    return n;
}

int producer_poll_acks(struct producer *p, struct ack *acks, int max, int timeout_ms, struct err *err)
{
    int n = 0;

    while (n < max) {
        if (!p->event)
            p->event = rd_kafka_queue_poll(p->handle.queue, n ? 0 : timeout_ms);
        if (!p->event)
            break;
        switch (rd_kafka_event_type(p->event)) {
        case RD_KAFKA_EVENT_DR:
            n += take_acks(p, acks + n, max - n);
            continue;
        case RD_KAFKA_EVENT_ERROR:
            kafka_handle_note(&p->handle, p->event);
            if (rd_kafka_event_error_is_fatal(p->event)) {
                struct err failure = ERR_INIT;

                kafka_handle_failed(&p->handle, RD_KAFKA_RESP_ERR__FATAL, NULL, &failure,
                                    "Kafka's producer cannot go on");
                producer_fail(p, &failure);
            }
            break;
        default:
            break;
        }
        rd_kafka_event_destroy(p->event);
        p->event = NULL;
        timeout_ms = 0; /* an event without reports counts as the wait */
    }
    if (!n && atomic_load(&p->failed))
        return send_failed(p, err);
    return n;
}

size_t producer_in_flight(struct producer *p)
{
    return atomic_load(&p->records);
}

double producer_queue_fill(struct producer *p)
{
    double bytes = (double)atomic_load(&p->bytes) / (double)p->queue_bytes;
    double records = (double)atomic_load(&p->records) / (double)p->queue_records;
    double fill = bytes > records ? bytes : records;

    return fill > 1 ? 1 : fill;
}

void producer_free(struct producer *p, int timeout_ms)
{
    int64_t end = clock_mono_us() + timeout_ms * INT64_C(1000);
    struct ack acks[256];

    if (!p)
        return;
    while (producer_in_flight(p) && !atomic_load(&p->failed) && clock_mono_us() < end)
        if (producer_poll_acks(p, acks, 256, 20, NULL) < 0)
            break;
    rd_kafka_purge(p->handle.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    for (int i = 0; i < 50 && rd_kafka_outq_len(p->handle.rk) > 0; i++)
        producer_poll_acks(p, acks, 256, 20, NULL);
    if (p->event)
        rd_kafka_event_destroy(p->event);
    for (unsigned i = 0; i < atomic_load(&p->n_topics); i++) {
        for (int32_t k = 0; k < p->topics[i]->partitions; k++)
            lane_release(&p->topics[i]->lanes[k]);
        free(p->topics[i]->lanes);
        rd_kafka_topic_destroy(p->topics[i]->rkt);
        free(p->topics[i]->name);
        free(p->topics[i]);
    }
    lane_pool_release(&p->pool);
    kafka_handle_release(&p->handle);
    free(p->topics);
    pthread_cond_destroy(&p->room);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
