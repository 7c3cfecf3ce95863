#include "binlog/table_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void table_cache_init(struct table_cache *c)
{
    *c = (struct table_cache){.size = 64};
    c->slots = xcalloc(c->size, sizeof *c->slots);
}

void table_cache_release(struct table_cache *c)
{
    for (size_t i = 0; i < c->size; i++)
        table_map_free(c->slots[i].map);
    free(c->slots);
    *c = (struct table_cache){0};
}

static struct table_cache_slot *find(const struct table_cache *c, uint64_t id)
{
    size_t at = (size_t)(id * 0x9e3779b97f4a7c15u >> 32) & (c->size - 1);

    while (c->slots[at].map && c->slots[at].id != id)
        at = (at + 1) & (c->size - 1);
    return &c->slots[at];
}

/* Moves what `keep_all` or the transaction's serial allows into a table of `size` slots. */
static void rebuild(struct table_cache *c, size_t size, bool keep_all)
{
    struct table_cache old = *c;

    c->slots = xcalloc(size, sizeof *c->slots);
    c->size = size;
    c->n = 0;
    for (size_t i = 0; i < old.size; i++) {
        if (!old.slots[i].map)
            continue;
        if (keep_all || old.slots[i].serial == c->serial) {
            *find(c, old.slots[i].id) = old.slots[i];
            c->n++;
        } else {
            table_map_free(old.slots[i].map);
        }
    }
    free(old.slots);
}

void table_cache_begin(struct table_cache *c)
{
    if (c->n > TABLE_CACHE_KEEP)
        rebuild(c, 4 * TABLE_CACHE_KEEP, false);
    c->serial++;
}

void table_cache_forget(struct table_cache *c)
{
    struct table_cache was = *c;

    table_cache_release(c);
    table_cache_init(c);
    c->wanted = was.wanted;
    c->wanted_arg = was.wanted_arg;
}

static int parse(const struct table_cache *c, struct table_map **out, struct cursor body, size_t id_width, bool mariadb,
                 struct err *err)
{
    struct err nameless = ERR_INIT; /* the first error tells more */

    if ((mariadb ? table_map_parse_mariadb(out, body, id_width, err) : table_map_parse(out, body, id_width, err)) == 0)
        return 0;
    if (!c->wanted || table_map_parse_names(out, body, id_width, &nameless))
        return -1;
    if (c->wanted(c->wanted_arg, (*out)->schema->database, (*out)->schema->table)) {
        table_map_free(*out);
        return -1;
    }
    if (err)
        err_clear(err);
    return 0;
}

const struct table_map *table_cache_put(struct table_cache *c, struct cursor body, size_t id_width, bool mariadb,
                                        bool *first, struct err *err)
{
    struct cursor at = body;
    uint64_t id = cursor_le(&at, id_width);
    struct table_cache_slot *slot = find(c, id);
    struct table_map *map;

    *first = !slot->map || slot->serial != c->serial;
    if (slot->map) {
        slot->serial = c->serial;
        if (slot->map->body_len == cursor_left(&body) && !memcmp(slot->map->body, body.p, slot->map->body_len))
            return slot->map;
        *first = true; /* the same id with another shape: as good as new */
    }
    if (parse(c, &map, body, id_width, mariadb, err))
        return NULL;
    if (slot->map) {
        table_map_free(slot->map);
        slot->map = map;
        return map;
    }
    if (c->n >= TABLE_CACHE_MAX) {
        table_map_free(map);
        err_set(err, ERR_LIMIT, "A transaction changes more than %d tables", (int)TABLE_CACHE_MAX);
        return NULL;
    }
    if (2 * (c->n + 1) > c->size) {
        rebuild(c, 2 * c->size, true);
        slot = find(c, id);
    }
    *slot = (struct table_cache_slot){id, c->serial, map};
    c->n++;
    return map;
}

const struct table_map *table_cache_get(const struct table_cache *c, uint64_t id)
{
    const struct table_cache_slot *slot = find(c, id);

    return slot->map && slot->serial == c->serial ? slot->map : NULL;
}
