/* buf: growing bytes with a cap that must be named at birth, so that no buffer can grow without limit.
 *
 * Ownership: the buf owns its bytes. A pointer into it is valid until the next call that may grow it. Errors: growth
 * past the cap gives NULL or -1 and sets `overflow`, which stays until buf_clear. Thread: one owner. */
#ifndef PILLION_BASE_BUF_H
#define PILLION_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    uint8_t *data;
    size_t len;
    size_t size; /* allocated */
    size_t cap;  /* len never exceeds it */
    bool overflow;
};

void buf_init(struct buf *b, size_t cap);
void buf_release(struct buf *b);
/* Forgets the contents, keeps the memory. */
static inline void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
}
/* Slow path of buf_room. */
uint8_t *buf_grow(struct buf *b, size_t n);

/* A place for n more bytes, or NULL past the cap. Write there, then buf_advance. */
static inline uint8_t *buf_room(struct buf *b, size_t n)
{
    if (__builtin_expect(b->data && n <= b->size - b->len, 1))
        return b->data + b->len;
    return buf_grow(b, n);
}
static inline void buf_advance(struct buf *b, size_t n)
{
    b->len += n;
}

/* These return 0, or -1 past the cap. */
int buf_put(struct buf *b, const void *bytes, size_t n);
int buf_put_u8(struct buf *b, uint8_t v);
int buf_put_str(struct buf *b, const char *s);
int buf_putf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The contents with a final NUL that is not counted; "" when the cap forbids it. */
const char *buf_cstr(struct buf *b);

#endif
