/* gtid_set: sets of GTIDs as gtid.h promises them; their forms outside are in gtid_set_text.c. */
#include "model/gtid.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/gtid_set_inside.h"
#include "model/gtid_text.h"

enum { SOURCES_MAX = 1 << 20 };

bool gtid_place_of(struct place *p, const struct gtid *g)
{
    const char *dot, *digits, *end;
    uint64_t file;

    p->flavor = g->flavor;
    p->domain = g->domain;
    p->server = g->server;
    p->name = g->source;
    p->number = g->number;
    if (g->flavor != GTID_FILE)
        return g->flavor != GTID_NONE;
    /* mysql-bin.000003: base and number; a name without number is a base whose files do not go on. */
    if (g->number >> FILE_OFFSET_BITS)
        return false;
    dot = strrchr(g->source, '.');
    digits = dot ? dot + 1 : NULL;
    end = g->source + strlen(g->source);
    if (dot && end - digits >= 6 && gtid_read_number(&digits, end, (1u << 23) - 1, &file) && digits == end && file) {
        memcpy(p->base, g->source, (size_t)(dot - g->source));
        p->base[dot - g->source] = '\0';
        p->name = p->base;
        p->number |= file << FILE_OFFSET_BITS;
    }
    return true;
}

static int compare_source(const struct source *s, const struct place *p)
{
    if (s->flavor != p->flavor)
        return s->flavor < p->flavor ? -1 : 1;
    if (s->flavor == GTID_MARIADB) {
        if (s->domain != p->domain)
            return s->domain < p->domain ? -1 : 1;
        return s->server < p->server ? -1 : s->server > p->server;
    }
    return strcmp(s->name, p->name);
}

