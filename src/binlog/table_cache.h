/* table_cache: the table maps that a decoder has seen, by table id.
 *
 * Servers repeat the table map before every rows event, so a repeated one costs a look-up and a memcmp. A table map
 * holds for the transaction it came in; parsed ones are kept beyond that, as the next transaction sends the same bytes.
 * Limits: at most TABLE_CACHE_MAX table maps in one transaction; those that a transaction does not use are dropped when
 * there are more than TABLE_CACHE_KEEP. Thread: one owner. Errors: what table_map_parse gives, ERR_LIMIT. */
#ifndef PILLION_BINLOG_TABLE_CACHE_H
#define PILLION_BINLOG_TABLE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "binlog/table_map.h"

enum { TABLE_CACHE_KEEP = 1024, TABLE_CACHE_MAX = 65536 };

struct table_cache_slot {
    uint64_t id;
    uint64_t serial;       /* of the transaction that sent it last */
    struct table_map *map; /* NULL: free */
};

struct table_cache {
    struct table_cache_slot *slots;
    size_t n, size; /* size is a power of two, at least twice n */
    uint64_t serial;
    bool (*wanted)(void *arg, const char *database, const char *table); /* decoder.h; may be NULL */
    void *wanted_arg;
};

void table_cache_init(struct table_cache *c);
void table_cache_release(struct table_cache *c);
/* A transaction begins: no table map is valid any more. */
void table_cache_begin(struct table_cache *c);
/* Drops all that is parsed. */
void table_cache_forget(struct table_cache *c);
/* A TABLE_MAP event. *first: it is new in this transaction. NULL with err. One that is not understood is opaque when
 * its table is not wanted. */
const struct table_map *table_cache_put(struct table_cache *c, struct cursor body, size_t id_width, bool mariadb,
                                        bool *first, struct err *err);
/* The table map that the transaction sent for the id, or NULL. */
const struct table_map *table_cache_get(const struct table_cache *c, uint64_t id);

#endif
