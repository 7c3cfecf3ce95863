/* key_map: (entity, key text) → number, by open addressing; the key texts are borrowed and must outlive the map's
 * contents. Thread: one owner. Pure. */
#ifndef PILLION_MERGE_KEY_MAP_H
#define PILLION_MERGE_KEY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_slot {
    const char *key; /* NULL: free */
    uint64_t hash;
    size_t entity;
    size_t value;
};

struct key_map {
    struct key_slot *slots;
    size_t size; /* a power of two, or 0 */
    size_t n;
};

void key_map_release(struct key_map *m);
void key_map_clear(struct key_map *m);
/* The place of the key's value; *is_new tells that it was put there just now, with value 0. */
size_t *key_map_put(struct key_map *m, size_t entity, const char *key, bool *is_new);
/* NULL when it is not there. */
size_t *key_map_get(const struct key_map *m, size_t entity, const char *key);
uint64_t key_hash(size_t entity, const void *key, size_t len);

#endif
