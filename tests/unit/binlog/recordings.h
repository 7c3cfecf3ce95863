/* recordings: the events of tests/fixtures/binlog, for tests that feed or damage them one by one. */
#ifndef PILLION_TESTS_RECORDINGS_H
#define PILLION_TESTS_RECORDINGS_H

#include <stdlib.h>
#include <string.h>

#include "unit/binlog/dump.h"

static const char *const recordings[] = {"mysql_types",   "mysql_statements",   "mysql_own",   "mysql_no_checksum",
                                         "mariadb_types", "mariadb_statements", "mariadb_own", "mariadb_no_checksum"};
enum { RECORDINGS = sizeof recordings / sizeof recordings[0] };

struct recorded {
    uint8_t *bytes;
    size_t len;
};

struct recording {
    struct recorded *events;
    size_t n;
    bool crc;
};

static inline void recording_load(struct recording *r, const char *name)
{
    struct binlog_file f;
    struct err err = ERR_INIT;
    const uint8_t *event;
    char path[512];
    size_t len;

    memset(r, 0, sizeof *r);
    snprintf(path, sizeof path, FIXTURES "/binlog/%s.bin", name);
    if (binlog_file_open(&f, path, &err))
        fail_msg("%s", err.text);
    for (;;) {
        if (binlog_file_next(&f, &event, &len, &err))
            fail_msg("%s", err.text);
        if (!event)
            break;
        r->events = realloc(r->events, (r->n + 1) * sizeof *r->events);
        r->events[r->n].bytes = malloc(len);
        memcpy(r->events[r->n].bytes, event, len);
        r->events[r->n++].len = len;
    }
    r->crc = r->events[0].bytes[r->events[0].len - 5] == 1;
    binlog_file_close(&f);
}

static inline void recording_free(struct recording *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->events[i].bytes);
    free(r->events);
}

static inline void recorded_set_size(struct recorded *e)
{
    for (int i = 0; i < 4; i++)
        e->bytes[9 + i] = (uint8_t)(e->len >> (8 * i));
}

/* Takes the checksums off, so that damage gets past them. */
static inline void recording_strip(struct recording *r)
{
    if (!r->crc)
        return;
    r->events[0].bytes[r->events[0].len - 5] = 0;
    for (size_t i = 1; i < r->n; i++) {
        r->events[i].len -= 4;
        recorded_set_size(&r->events[i]);
    }
    r->crc = false;
}

#endif
