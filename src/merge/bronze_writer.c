#include "merge/bronze_writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { RECORDS_MAX = 1 << 20 };

struct bronze_writer {
    struct bronze_limits limits;
    int64_t position; /* where the next object begins */
    struct buf bytes; /* of the records held */
    uint32_t *sizes;
    int64_t *offsets;
    size_t n, size;
    size_t offered; /* records of the object that was given out; 0: none */
};

struct bronze_writer *bronze_writer_new(const struct bronze_limits *limits, int64_t start)
{
    struct bronze_writer *w = xcalloc(1, sizeof *w);

    w->limits = *limits;
    if (w->limits.object_records == 0 || w->limits.object_records > RECORDS_MAX)
        w->limits.object_records = RECORDS_MAX;
    w->position = start;
    buf_init(&w->bytes, (size_t)1 << 40); /* bounded by the caller, who writes what is due before he adds */
    return w;
}

void bronze_writer_free(struct bronze_writer *w)
{
    if (!w)
        return;
    buf_release(&w->bytes);
    free(w->sizes);
    free(w->offsets);
    free(w);
}

static int64_t end_of_held(const struct bronze_writer *w)
{
    return w->n ? w->offsets[w->n - 1] + 1 : w->position;
}

int bronze_writer_add(struct bronze_writer *w, const struct bronze_record *r, struct err *err)
{
    if (r->offset < end_of_held(w))
        return 0;
    if (r->len > UINT32_MAX)
        return err_set(err, ERR_LIMIT, "The record at offset %" PRId64 " is too large for a bronze object.", r->offset);
    if (w->n == w->size) {
        w->size = w->size ? 2 * w->size : 256;
        w->sizes = xreallocarray(w->sizes, w->size, sizeof *w->sizes);
        w->offsets = xreallocarray(w->offsets, w->size, sizeof *w->offsets);
    }
    if (buf_put(&w->bytes, r->encoded, r->len))
        return err_set(err, ERR_LIMIT, "The bronze records held have outgrown their limit.");
    w->sizes[w->n] = (uint32_t)r->len;
    w->offsets[w->n++] = r->offset;
    return 0;
}

bool bronze_writer_due(struct bronze_writer *w, bool flush, struct bronze_object *out)
{
    size_t n = 0, len = 0;

    while (n < w->n && n < w->limits.object_records && (n == 0 || len + w->sizes[n] <= w->limits.object_bytes))
        len += w->sizes[n++];
    if (n == 0 || (n == w->n && n < w->limits.object_records && len < w->limits.object_bytes && !flush))
        return false;
    w->offered = n;
    *out = (struct bronze_object){.first = w->position,
                                  .next = w->offsets[n - 1] + 1,
                                  .n_records = n,
                                  .bytes = w->bytes.data,
                                  .len = len,
                                  .sizes = w->sizes,
                                  .offsets = w->offsets};
    return true;
}

/* Drops the records below `next`, which becomes the position. */
static void advance(struct bronze_writer *w, int64_t next)
{
    size_t n = 0, len = 0;

    while (n < w->n && w->offsets[n] < next)
        len += w->sizes[n++];
    if (n) {
        memmove(w->bytes.data, w->bytes.data + len, w->bytes.len - len);
        w->bytes.len -= len;
        w->n -= n;
        memmove(w->sizes, w->sizes + n, w->n * sizeof *w->sizes);
        memmove(w->offsets, w->offsets + n, w->n * sizeof *w->offsets);
    }
    w->position = next;
    w->offered = 0;
}

void bronze_writer_written(struct bronze_writer *w)
{
    if (w->offered)
        advance(w, w->offsets[w->offered - 1] + 1);
}

int bronze_writer_exists(struct bronze_writer *w, int64_t next, struct err *err)
{
    if (next <= w->position)
        return err_set(err, ERR_STORE_DATA,
                       "The bronze object that begins at offset %" PRId64 " says that it ends at %" PRId64
                       ", which no object of "
                       "Pillion does; look at it, and move it away if it is not Pillion's.",
                       w->position, next);
    advance(w, next);
    return 0;
}

int64_t bronze_writer_position(const struct bronze_writer *w)
{
    return w->position;
}

size_t bronze_writer_held_bytes(const struct bronze_writer *w)
{
    return w->bytes.len;
}
