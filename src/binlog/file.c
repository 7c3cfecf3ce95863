#include "binlog/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "binlog/event.h"

enum { MAGIC = 4, BLOCK = 256 << 10 };

const char *binlog_file_name(const struct binlog_file *f)
{
    const char *slash = strrchr(f->path, '/');

    return slash ? slash + 1 : f->path;
}

/* Brings `want` bytes into the event's buffer; fewer only at the end of the file. */
static int read_bytes(struct binlog_file *f, size_t want, struct err *err)
{
    while (f->event.len < want) {
        size_t n = f->block_len - f->block_at;

        if (!n) {
            ssize_t got = read(f->fd, f->block, BLOCK);

            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0)
                return err_set(err, ERR_FILE, "%s cannot be read: %s", f->path, strerror(errno));
            if (!got)
                return 0;
            f->block_at = 0;
            f->block_len = (size_t)got;
            continue;
        }
        if (n > want - f->event.len)
            n = want - f->event.len;
        if (buf_put(&f->event, f->block + f->block_at, n))
            return err_set(err, ERR_LIMIT, "%s, offset %llu: an event is longer than %d bytes", f->path,
                           (unsigned long long)f->offset, (int)EVENT_BYTES_MAX);
        f->block_at += n;
    }
    return 0;
}

int binlog_file_open(struct binlog_file *f, const char *path, struct err *err)
{
    static const uint8_t magic[MAGIC] = {0xfe, 'b', 'i', 'n'}, encrypted[MAGIC] = {0xfd, 'b', 'i', 'n'};

    *f = (struct binlog_file){.fd = open(path, O_RDONLY | O_CLOEXEC), .path = xstrdup(path)};
    buf_init(&f->event, EVENT_BYTES_MAX);
    if (f->fd < 0) {
        err_set(err, ERR_FILE, "%s cannot be opened: %s", path, strerror(errno));
        goto failed;
    }
    f->block = xmalloc(BLOCK);
    if (read_bytes(f, MAGIC, err))
        goto failed;
    if (f->event.len == MAGIC && !memcmp(f->event.data, encrypted, MAGIC)) {
        err_set(err, ERR_UNSUPPORTED,
                "%s is encrypted by the server; read it through the server, which decrypts what it sends", path);
        goto failed;
    }
    if (f->event.len != MAGIC || memcmp(f->event.data, magic, MAGIC)) {
        err_set(err, ERR_MALFORMED, "%s is no binlog file: it does not begin with fe 62 69 6e", path);
        goto failed;
    }
    f->offset = MAGIC;
    return 0;
failed:
    binlog_file_close(f);
    return -1;
}

void binlog_file_close(struct binlog_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    free(f->block);
    buf_release(&f->event);
    *f = (struct binlog_file){.fd = -1};
}

int binlog_file_seek(struct binlog_file *f, uint64_t offset, struct err *err)
{
    if (offset < MAGIC || offset > INT64_MAX || lseek(f->fd, (off_t)offset, SEEK_SET) < 0)
        return err_set(err, ERR_FILE, "%s has no offset %llu", f->path, (unsigned long long)offset);
    f->offset = offset;
    f->block_at = f->block_len = 0;
    return 0;
}

int binlog_file_next(struct binlog_file *f, const uint8_t **event, size_t *len, struct err *err)
{
    struct cursor c;
    size_t size;

    *event = NULL;
    *len = 0;
    buf_clear(&f->event);
    if (read_bytes(f, EVENT_HEADER, err))
        return -1;
    if (!f->event.len)
        return 0;
    if (f->event.len < EVENT_HEADER)
        return err_set(err, ERR_TRUNCATED, "%s ends inside the header of the event at offset %llu", f->path,
                       (unsigned long long)f->offset);
    c = cursor_of(f->event.data + 9, 4);
    size = cursor_u32le(&c);
    if (size < EVENT_HEADER || size > EVENT_BYTES_MAX)
        return err_set(err, ERR_MALFORMED, "%s, offset %llu: an event of %zu bytes cannot be", f->path,
                       (unsigned long long)f->offset, size);
    if (read_bytes(f, size, err))
        return -1;
    if (f->event.len < size)
        return err_set(err, ERR_TRUNCATED, "%s ends inside the event at offset %llu: it has %zu of %zu bytes", f->path,
                       (unsigned long long)f->offset, f->event.len, size);
    if (f->event.data[4] == EVENT_START_ENCRYPTION)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s is encrypted by the server from offset %llu on; read it through the server, which decrypts "
                       "what it sends",
                       f->path, (unsigned long long)f->offset);
    f->offset += size;
    *event = f->event.data;
    *len = size;
    return 0;
}
