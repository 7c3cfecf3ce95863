/* gtid_set_text: the forms of a gtid_set outside: text, and MySQL's binary form. */
#include <stdio.h>
#include <string.h>

#include "model/gtid.h"
#include "model/gtid_set_inside.h"
#include "model/gtid_text.h"

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
                return err_set(err, ERR_MALFORMED, "A GTID set has \"%.60s\" where an interval's last number should be",
                               c);
        }
        if (last < first)
            continue; /* as the server: an empty interval */
        src = gtid_need_source(s, &p, err);
        if (!src || gtid_add_interval(s, src, first, last, err))
            return -1;
    }
    *at = c;
    return 0;
}

static int parse_whole_entry(struct gtid_set *s, const char **at, const char *end, enum gtid_flavor flavor,
                             struct err *err)
{
    const char *stop = *at;
    char text[GTID_TEXT];
    struct gtid g;
    struct place p;
    struct source *src;

    while (stop < end && !strchr(", \t\r\n", *stop))
        stop++;
    if (stop - *at >= GTID_TEXT)
        return err_set(err, ERR_MALFORMED, "A GTID set has an entry of more than %d bytes: \"%.60s\"", GTID_TEXT - 1,
                       *at);
    memcpy(text, *at, (size_t)(stop - *at));
    text[stop - *at] = '\0';
    if (gtid_parse(&g, text, err))
        return err_prefix(err, "GTID set");
    if (g.flavor != flavor && g.flavor != GTID_FILE)
        return err_set(err, ERR_MALFORMED, "\"%.100s\" in a GTID set is of the other vendor's form", text);
    if (!gtid_place_of(&p, &g) || !(src = gtid_need_source(s, &p, err)))
        return -1;
    *at = stop;
    if (g.flavor == GTID_MARIADB) {
        const struct newest *n = gtid_find_newest(s, g.domain);

        if (!n || n->number <= g.number)
            gtid_put_newest(s, g.domain, g.server, g.number);
    }
    return gtid_add_interval(s, src, g.flavor == GTID_MARIADB && p.number ? 1 : 0, p.number, err);
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

/* -- MySQL's binary form (Gtid_set::encode): number of sources, then per source the uuid, in the tagged form the tag
 * with its length as a variable-length integer, the number of intervals, and the intervals, open at the end -- */

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
        return err_set(err, ERR_UNSUPPORTED, "A binary GTID set is of the unknown format %u; update Pillion",
                       (unsigned)(head >> 56));
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
        src = gtid_need_source(s, &p, err);
        if (!src)
            return -1;
        for (uint64_t j = 0; j < n_intervals; j++) {
            uint64_t first = cursor_u64le(&bytes), end = cursor_u64le(&bytes);

            if (!cursor_ok(&bytes))
                break;
            if (!first || end <= first || end > INT64_MAX)
                return err_set(err, ERR_MALFORMED, "A binary GTID set has the interval %llu to %llu, which is none",
                               (unsigned long long)first, (unsigned long long)end);
            if (gtid_add_interval(s, src, first, end - 1, err))
                return -1;
        }
    }
    if (!cursor_ok(&bytes) || !cursor_done(&bytes))
        return err_set(err, ERR_TRUNCATED, "A binary GTID set does not end where its counts say");
    return 0;
}
