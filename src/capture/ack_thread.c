#include "capture/ack_thread.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/stop.h"

enum { ACKS = 4096, POLL_MS = 50, WRITING_POLL_MS = 5, LEASE_CHECK_US = 500000, GAUGES_US = 250000 };

struct ack_thread {
    struct ack_thread_options o;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    atomic_bool finishing, abandoned, has_failed;
    atomic_uint_fast64_t sample_tag;
    atomic_int_fast64_t sample_us;

    /* under the lock */
    struct ack_window *window;
    struct err failure;
    uint64_t committed; /* newest tag committed */
    uint64_t covered;   /* newest tag that an acknowledged checkpoint covers */
    bool finished;
    char position[1024];

    /* the thread's own */
    struct producer *checkpoints;
    struct producer_topic *topic;
    struct checkpoint checkpoint;
    struct buf value;
    struct ack *acks;
    bool round_open, writing, interrupted;
    uint64_t round_tag, writing_tag;
    int64_t next_round, next_lease, next_gauges, written_us;
};

static void fail(struct ack_thread *a, const struct err *failure)
{
    pthread_mutex_lock(&a->lock);
    if (!a->has_failed) {
        a->failure = *failure;
        a->has_failed = true;
    }
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
}

static void interrupt(struct ack_thread *a)
{
    if (a->interrupted || !a->o.interrupt)
        return;
    a->interrupted = true;
    a->o.interrupt(a->o.interrupt_arg);
}

static void put_position(struct ack_thread *a)
{
    const struct position *p = &a->checkpoint.position;
    struct buf text;

    buf_init(&text, sizeof(a->position) - 1);
    if (p->flavor != GTID_FILE && p->gtids && !gtid_set_empty(p->gtids)) {
        (void)gtid_set_format(p->gtids, &text); /* cut when it is long: it is for people */
        snprintf(a->position, sizeof(a->position), "%.*s", (int)text.len, text.data ? (const char *)text.data : "");
    } else {
        snprintf(a->position, sizeof(a->position), "%.500s:%" PRIu64, p->file, p->offset);
    }
    buf_release(&text);
}

/* The complete round becomes the checkpoint to write. Under the lock. */
static void take_round(struct ack_thread *a, const struct position *at, const struct partition_end *ends, size_t n)
{
    position_copy(&a->checkpoint.position, at);
    for (size_t i = 0; i < n; i++) {
        const struct producer_topic *t = producer_topic_at(a->o.producer, ends[i].topic);

        if (!t)
            continue;
        checkpoint_set_partitions(&a->checkpoint, producer_topic_name(t), (size_t)producer_topic_partitions(t));
        checkpoint_set_end(&a->checkpoint, producer_topic_name(t), ends[i].partition, ends[i].end);
    }
}

static int write_checkpoint(struct ack_thread *a, struct err *err)
{
    if (FAULT("checkpoint.before"))
        return err_set(err, ERR_KAFKA_FATAL, "The checkpoint was refused by the fault point checkpoint.before.");
    a->checkpoint.written_us = clock_wall_us();
    buf_clear(&a->value);
    if (checkpoint_encode(&a->checkpoint, &a->value, err))
        return -1;
    if (producer_send(a->checkpoints, a->topic, 0, a->checkpoint.name, strlen(a->checkpoint.name), a->value.data,
                      a->value.len, NULL, 0, a->round_tag, err))
        return err_prefix(err, "checkpoint");
    a->writing = true;
    a->writing_tag = a->round_tag;
    return 0;
}

static int poll_checkpoint(struct ack_thread *a, int timeout_ms, struct err *err)
{
    struct ack ack;
    int n = producer_poll_acks(a->checkpoints, &ack, 1, timeout_ms, err);

    if (n < 0)
        return err_prefix(err, "checkpoint");
    if (!n)
        return 0;
    if (FAULT("checkpoint.after"))
        return err_set(err, ERR_KAFKA_FATAL, "The checkpoint was refused by the fault point checkpoint.after.");
    a->writing = false;
    a->written_us = clock_mono_us();
    metric_add(metric_plain(M_CAPTURE_CHECKPOINTS), 1);
    pthread_mutex_lock(&a->lock);
    a->covered = a->writing_tag;
    put_position(a);
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
    return 0;
}

static void show(struct ack_thread *a, int64_t now)
{
    if (now < a->next_gauges)
        return;
    a->next_gauges = now + GAUGES_US;
    metric_set(metric_plain(M_CAPTURE_INFLIGHT), (double)producer_in_flight(a->o.producer));
    metric_set(metric_plain(M_CAPTURE_QUEUE), producer_queue_fill(a->o.producer));
    if (a->written_us)
        metric_set(metric_plain(M_CAPTURE_CHECKPOINT_AGE), (double)(now - a->written_us) / 1e6);
}

