/* file_chain: binlog files one after the other, as a server would stream them.
 *
 * Before each file it gives an artificial ROTATE event with the file's name, as a server does, so that a decoder knows
 * where it is even when a file ends without saying what follows (a crash, or files that were copied by hand).
 * Ownership: copies the paths. Thread: one owner. Errors: as binlog/file.h, prefixed with the path. */
#ifndef PILLION_MYSQL_FILE_CHAIN_H
#define PILLION_MYSQL_FILE_CHAIN_H

#include "binlog/file.h"

struct file_chain {
    char **paths;
    size_t n, at; /* at: of the file that is open or comes next */
    bool open;
    struct binlog_file file;
    struct buf rotate;
};

/* Opens every file once, so that a missing one is told at the start. */
int file_chain_init(struct file_chain *c, const char *const paths[], size_t n, struct err *err);
void file_chain_release(struct file_chain *c);
/* 1 and an event, 0 at the end, -1. */
int file_chain_next(struct file_chain *c, const uint8_t **event, size_t *len, struct err *err);

#endif
