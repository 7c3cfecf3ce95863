/* file: a binlog file on disk, event after event, for `pillion decode`, for sources that are folders, and for tests.
 *
 * It checks the magic number and that each event is there whole; what is inside is the decoder's business. A file that
 * the server still writes may end inside an event: then binlog_file_next gives ERR_TRUNCATED with the offset, and after
 * a binlog_file_seek to f->offset the same event can be asked for again. Ownership: the event's bytes are valid until
 * the next call. Limits: EVENT_BYTES_MAX an event. Thread: one owner. Errors: ERR_FILE, ERR_TRUNCATED, ERR_MALFORMED,
 * ERR_UNSUPPORTED for encrypted files. */
#ifndef PILLION_BINLOG_FILE_H
#define PILLION_BINLOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct binlog_file {
    int fd;
    char *path;
    uint64_t offset; /* of the event that comes next */
    uint8_t *block;  /* read ahead */
    size_t block_at, block_len;
    struct buf event;
};

/* The file's name without its folder, for decoder_start_at. */
const char *binlog_file_name(const struct binlog_file *f);
int binlog_file_open(struct binlog_file *f, const char *path, struct err *err);
void binlog_file_close(struct binlog_file *f);
/* The next event. *event is NULL at the end of the file. */
int binlog_file_next(struct binlog_file *f, const uint8_t **event, size_t *len, struct err *err);
/* Goes on at an offset where an event begins. */
int binlog_file_seek(struct binlog_file *f, uint64_t offset, struct err *err);

#endif
