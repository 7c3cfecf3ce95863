#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"

struct queue_slot {
    void *item;
    size_t bytes;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_full;
    pthread_cond_t not_empty;
    struct queue_slot *ring; /* grows by doubling up to max_items */
    size_t size;
    size_t head;
    size_t count;
    size_t bytes;
    size_t max_items;
    size_t max_bytes;
    bool closed;
    struct err err; /* why it was closed; ERR_NONE for a clean end */
};

struct queue *queue_new(size_t max_items, size_t max_bytes)
{
    struct queue *q = xcalloc(1, sizeof *q);
    pthread_condattr_t attr;

    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->not_full, &attr);
    pthread_cond_init(&q->not_empty, &attr);
    pthread_condattr_destroy(&attr);
    q->max_items = max_items ? max_items : 1;
    q->max_bytes = max_bytes;
    err_clear(&q->err);
    return q;
}

void queue_free(struct queue *q, void (*free_item)(void *))
{
    if (!q)
        return;
    for (size_t i = 0; free_item && i < q->count; i++)
        free_item(q->ring[(q->head + i) % q->size].item);
    free(q->ring);
    pthread_cond_destroy(&q->not_full);
    pthread_cond_destroy(&q->not_empty);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

/* An item that is bigger than the whole queue may pass alone: refusing it for ever would be a standstill. */
static bool has_room(const struct queue *q, size_t bytes)
{
    if (q->count == 0)
        return true;
    return q->count < q->max_items && q->bytes <= q->max_bytes && bytes <= q->max_bytes - q->bytes;
}

static void grow(struct queue *q)
{
    size_t size = q->size ? q->size * 2 : 16;
    struct queue_slot *ring;

    if (size > q->max_items)
        size = q->max_items;
    ring = xreallocarray(NULL, size, sizeof *ring);
    for (size_t i = 0; i < q->count; i++)
        ring[i] = q->ring[(q->head + i) % q->size];
    free(q->ring);
    q->ring = ring;
    q->size = size;
    q->head = 0;
}

int queue_push(struct queue *q, void *item, size_t bytes)
{
    int rc = -1;

    pthread_mutex_lock(&q->lock);
    while (!q->closed && !has_room(q, bytes))
        pthread_cond_wait(&q->not_full, &q->lock);
    if (!q->closed) {
        if (q->count == q->size)
            grow(q);
        q->ring[(q->head + q->count) % q->size] = (struct queue_slot){item, bytes};
        q->count++;
        q->bytes += bytes;
        pthread_cond_signal(&q->not_empty);
        rc = 0;
    }
    pthread_mutex_unlock(&q->lock);
    return rc;
}

static struct timespec deadline(int timeout_ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

int queue_pop(struct queue *q, void **item, int timeout_ms, struct err *err)
{
    struct timespec until = deadline(timeout_ms < 0 ? 0 : timeout_ms);
    int rc = 0;

    *item = NULL;
    pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed) {
        if (timeout_ms < 0)
            pthread_cond_wait(&q->not_empty, &q->lock);
        else if (pthread_cond_timedwait(&q->not_empty, &q->lock, &until) == ETIMEDOUT)
            break;
    }
    if (q->count > 0) {
        struct queue_slot slot = q->ring[q->head];

        q->head = (q->head + 1) % q->size;
        q->count--;
        q->bytes -= slot.bytes;
        *item = slot.item;
        /* One pop may make room for several small items, and the pushers wait for different sizes. */
        pthread_cond_broadcast(&q->not_full);
        rc = 1;
    } else if (q->closed && q->err.code != ERR_NONE) {
        if (err)
            *err = q->err;
        rc = -1;
    }
    pthread_mutex_unlock(&q->lock);
    return rc;
}

void queue_close(struct queue *q, const struct err *err)
{
    pthread_mutex_lock(&q->lock);
    /* The first closer decides, but an error is never hidden by a clean end that came before it. */
    if (err && err->code != ERR_NONE && q->err.code == ERR_NONE)
        q->err = *err;
    q->closed = true;
    pthread_cond_broadcast(&q->not_full);
    pthread_cond_broadcast(&q->not_empty);
    pthread_mutex_unlock(&q->lock);
}

bool queue_ended(struct queue *q)
{
    bool ended;

    pthread_mutex_lock(&q->lock);
    ended = q->closed && q->count == 0;
    pthread_mutex_unlock(&q->lock);
    return ended;
}

size_t queue_items(struct queue *q)
{
    size_t n;

    pthread_mutex_lock(&q->lock);
    n = q->count;
    pthread_mutex_unlock(&q->lock);
    return n;
}
