/* arena: many small allocations with one lifetime (a table map, a contract, a batch). arena_clear forgets all and keeps
 * the newest block. Pointers are valid until clear or release; 8-byte aligned. Thread: one owner. Limit: a cap in
 * bytes, past which arena_alloc returns NULL. */
#ifndef PILLION_BASE_ARENA_H
#define PILLION_BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used; /* bytes handed out */
    size_t cap;
};

void arena_init(struct arena *a, size_t cap);
void arena_release(struct arena *a);
void arena_clear(struct arena *a);
void *arena_alloc(struct arena *a, size_t size); /* zeroed; NULL past the cap */
void *arena_memdup(struct arena *a, const void *p, size_t size);
char *arena_strndup(struct arena *a, const void *s, size_t len); /* adds a NUL */

#endif
