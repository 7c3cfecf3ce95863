#include "model/gtid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/gtid_text.h"

/* A number of GTID_FILE inside a set: the file's number above, the offset below. */
enum { FILE_OFFSET_BITS = 40, SOURCES_MAX = 1 << 20 };

struct interval {
    uint64_t first, last;
};

struct source {
    enum gtid_flavor flavor;
    uint32_t domain, server;
    char *name;
    struct interval *intervals; /* sorted, with a gap between neighbours */
    size_t n, size;
};

struct newest {
    uint32_t domain, server;
    uint64_t number;
};

struct gtid_set {
    struct source *sources; /* sorted by compare_source */
    size_t n, size;
    size_t n_intervals;
    size_t hot;             /* the source that was found last: most streams have one writer */
    struct newest *newest;  /* one a domain, sorted by domain */
    size_t n_newest, newest_size;
};

/* What a GTID is inside a set. */
struct place {
    enum gtid_flavor flavor;
    uint32_t domain, server;
    const char *name;
    uint64_t number;
    char base[GTID_SOURCE];
};

static bool place_of(struct place *p, const struct gtid *g)
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

static struct source *need_source(struct gtid_set *s, const struct place *p, struct err *err)
{
    size_t at;

    if (!find_source(s, p, &at)) {
        if (s->n >= SOURCES_MAX) {
            err_set(err, ERR_LIMIT, "A GTID set has more than %d sources; purge old sources on the server", SOURCES_MAX);
            return NULL;
        }
        if (s->n == s->size) {
            s->size = s->size ? s->size * 2 : 4;
            s->sources = xreallocarray(s->sources, s->size, sizeof *s->sources);
        }
        memmove(&s->sources[at + 1], &s->sources[at], (s->n - at) * sizeof *s->sources);
        s->sources[at] = (struct source){
            .flavor = p->flavor, .domain = p->domain, .server = p->server, .name = xstrdup(p->name)};
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

static int add_interval(struct gtid_set *s, struct source *src, uint64_t first, uint64_t last, struct err *err)
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
        return err_set(err, ERR_LIMIT, "A GTID set has more than %d intervals; look for gaps in the server's gtid_executed",
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

static struct newest *find_newest(const struct gtid_set *s, uint32_t domain)
{
    for (size_t i = 0; i < s->n_newest; i++)
        if (s->newest[i].domain == domain)
            return &s->newest[i];
    return NULL;
}

static void put_newest(struct gtid_set *s, uint32_t domain, uint32_t server, uint64_t number)
{
    struct newest *n = find_newest(s, domain);
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

    if (!place_of(&p, g))
        return err_set(err, ERR_BUG, "A transaction without identity was added to a GTID set");
    src = need_source(s, &p, err);
    if (!src)
        return -1;
    if (g->flavor == GTID_MARIADB)
        put_newest(s, g->domain, g->server, g->number);
    return add_interval(s, src, g->flavor == GTID_FILE ? 0 : p.number, p.number, err);
}

int gtid_set_union(struct gtid_set *s, const struct gtid_set *other, struct err *err)
{
    if (s == other)
        return 0;
    for (size_t i = 0; i < other->n; i++) {
        const struct source *from = &other->sources[i];
        struct place p = {.flavor = from->flavor, .domain = from->domain, .server = from->server, .name = from->name};
        struct source *to = need_source(s, &p, err);

        if (!to)
            return -1;
        for (size_t j = 0; j < from->n; j++)
            if (add_interval(s, to, from->intervals[j].first, from->intervals[j].last, err))
                return -1;
    }
    for (size_t i = 0; i < other->n_newest; i++) {
        const struct newest *theirs = &other->newest[i], *ours = find_newest(s, theirs->domain);

        if (!ours || ours->number < theirs->number)
            put_newest(s, theirs->domain, theirs->server, theirs->number);
    }
    return 0;
}

bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g)
{
    struct place p;
    const struct source *src;
    size_t at;

    if (!place_of(&p, g) || !find_source(s, &p, &at))
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
        const struct newest *theirs = find_newest(b, a->newest[i].domain);
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
            const struct newest *ours = find_newest(s, a->domain), *theirs = find_newest(other, a->domain);

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
                    (void)add_interval(rest, need_source(rest, &p, &ignored), first, open ? last : until - 1, &ignored);
                if (open || b->intervals[k].last >= last)
                    break;
                first = b->intervals[k].last + 1;
            }
        }
    }
    for (size_t i = 0; i < s->n_newest; i++) {
        const struct newest *theirs = find_newest(other, s->newest[i].domain);

        if (!theirs || theirs->number < s->newest[i].number)
            put_newest(rest, s->newest[i].domain, s->newest[i].server, s->newest[i].number);
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

/* -- text -- */

static void blanks(const char **p, const char *end)
{
    while (*p < end && (**p == ' ' || **p == '\t' || **p == '\n' || **p == '\r'))
        ++*p;
}

/* uuid, then intervals and tags with ':' between; an interval belongs to the newest tag. */
static int parse_mysql_entry(struct gtid_set *s, const char **at, const char *end, struct err *err)
{
    struct place p = {.flavor = GTID_MYSQL, .name = p.base};
    const char *c = *at;
    char uuid[37], tag[33];
    struct source *src;

    if (!gtid_read_uuid(&c, end, uuid))
        return err_set(err, ERR_MALFORMED, "A GTID set has \"%.60s\" where a server uuid should be", *at);
    memcpy(p.base, uuid, sizeof uuid);
    for (blanks(&c, end); c < end && *c == ':'; blanks(&c, end)) {
        uint64_t first, last;

        c++;
        blanks(&c, end);
        if (gtid_read_tag(&c, end, tag)) {
            snprintf(p.base, sizeof p.base, "%s:%s", uuid, tag);
            continue;
        }
        if (!gtid_read_number(&c, end, INT64_MAX - 1, &first) || !first)
            return err_set(err, ERR_MALFORMED, "A GTID set has \"%.60s\" where a tag or a number above 0 should be", c);
        last = first;
        blanks(&c, end);
        if (c < end && *c == '-') {
            c++;
            blanks(&c, end);
            if (!gtid_read_number(&c, end, INT64_MAX - 1, &last))
                return err_set(err, ERR_MALFORMED, "A GTID set has \"%.60s\" where an interval's last number should be", c);
        }
        if (last < first)
            continue; /* as the server: an empty interval */
        src = need_source(s, &p, err);
        if (!src || add_interval(s, src, first, last, err))
            return -1;
    }
    *at = c;
    return 0;
}

static int parse_whole_entry(struct gtid_set *s, const char **at, const char *end, enum gtid_flavor flavor, struct err *err)
{
    const char *stop = *at;
    char text[GTID_TEXT];
    struct gtid g;
    struct place p;
    struct source *src;

    while (stop < end && !strchr(", \t\r\n", *stop))
        stop++;
    if (stop - *at >= GTID_TEXT)
        return err_set(err, ERR_MALFORMED, "A GTID set has an entry of more than %d bytes: \"%.60s\"", GTID_TEXT - 1, *at);
    memcpy(text, *at, (size_t)(stop - *at));
    text[stop - *at] = '\0';
    if (gtid_parse(&g, text, err))
        return err_prefix(err, "GTID set");
    if (g.flavor != flavor && g.flavor != GTID_FILE)
        return err_set(err, ERR_MALFORMED, "\"%.100s\" in a GTID set is of the other vendor's form", text);
    if (!place_of(&p, &g) || !(src = need_source(s, &p, err)))
        return -1;
    *at = stop;
    if (g.flavor == GTID_MARIADB) {
        const struct newest *n = find_newest(s, g.domain);

        if (!n || n->number <= g.number)
            put_newest(s, g.domain, g.server, g.number);
    }
    return add_interval(s, src, g.flavor == GTID_MARIADB && p.number ? 1 : 0, p.number, err);
}

int gtid_set_parse(struct gtid_set *s, const char *text, enum gtid_flavor flavor, struct err *err)
{
    const char *p = text, *end = text + strlen(text);

    gtid_set_clear(s);
    for (;;) {
        const char *word = p;
        char uuid[37];
        int bad;

        blanks(&p, end);
        if (p < end && *p == ',') {
            p++;
            continue;
        }
        if (p == end)
            return 0;
        word = p;
        bad = flavor == GTID_MYSQL && gtid_read_uuid(&word, end, uuid) ? parse_mysql_entry(s, &p, end, err)
                                                                        : parse_whole_entry(s, &p, end, flavor, err);
        if (bad)
            return -1;
        blanks(&p, end);
        if (p < end && *p != ',')
            return err_set(err, ERR_MALFORMED, "A GTID set goes on with \"%.60s\" where a comma should be", p);
    }
}

int gtid_set_format(const struct gtid_set *s, struct buf *out)
{
    const char *previous = ""; /* the uuid before, for the short form uuid:1-5:tag:1 */
    bool any = false;

    for (size_t i = 0; i < s->n_newest; i++) {
        const struct newest *n = &s->newest[i];

        if (buf_putf(out, "%s%u-%u-%llu", any ? "," : "", n->domain, n->server, (unsigned long long)n->number))
            return -1;
        any = true;
    }
    for (size_t i = 0; i < s->n; i++) {
        const struct source *src = &s->sources[i];

        if (src->flavor == GTID_MARIADB || !src->n)
            continue;
        if (src->flavor == GTID_FILE) {
            uint64_t last = src->intervals[src->n - 1].last, file = last >> FILE_OFFSET_BITS;

            if (buf_putf(out, "%s%s", any ? "," : "", src->name) ||
                (file && buf_putf(out, ".%06llu", (unsigned long long)file)) ||
                buf_putf(out, ":%llu", (unsigned long long)(last & ((1ull << FILE_OFFSET_BITS) - 1))))
                return -1;
            any = true;
            continue;
        }
        if (*previous && !strncmp(previous, src->name, 36)) {
            if (buf_put_str(out, src->name + 36))
                return -1;
        } else if (buf_putf(out, "%s%s", any ? "," : "", src->name)) {
            return -1;
        }
        previous = src->name;
        any = true;
        for (size_t j = 0; j < src->n; j++) {
            const struct interval *v = &src->intervals[j];

            if (buf_putf(out, v->first == v->last ? ":%llu" : ":%llu-%llu", (unsigned long long)v->first,
                         (unsigned long long)v->last))
                return -1;
        }
    }
    return 0;
}

/* -- MySQL's binary form (Gtid_set::encode): number of sources, then per source the uuid, in the tagged form the tag with its
 * length as a variable-length integer, the number of intervals, and the intervals, open at the end -- */

static int put_u64(struct buf *out, uint64_t v)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    return buf_put(out, bytes, sizeof bytes);
}