static void observe(struct ack_thread *a, const struct ack *acks, int n)
{
    uint64_t tag = atomic_load_explicit(&a->sample_tag, memory_order_acquire);

    if (!tag || acks[n - 1].tag < tag)
        return;
    metric_observe(metric_plain(M_CAPTURE_PUBLISH), (double)(clock_mono_us() - atomic_load(&a->sample_us)) / 1e6);
    atomic_store_explicit(&a->sample_tag, 0, memory_order_release);
}

/* Applies reports and moves the round on. *take: a checkpoint is ready to be written. */
static int step(struct ack_thread *a, int n, int64_t now, bool *take, struct err *err)
{
    const struct partition_end *ends;
    const struct position *at;
    bool was_full;
    size_t n_ends;
    int rc = 0;

    *take = false;
    pthread_mutex_lock(&a->lock);
    was_full = ack_window_full(a->window);
    for (int i = 0; i < n && !rc; i++)
        rc =
            ack_window_acked(a->window, a->acks[i].tag, a->acks[i].topic, a->acks[i].partition, a->acks[i].offset, err);
    if (!rc && !a->writing) {
        if (!a->round_open && (now >= a->next_round || a->finishing) && ack_window_open_round(a->window)) {
            a->round_open = true;
            a->round_tag = a->committed;
            a->next_round = now + a->o.interval_ms * INT64_C(1000);
        }
        if (ack_window_take_round(a->window, &at, &ends, &n_ends)) {
            take_round(a, at, ends, n_ends);
            a->round_open = false;
            *take = true;
        }
    }
    if (was_full && !ack_window_full(a->window))
        pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
    return rc;
}

static bool all_done(struct ack_thread *a)
{
    bool done;

    pthread_mutex_lock(&a->lock);
    done = a->covered == a->committed && !producer_in_flight(a->o.producer);
    a->finished = done;
    if (done)
        pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
    return done;
}

static int turn(struct ack_thread *a, struct err *err)
{
    int n = producer_poll_acks(a->o.producer, a->acks, ACKS,
                               a->writing     ? 0
                               : a->finishing ? WRITING_POLL_MS
                                              : POLL_MS,
                               err);
    int64_t now = clock_mono_us();
    bool take;

    if (n < 0 || step(a, n, now, &take, err) || (take && write_checkpoint(a, err)) ||
        (a->writing && poll_checkpoint(a, n ? 0 : WRITING_POLL_MS, err)))
        return -1;
    if (n)
        observe(a, a->acks, n);
    if (a->o.lease && now >= a->next_lease) {
        a->next_lease = now + LEASE_CHECK_US;
        if (lease_lost(a->o.lease, err))
            return -1;
    }
    show(a, now);
    return 0;
}

static void *run(void *arg)
{
    struct ack_thread *a = arg;
    struct err err = ERR_INIT;

    while (!a->abandoned) {
        if (turn(a, &err)) {
            fail(a, &err);
            producer_fail(a->o.producer, &err); /* nobody makes room any more */
            interrupt(a);
            break;
        }
        if (stop_requested())
            interrupt(a);
        if (a->finishing && all_done(a))
            break;
    }
    return NULL;
}

static void copy_base(struct checkpoint *to, const struct checkpoint *from)
{
    checkpoint_init(to);
    to->name = xstrdup(from->name);
    to->epoch = from->epoch;
    position_copy(&to->position, &from->position);
    for (size_t i = 0; i < from->n_topics; i++)
        for (size_t p = 0; p < from->topics[i].n_partitions; p++)
            checkpoint_set_end(to, from->topics[i].name, (int32_t)p, from->topics[i].ends[p]);
}

int ack_thread_start(struct ack_thread **out, const struct ack_thread_options *options, struct err *err)
{
    struct producer_options po = {.kafka = *options->kafka,
                                  .queue_bytes = 2u * CHECKPOINT_BYTES_MAX,
                                  .queue_records = 16,
                                  .record_max = CHECKPOINT_BYTES_MAX};
    struct ack_thread *a = xcalloc(1, sizeof(*a));
    pthread_condattr_t attr;

    *out = NULL;
    a->o = *options;
    copy_base(&a->checkpoint, options->base);
    buf_init(&a->value, CHECKPOINT_BYTES_MAX);
    a->window = ack_window_new(options->max_transactions);
    a->acks = xcalloc(ACKS, sizeof(*a->acks));
    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a->moved, &attr);
    pthread_condattr_destroy(&attr);
    (void)ack_window_begin(a->window);
    put_position(a);
    if (producer_new(&a->checkpoints, &po, err) ||
        producer_topic_open(a->checkpoints, options->checkpoint_topic, &a->topic, err))
        goto fail;
    if (pthread_create(&a->thread, NULL, run, a)) {
        err_set(err, ERR_BUG, "The acknowledgement thread cannot be started; look at the limit of threads.");
        goto fail;
    }
    a->running = true;
    *out = a;
    return 0;