/* The index of the source, or the place where it belongs. */
static bool find_source(const struct gtid_set *s, const struct place *p, size_t *at)
{
    size_t low = 0, high = s->n;

    if (s->hot < s->n && !compare_source(&s->sources[s->hot], p)) {
        *at = s->hot;
        return true;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_source(&s->sources[middle], p);

        if (!order) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

struct source *gtid_need_source(struct gtid_set *s, const struct place *p, struct err *err)
{
    size_t at;

    if (!find_source(s, p, &at)) {
        if (s->n >= SOURCES_MAX) {
            err_set(err, ERR_LIMIT, "A GTID set has more than %d sources; purge old sources on the server",
                    SOURCES_MAX);
            return NULL;
        }
        if (s->n == s->size) {
            s->size = s->size ? s->size * 2 : 4;
            s->sources = xreallocarray(s->sources, s->size, sizeof *s->sources);
        }
        memmove(&s->sources[at + 1], &s->sources[at], (s->n - at) * sizeof *s->sources);
        s->sources[at] =
            (struct source){.flavor = p->flavor, .domain = p->domain, .server = p->server, .name = xstrdup(p->name)};
        s->n++;
    }
    s->hot = at;
    return &s->sources[at];
}

/* The first interval whose last number is not below `number`. */
static size_t find_interval(const struct source *src, uint64_t number)
{
    size_t low = 0, high = src->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (src->intervals[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int gtid_add_interval(struct gtid_set *s, struct source *src, uint64_t first, uint64_t last, struct err *err)
{
    size_t at, over;

    if (src->n && src->intervals[src->n - 1].last != UINT64_MAX && first == src->intervals[src->n - 1].last + 1) {
        src->intervals[src->n - 1].last = last;
        return 0;
    }
    /* All intervals that touch or overlap [first, last] become one. */
    at = find_interval(src, first ? first - 1 : 0);
    for (over = at; over < src->n && (last == UINT64_MAX || src->intervals[over].first <= last + 1); over++)
        ;
    if (over > at) {
        if (src->intervals[at].first < first)
            first = src->intervals[at].first;
        if (src->intervals[over - 1].last > last)
            last = src->intervals[over - 1].last;
        src->intervals[at] = (struct interval){first, last};
        memmove(&src->intervals[at + 1], &src->intervals[over], (src->n - over) * sizeof *src->intervals);
        src->n -= over - at - 1;
        s->n_intervals -= over - at - 1;
        return 0;
    }
    if (s->n_intervals >= GTID_SET_INTERVALS_MAX)
        return err_set(err, ERR_LIMIT,
                       "A GTID set has more than %d intervals; look for gaps in the server's gtid_executed",
                       (int)GTID_SET_INTERVALS_MAX);
    if (src->n == src->size) {
        src->size = src->size ? src->size * 2 : 2;
        src->intervals = xreallocarray(src->intervals, src->size, sizeof *src->intervals);
    }
    memmove(&src->intervals[at + 1], &src->intervals[at], (src->n - at) * sizeof *src->intervals);
    src->intervals[at] = (struct interval){first, last};
    src->n++;
    s->n_intervals++;
    return 0;
}

struct newest *gtid_find_newest(const struct gtid_set *s, uint32_t domain)
{
    for (size_t i = 0; i < s->n_newest; i++)
        if (s->newest[i].domain == domain)
            return &s->newest[i];
    return NULL;
}

void gtid_put_newest(struct gtid_set *s, uint32_t domain, uint32_t server, uint64_t number)
{
    struct newest *n = gtid_find_newest(s, domain);
    size_t at = s->n_newest;

    if (!n) {
        if (s->n_newest == s->newest_size) {
            s->newest_size = s->newest_size ? s->newest_size * 2 : 2;
            s->newest = xreallocarray(s->newest, s->newest_size, sizeof *s->newest);
        }
        while (at && s->newest[at - 1].domain > domain)
            at--;
        memmove(&s->newest[at + 1], &s->newest[at], (s->n_newest - at) * sizeof *s->newest);
        s->n_newest++;
        n = &s->newest[at];
    }
    *n = (struct newest){domain, server, number};
}

struct gtid_set *gtid_set_new(void)
{
    return xcalloc(1, sizeof(struct gtid_set));
}

void gtid_set_clear(struct gtid_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->sources[i].name);
        free(s->sources[i].intervals);
    }
    s->n = s->n_intervals = s->n_newest = s->hot = 0;
}

void gtid_set_free(struct gtid_set *s)
{
    if (!s)
        return;
    gtid_set_clear(s);
    free(s->sources);
    free(s->newest);
    free(s);
}

struct gtid_set *gtid_set_copy(const struct gtid_set *s)
{
    struct gtid_set *c = gtid_set_new();

    c->n = c->size = s->n;
    c->n_intervals = s->n_intervals;
    c->n_newest = c->newest_size = s->n_newest;
    c->sources = xreallocarray(NULL, s->n ? s->n : 1, sizeof *c->sources);
    if (!c->size)
        c->size = 1;
    for (size_t i = 0; i < s->n; i++) {
        const struct source *from = &s->sources[i];
        struct source *to = &c->sources[i];

        *to = *from;
        to->name = xstrdup(from->name);
        to->size = from->n;
        to->intervals = from->n ? xmemdup(from->intervals, from->n * sizeof *from->intervals) : NULL;
    }
    if (s->n_newest)
        c->newest = xmemdup(s->newest, s->n_newest * sizeof *s->newest);
    return c;
}

int gtid_set_add(struct gtid_set *s, const struct gtid *g, struct err *err)
{
    struct place p;
    struct source *src;

    if (!gtid_place_of(&p, g))
        return err_set(err, ERR_BUG, "A transaction without identity was added to a GTID set");
    src = gtid_need_source(s, &p, err);
    if (!src)
        return -1;
    if (g->flavor == GTID_MARIADB)
        gtid_put_newest(s, g->domain, g->server, g->number);
    return gtid_add_interval(s, src, g->flavor == GTID_FILE ? 0 : p.number, p.number, err);
}

int gtid_set_union(struct gtid_set *s, const struct gtid_set *other, struct err *err)
{
    if (s == other)
        return 0;
    for (size_t i = 0; i < other->n; i++) {
        const struct source *from = &other->sources[i];
        struct place p = {.flavor = from->flavor, .domain = from->domain, .server = from->server, .name = from->name};
        struct source *to = gtid_need_source(s, &p, err);

        if (!to)
            return -1;
        for (size_t j = 0; j < from->n; j++)
            if (gtid_add_interval(s, to, from->intervals[j].first, from->intervals[j].last, err))
                return -1;
    }
    for (size_t i = 0; i < other->n_newest; i++) {
        const struct newest *theirs = &other->newest[i], *ours = gtid_find_newest(s, theirs->domain);

        if (!ours || ours->number < theirs->number)
            gtid_put_newest(s, theirs->domain, theirs->server, theirs->number);
    }
    return 0;
}

bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g)
{
    struct place p;
    const struct source *src;
    size_t at;

    if (!gtid_place_of(&p, g) || !find_source(s, &p, &at))
        return false;
    src = &s->sources[at];
    at = find_interval(src, p.number);
    return at < src->n && src->intervals[at].first <= p.number;
}

/* How many numbers of `a` are not in `b`; both lists of one source. */
static uint64_t count_missing(const struct source *a, const struct source *b)
{
    uint64_t missing = 0;
    size_t j = 0;

    for (size_t i = 0; i < a->n; i++) {
        uint64_t at = a->intervals[i].first, last = a->intervals[i].last;

        while (b && j < b->n && b->intervals[j].last < at)
            j++;
        for (size_t k = j; at <= last; k++) {
            if (!b || k >= b->n || b->intervals[k].first > last) {
                missing += last - at + 1;
                break;
            }
            if (b->intervals[k].first > at)
                missing += b->intervals[k].first - at;
            if (b->intervals[k].last >= last)
                break;
            at = b->intervals[k].last + 1;
        }
    }
    return missing;
}

uint64_t gtid_set_minus_count(const struct gtid_set *a, const struct gtid_set *b)
{
    uint64_t count = 0;

    for (size_t i = 0; i < a->n; i++) {
        const struct source *src = &a->sources[i];
        struct place p = {.flavor = src->flavor, .domain = src->domain, .server = src->server, .name = src->name};
        uint64_t missing;
        size_t at;

        if (src->flavor == GTID_MARIADB)
            continue;
        missing = count_missing(src, find_source(b, &p, &at) ? &b->sources[at] : NULL);
        count += src->flavor == GTID_FILE ? missing != 0 : missing; /* offsets are no transactions */
    }
    for (size_t i = 0; i < a->n_newest; i++) {
        const struct newest *theirs = gtid_find_newest(b, a->newest[i].domain);
        uint64_t reached = theirs ? theirs->number : 0;

        if (a->newest[i].number > reached)
            count += a->newest[i].number - reached;
    }
    return count;
}

bool gtid_set_contains_set(const struct gtid_set *s, const struct gtid_set *sub)
{
    return gtid_set_minus_count(sub, s) == 0;
}

void gtid_set_subtract(struct gtid_set *s, const struct gtid_set *other)
{
    struct gtid_set *rest = gtid_set_new();
    struct err ignored = ERR_INIT; /* a part of a set is within the set's limits */

    for (size_t i = 0; i < s->n; i++) {
        const struct source *a = &s->sources[i], *b;
        struct place p = {.flavor = a->flavor, .domain = a->domain, .server = a->server, .name = a->name};
        size_t at;

        if (a->flavor == GTID_MARIADB) {
            const struct newest *ours = gtid_find_newest(s, a->domain), *theirs = gtid_find_newest(other, a->domain);

            if (ours && theirs && theirs->number >= ours->number)
                continue;
        }
        b = a->flavor != GTID_MARIADB && find_source(other, &p, &at) ? &other->sources[at] : NULL;
        for (size_t j = 0; j < a->n; j++) {
            uint64_t first = a->intervals[j].first, last = a->intervals[j].last;
            size_t k = b ? find_interval(b, first) : 0;

            for (; first <= last; k++) {
                bool open = !b || k >= b->n || b->intervals[k].first > last;
                uint64_t until = open ? last : b->intervals[k].first;

                if (open || until > first)
                    (void)gtid_add_interval(rest, gtid_need_source(rest, &p, &ignored), first, open ? last : until - 1,
                                            &ignored);
                if (open || b->intervals[k].last >= last)
                    break;
                first = b->intervals[k].last + 1;
            }
        }
    }
    for (size_t i = 0; i < s->n_newest; i++) {
        const struct newest *theirs = gtid_find_newest(other, s->newest[i].domain);

        if (!theirs || theirs->number < s->newest[i].number)
            gtid_put_newest(rest, s->newest[i].domain, s->newest[i].server, s->newest[i].number);
    }
    gtid_set_clear(s);
    free(s->sources);
    free(s->newest);
    *s = *rest;
    free(rest);
}

bool gtid_set_empty(const struct gtid_set *s)
{
    return !s->n_intervals && !s->n_newest;
}

bool gtid_set_equal(const struct gtid_set *a, const struct gtid_set *b)
{
    return gtid_set_contains_set(a, b) && gtid_set_contains_set(b, a);
}
