#include "merge/key_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* FNV-1a with a final mix: the keys come from the source's own rows, and a bad case costs time, never a wrong answer.
 */
uint64_t key_hash(size_t entity, const void *key, size_t len)
{
    const unsigned char *p = key;
    uint64_t h = 14695981039346656037u ^ (uint64_t)entity * 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 1099511628211u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

void key_map_release(struct key_map *m)
{
    free(m->slots);
    *m = (struct key_map){0};
}

void key_map_clear(struct key_map *m)
{
    if (m->size > 1u << 16) /* one huge batch must not make every later clear dear */
        key_map_release(m);
    else if (m->n)
        memset(m->slots, 0, m->size * sizeof *m->slots);
    m->n = 0;
}

static struct key_slot *find(const struct key_map *m, uint64_t hash, size_t entity, const char *key)
{
    size_t at = (size_t)hash & (m->size - 1);

    for (;; at = (at + 1) & (m->size - 1)) {
        struct key_slot *s = &m->slots[at];
        if (!s->key || (s->hash == hash && s->entity == entity && !strcmp(s->key, key)))
            return s;
    }
}

static void grow(struct key_map *m)
{
    struct key_map bigger = {.size = m->size ? 2 * m->size : 64, .n = m->n};

    bigger.slots = xcalloc(bigger.size, sizeof *bigger.slots);
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].key)
            *find(&bigger, m->slots[i].hash, m->slots[i].entity, m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = bigger;
}

size_t *key_map_put(struct key_map *m, size_t entity, const char *key, bool *is_new)
{
    uint64_t hash = key_hash(entity, key, strlen(key));
    struct key_slot *s;

    if (2 * (m->n + 1) > m->size)
        grow(m);
    s = find(m, hash, entity, key);
    *is_new = !s->key;
    if (*is_new) {
        *s = (struct key_slot){.key = key, .hash = hash, .entity = entity};
        m->n++;
    }
    return &s->value;
}

size_t *key_map_get(const struct key_map *m, size_t entity, const char *key)
{
    struct key_slot *s = m->n ? find(m, key_hash(entity, key, strlen(key)), entity, key) : NULL;

    return s && s->key ? &s->value : NULL;
}