static void uuid_bytes(const char *text, uint8_t out[16])
{
    size_t n = 0;
    unsigned v = 0;

    for (; *text && n < 32; text++) {
        if (*text == '-')
            continue;
        v = v << 4 | (unsigned)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
        if (++n % 2 == 0)
            out[n / 2 - 1] = (uint8_t)v;
    }
}

int gtid_set_encode(const struct gtid_set *s, struct buf *out)
{
    uint64_t n = 0;
    bool tagged = false;

    for (size_t i = 0; i < s->n; i++) {
        if (s->sources[i].flavor != GTID_MYSQL || !s->sources[i].n)
            continue;
        n++;
        tagged |= s->sources[i].name[36] != '\0';
    }
    if (put_u64(out, tagged ? 1ull << 56 | n << 8 | 1 : n))
        return -1;
    for (size_t i = 0; i < s->n; i++) {
        const struct source *src = &s->sources[i];
        uint8_t uuid[16];

        if (src->flavor != GTID_MYSQL || !src->n)
            continue;
        uuid_bytes(src->name, uuid);
        if (buf_put(out, uuid, sizeof uuid))
            return -1;
        if (tagged) {
            const char *tag = src->name[36] ? src->name + 37 : "";

            if (buf_put_u8(out, (uint8_t)(strlen(tag) << 1)) || buf_put_str(out, tag))
                return -1;
        }
        if (put_u64(out, src->n))
            return -1;
        for (size_t j = 0; j < src->n; j++)
            if (put_u64(out, src->intervals[j].first) || put_u64(out, src->intervals[j].last + 1))
                return -1;
    }
    return 0;
}

