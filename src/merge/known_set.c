#include "merge/known_set.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "merge/key_map.h"

enum { BLOCK_BITS = 12, BLOCK_WORDS = (1 << BLOCK_BITS) / 64, BLOCK_COST = 8 };

/* A text key, or a block of integer keys. */
struct entry {
    uint64_t hash;
    size_t entity;
    char *text;      /* NULL: a block */
    uint64_t number; /* of the block */
    uint64_t *bits;
};

struct generation {
    struct entry *entries; /* open addressing; free: text and bits NULL */
    size_t size, n, cost;
};

struct known_set {
    size_t half;
    struct generation young, old;
    bool forgot;
};

struct known_set *known_set_new(size_t max)
{
    struct known_set *s = xcalloc(1, sizeof *s);

    s->half = max / 2 > BLOCK_COST ? max / 2 : BLOCK_COST;
    return s;
}

static void generation_clear(struct generation *g)
{
    for (size_t i = 0; i < g->size; i++) {
        free(g->entries[i].text);
        free(g->entries[i].bits);
    }
    free(g->entries);
    *g = (struct generation){0};
}

void known_set_clear(struct known_set *s)
{
    generation_clear(&s->young);
    generation_clear(&s->old);
    s->forgot = false;
}

bool known_set_forgot(const struct known_set *s)
{
    return s->forgot;
}

void known_set_free(struct known_set *s)
{
    if (!s)
        return;
    known_set_clear(s);
    free(s);
}

/* A canonical decimal of a non-negative 63-bit integer. Others are kept as text. */
static bool read_number(const char *key, uint64_t *out)
{
    uint64_t v = 0;
    size_t len = strlen(key);

    if (len == 0 || len > 18 || (*key == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (key[i] < '0' || key[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(key[i] - '0');
    }
    *out = v;
    return true;
}

/* What is looked for: a text, or a block and a bit in it. */
struct wanted {
    uint64_t hash;
    size_t entity;
    const char *text;
    uint64_t number, bit;
};

static struct wanted want(size_t entity, const char *key)
{
    struct wanted w = {.entity = entity, .text = key};
    uint64_t number;

    if (read_number(key, &number)) {
        w.text = NULL;
        w.bit = number & ((1u << BLOCK_BITS) - 1);
        w.number = number >> BLOCK_BITS;
        w.hash = key_hash(entity, &w.number, sizeof w.number);
    } else {
        w.hash = ~key_hash(entity, key, strlen(key));
    }
    return w;
}

static bool is_free(const struct entry *e)
{
    return !e->text && !e->bits;
}

static bool matches(const struct entry *e, const struct wanted *w)
{
    if (e->hash != w->hash || e->entity != w->entity)
        return false;
    return w->text ? e->text && !strcmp(e->text, w->text) : e->bits && e->number == w->number;
}

static struct entry *find(const struct generation *g, const struct wanted *w)
{
    if (!g->size)
        return NULL;
    for (size_t at = (size_t)w->hash & (g->size - 1);; at = (at + 1) & (g->size - 1))
        if (is_free(&g->entries[at]) || matches(&g->entries[at], w))
            return &g->entries[at];
}

static bool has(const struct generation *g, const struct wanted *w)
{
    const struct entry *e = find(g, w);

    if (!e || is_free(e))
        return false;
    return w->text || (e->bits[w->bit / 64] >> (w->bit % 64) & 1);
}

static void grow(struct generation *g)
{
    struct generation bigger = {.size = g->size ? 2 * g->size : 64, .n = g->n, .cost = g->cost};

    bigger.entries = xcalloc(bigger.size, sizeof *bigger.entries);
    for (size_t i = 0; i < g->size; i++) {
        const struct entry *e = &g->entries[i];
        struct wanted w = {.hash = e->hash, .entity = e->entity, .text = e->text, .number = e->number};
        if (!is_free(e))
            *find(&bigger, &w) = *e;
    }
    free(g->entries);
    *g = bigger;
}

static void add(struct generation *g, const struct wanted *w)
{
    struct entry *e;

    if (2 * (g->n + 1) > g->size)
        grow(g);
    e = find(g, w);
    if (is_free(e)) {
        *e = (struct entry){.hash = w->hash, .entity = w->entity, .number = w->number};
        if (w->text)
            e->text = xstrdup(w->text);
        else
            e->bits = xcalloc(BLOCK_WORDS, sizeof *e->bits);
        g->n++;
        g->cost += w->text ? 1 : BLOCK_COST;
    }
    if (e->bits)
        e->bits[w->bit / 64] |= (uint64_t)1 << (w->bit % 64);
}

static void add_young(struct known_set *s, const struct wanted *w)
{
    if (s->young.cost >= s->half) {
        s->forgot = s->forgot || s->old.n > 0;
        generation_clear(&s->old);
        s->old = s->young;
        s->young = (struct generation){0};
    }
    add(&s->young, w);
}

void known_set_add(struct known_set *s, size_t entity, const char *key)
{
    struct wanted w = want(entity, key);

    if (!has(&s->young, &w))
        add_young(s, &w);
}

bool known_set_has(struct known_set *s, size_t entity, const char *key)
{
    struct wanted w = want(entity, key);

    if (has(&s->young, &w))
        return true;
    if (!has(&s->old, &w))
        return false;
    add_young(s, &w);
    return true;
}

/* A removed text becomes one that no key has, so that the probe sequences behind it stay whole. */
static void remove_from(struct generation *g, const struct wanted *w)
{
    struct entry *e = find(g, w);

    if (!e || is_free(e))
        return;
    if (w->text)
        e->entity = (size_t)-1;
    else
        e->bits[w->bit / 64] &= ~((uint64_t)1 << (w->bit % 64));
}

void known_set_remove(struct known_set *s, size_t entity, const char *key)
{
    struct wanted w = want(entity, key);

    remove_from(&s->young, &w);
    remove_from(&s->old, &w);
}
