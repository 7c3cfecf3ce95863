/* queue: bounded hand-off between two threads, in count and in bytes, that carries the producer's error too.
 *
 * queue_push waits while full; after it the queue owns the item. queue_pop waits while empty; after it the caller owns
 * the item. queue_close(err) ends it: pops give what is left, then the error (or "end" when err is NULL). Limit: an
 * item of more than max_bytes passes alone. Thread: any number of pushers and poppers. */
#ifndef PILLION_BASE_QUEUE_H
#define PILLION_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct queue;

struct queue *queue_new(size_t max_items, size_t max_bytes);
void queue_free(struct queue *q, void (*free_item)(void *)); /* what is left is freed with free_item */
/* 0, or -1 when the queue was closed (the caller keeps the item). */
int queue_push(struct queue *q, void *item, size_t bytes);
/* 1 and an item; 0 after timeout_ms (<0: for ever) or at the clean end; -1 with the closer's error. */
int queue_pop(struct queue *q, void **item, int timeout_ms, struct err *err);
void queue_close(struct queue *q, const struct err *err);
bool queue_ended(struct queue *q); /* closed and empty: tells the end from a timeout */
size_t queue_items(struct queue *q);

#endif