int gtid_set_decode(struct gtid_set *s, struct cursor bytes, struct err *err)
{
    uint64_t head = cursor_u64le(&bytes), n = head & ((1ull << 56) - 1);
    bool tagged = head >> 56 == 1;

    if (head >> 56 > 1 || (tagged && (head & 0xff) != 1))
        return err_set(err, ERR_UNSUPPORTED, "A binary GTID set is of the unknown format %u; update Pillion", (unsigned)(head >> 56));
    if (tagged)
        n >>= 8;
    for (uint64_t i = 0; i < n && cursor_ok(&bytes); i++) {
        const uint8_t *uuid = cursor_bytes(&bytes, 16), *tag = NULL;
        struct place p = {.flavor = GTID_MYSQL};
        struct source *src;
        struct gtid g;
        size_t tag_len = 0;
        uint64_t n_intervals;

        if (tagged) {
            uint8_t twice = cursor_u8(&bytes);

            tag_len = twice >> 1;
            tag = cursor_bytes(&bytes, tag_len);
            if (tag && (twice & 1 || !gtid_tag_valid(tag, tag_len)))
                return err_set(err, ERR_MALFORMED, "A binary GTID set has a broken tag");
        }
        n_intervals = cursor_u64le(&bytes);
        if (!cursor_ok(&bytes))
            break;
        gtid_make_mysql(&g, uuid, tag, tag_len, 0);
        p.name = g.source;
        src = need_source(s, &p, err);
        if (!src)
            return -1;
        for (uint64_t j = 0; j < n_intervals; j++) {
            uint64_t first = cursor_u64le(&bytes), end = cursor_u64le(&bytes);

            if (!cursor_ok(&bytes))
                break;
            if (!first || end <= first || end > INT64_MAX)
                return err_set(err, ERR_MALFORMED, "A binary GTID set has the interval %llu to %llu, which is none",
                               (unsigned long long)first, (unsigned long long)end);
            if (add_interval(s, src, first, end - 1, err))
                return -1;
        }
    }
    if (!cursor_ok(&bytes) || !cursor_done(&bytes))
        return err_set(err, ERR_TRUNCATED, "A binary GTID set does not end where its counts say");
    return 0;
}