fail:
    ack_thread_free(a);
    return -1;
}

static void join(struct ack_thread *a)
{
    if (a->running)
        pthread_join(a->thread, NULL);
    a->running = false;
}

void ack_thread_free(struct ack_thread *a)
{
    if (!a)
        return;
    a->abandoned = true;
    join(a);
    producer_free(a->checkpoints, 0);
    checkpoint_release(&a->checkpoint);
    ack_window_free(a->window);
    buf_release(&a->value);
    free(a->acks);
    pthread_cond_destroy(&a->moved);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void ack_thread_topic(struct ack_thread *a, const struct producer_topic *topic, const int64_t *ends)
{
    struct partition_end end = {.topic = producer_topic_index(topic)};

    pthread_mutex_lock(&a->lock);
    for (end.partition = 0; end.partition < producer_topic_partitions(topic); end.partition++) {
        end.end = ends[end.partition];
        ack_window_restore(a->window, &end, 1);
    }
    pthread_mutex_unlock(&a->lock);
}

uint64_t ack_thread_tag(struct ack_thread *a)
{
    uint64_t tag;

    pthread_mutex_lock(&a->lock);
    tag = ack_window_open_tag(a->window);
    pthread_mutex_unlock(&a->lock);
    return tag;
}

static void wait_moved(struct ack_thread *a, int ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&a->moved, &a->lock, &until);
}

int ack_thread_commit(struct ack_thread *a, uint64_t records, const struct position *after, uint64_t *tag,
                      struct err *err)
{
    uint64_t open;
    int rc = -1;

    pthread_mutex_lock(&a->lock);
    open = ack_window_open_tag(a->window);
    ack_window_sent(a->window, open, records);
    if (ack_window_commit(a->window, open, after, err))
        goto out;
    a->committed = open;
    while (!(*tag = ack_window_begin(a->window))) {
        if (a->has_failed) {
            *err = a->failure;
            goto out;
        }
        if (stop_requested()) {
            err_set(err, ERR_STOPPED, "Stopped while too many transactions are in flight.");
            goto out;
        }
        wait_moved(a, 100);
    }
    rc = 0;
out:
    pthread_mutex_unlock(&a->lock);
    return rc;
}

/* Waits for a condition under the lock. */
static int wait_for(struct ack_thread *a, bool finish, int timeout_ms, const char *what, struct err *err)
{
    int64_t end = clock_mono_us() + timeout_ms * INT64_C(1000);
    int rc = -1;

    pthread_mutex_lock(&a->lock);
    while (finish ? !a->finished : a->covered < a->committed) {
        if (a->has_failed) {
            *err = a->failure;
            goto out;
        }
        if (clock_mono_us() > end || (!finish && stop_requested())) {
            err_set(err, finish || !stop_requested() ? ERR_KAFKA : ERR_STOPPED,
                    "%s within %d ms; what is missing is read again at the "
                    "next start.",
                    what, timeout_ms);
            goto out;
        }
        wait_moved(a, 50);
    }
    rc = 0;
out:
    pthread_mutex_unlock(&a->lock);
    return rc;
}

int ack_thread_wait_checkpoint(struct ack_thread *a, int timeout_ms, struct err *err)
{
    pthread_mutex_lock(&a->lock);
    a->next_round = 0;
    pthread_mutex_unlock(&a->lock);
    return wait_for(a, false, timeout_ms, "The first checkpoint was not acknowledged", err);
}

int ack_thread_finish(struct ack_thread *a, int timeout_ms, struct err *err)
{
    int rc;

    a->finishing = true;
    rc = wait_for(a, true, timeout_ms, "Not everything that was sent was acknowledged", err);
    a->abandoned = true;
    join(a);
    return rc;
}

bool ack_thread_failed(struct ack_thread *a, struct err *err)
{
    if (!a->has_failed)
        return false;
    pthread_mutex_lock(&a->lock);
    *err = a->failure;
    pthread_mutex_unlock(&a->lock);
    return true;
}

void ack_thread_sample(struct ack_thread *a, uint64_t tag)
{
    if (atomic_load_explicit(&a->sample_tag, memory_order_relaxed))
        return;
    atomic_store(&a->sample_us, clock_mono_us());
    atomic_store_explicit(&a->sample_tag, tag, memory_order_release);
}

void ack_thread_position(struct ack_thread *a, char *out, size_t size)
{
    pthread_mutex_lock(&a->lock);
    snprintf(out, size, "%s", a->position);
    pthread_mutex_unlock(&a->lock);
}
