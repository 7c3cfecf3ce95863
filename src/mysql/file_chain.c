#include "mysql/file_chain.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "binlog/event.h"

enum { FIRST_OFFSET = 4, ROTATE_MAX = 4096 };

int file_chain_init(struct file_chain *c, const char *const paths[], size_t n, struct err *err)
{
    *c = (struct file_chain){.paths = xcalloc(n ? n : 1, sizeof *c->paths), .n = n};
    buf_init(&c->rotate, ROTATE_MAX);
    for (size_t i = 0; i < n; i++)
        c->paths[i] = xstrdup(paths[i]);
    for (size_t i = 0; i < n; i++) {
        if (binlog_file_open(&c->file, paths[i], err)) {
            file_chain_release(c);
            return -1;
        }
        binlog_file_close(&c->file);
    }
    return 0;
}

void file_chain_release(struct file_chain *c)
{
    if (c->open)
        binlog_file_close(&c->file);
    for (size_t i = 0; i < c->n; i++)
        free(c->paths[i]);
    free(c->paths);
    buf_release(&c->rotate);
    *c = (struct file_chain){.n = 0};
}

/* Header: time, type, server id, size, end position, flags; body: offset of the first event, name. */
static int make_rotate(struct file_chain *c, struct err *err)
{
    const char *name = binlog_file_name(&c->file);
    uint8_t head[EVENT_HEADER + 8] = {0};
    size_t len = sizeof head + strlen(name);

    head[4] = EVENT_ROTATE;
    head[9] = (uint8_t)len;
    head[10] = (uint8_t)(len >> 8);
    head[17] = EVENT_FLAG_ARTIFICIAL;
    head[EVENT_HEADER] = FIRST_OFFSET;
    buf_clear(&c->rotate);
    if (buf_put(&c->rotate, head, sizeof head) || buf_put_str(&c->rotate, name))
        return err_set(err, ERR_LIMIT, "The name of the file %.200s... is too long.", name);
    return 0;
}

int file_chain_next(struct file_chain *c, const uint8_t **event, size_t *len, struct err *err)
{
    for (; c->at < c->n; c->at++) {
        if (!c->open) {
            if (binlog_file_open(&c->file, c->paths[c->at], err))
                return -1;
            c->open = true;
            if (make_rotate(c, err))
                return -1;
            *event = c->rotate.data;
            *len = c->rotate.len;
            return 1;
        }
        if (binlog_file_next(&c->file, event, len, err))
            return -1;
        if (*event)
            return 1;
        binlog_file_close(&c->file);
        c->open = false;
    }
    return 0;
}
