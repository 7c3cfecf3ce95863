#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void buf_init(struct buf *b, size_t cap)
{
    *b = (struct buf){.cap = cap};
}

void buf_release(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.cap = b->cap};
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
    size_t want, size;

    if (n > b->cap || b->len > b->cap - n) {
        b->overflow = true;
        return NULL;
    }
    want = b->len + n;
    if (want > b->size || !b->data) {
        size = b->size < 64 ? 64 : b->size;
        if (size > b->cap)
            size = b->cap;
        while (size < want)
            size = size > b->cap / 2 ? b->cap : size * 2;
        b->data = xrealloc(b->data, size);
        b->size = size;
    }
    return b->data + b->len;
}

int buf_put(struct buf *b, const void *bytes, size_t n)
{
    uint8_t *to = buf_room(b, n);

    if (!to && n)
        return -1;
    if (n)
        memcpy(to, bytes, n);
    b->len += n;
    return 0;
}

int buf_put_u8(struct buf *b, uint8_t v)
{
    return buf_put(b, &v, 1);
}

int buf_put_str(struct buf *b, const char *s)
{
    return buf_put(b, s, strlen(s));
}

int buf_putf(struct buf *b, const char *format, ...)
{
    va_list args;
    uint8_t *to;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return -1;
    to = buf_room(b, (size_t)n + 1);
    if (!to)
        return -1;
    va_start(args, format);
    vsnprintf((char *)to, (size_t)n + 1, format, args);
    va_end(args);
    b->len += (size_t)n;
    return 0;
}

const char *buf_cstr(struct buf *b)
{
    uint8_t *to = buf_room(b, 1);

    if (!to)
        return "";
    *to = 0;
    return (const char *)b->data;
}
