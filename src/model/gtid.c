#include "model/gtid.h"

#include <stdio.h>
#include <string.h>

#include "model/gtid_text.h"

bool gtid_read_number(const char **p, const char *end, uint64_t max, uint64_t *out)
{
    const char *s = *p;
    uint64_t v = 0;

    if (s == end || *s < '0' || *s > '9')
        return false;
    for (; s < end && *s >= '0' && *s <= '9'; s++) {
        uint64_t digit = (uint64_t)(*s - '0');

        if (v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *p = s;
    *out = v;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool gtid_read_uuid(const char **p, const char *end, char out[37])
{
    const char *s = *p;

    if (end - s < 36)
        return false;
    for (int i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s[i] != '-')
                return false;
            out[i] = '-';
        } else {
            int digit = hex_digit(s[i]);

            if (digit < 0)
                return false;
            out[i] = "0123456789abcdef"[digit];
        }
    }
    out[36] = '\0';
    *p = s + 36;
    return true;
}

bool gtid_read_tag(const char **p, const char *end, char out[33])
{
    const char *s = *p;
    size_t n = 0;

    for (; s < end && n <= 32; s++, n++) {
        char c = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;

        if (!((c >= 'a' && c <= 'z') || c == '_' || (n && c >= '0' && c <= '9')))
            break;
        if (n == 32)
            return false;
        out[n] = c;
    }
    if (!n)
        return false;
    out[n] = '\0';
    *p = s;
    return true;
}

bool gtid_tag_valid(const uint8_t *tag, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!(tag[i] == '_' || (tag[i] >= 'a' && tag[i] <= 'z') || (i && tag[i] >= '0' && tag[i] <= '9')))
            return false;
    return len <= 32;
}

static bool parse_mysql(struct gtid *g, const char *s, const char *end)
{
    char uuid[37], tag[33] = "";

    if (!gtid_read_uuid(&s, end, uuid) || s == end || *s++ != ':')
        return false;
    if (s < end && (*s < '0' || *s > '9')) {
        if (!gtid_read_tag(&s, end, tag) || s == end || *s++ != ':')
            return false;
    }
    if (!gtid_read_number(&s, end, INT64_MAX - 1, &g->number) || s != end || !g->number)
        return false;
    g->flavor = GTID_MYSQL;
    snprintf(g->source, sizeof g->source, "%s%s%s", uuid, *tag ? ":" : "", tag);
    return true;
}

static bool parse_mariadb(struct gtid *g, const char *s, const char *end)
{
    uint64_t domain, server;

    if (!gtid_read_number(&s, end, UINT32_MAX, &domain) || s == end || *s++ != '-' ||
        !gtid_read_number(&s, end, UINT32_MAX, &server) || s == end || *s++ != '-' ||
        !gtid_read_number(&s, end, UINT64_MAX, &g->number) || s != end)
        return false;
    gtid_make_mariadb(g, (uint32_t)domain, (uint32_t)server, g->number);
    return true;
}

static bool parse_file(struct gtid *g, const char *s, const char *end)
{
    const char *colon = end, *number;

    while (colon > s && colon[-1] != ':')
        colon--;
    if (colon - s < 2 || colon - 1 - s >= GTID_SOURCE)
        return false;
    number = colon;
    if (!gtid_read_number(&number, end, (1ull << 40) - 1, &g->number) || number != end)
        return false;
    g->flavor = GTID_FILE;
    memcpy(g->source, s, (size_t)(colon - 1 - s));
    g->source[colon - 1 - s] = '\0';
    return !strpbrk(g->source, ":, \t\r\n");
}

int gtid_parse(struct gtid *g, const char *text, struct err *err)
{
    const char *end = text + strlen(text);

    memset(g, 0, sizeof *g);
    if (parse_mysql(g, text, end))
        return 0;
    memset(g, 0, sizeof *g);
    if (parse_mariadb(g, text, end))
        return 0;
    memset(g, 0, sizeof *g);
    if (parse_file(g, text, end))
        return 0;
    memset(g, 0, sizeof *g);
    return err_set(err, ERR_MALFORMED,
                   "\"%.100s\" is no GTID; write uuid:number, uuid:tag:number, domain-server-number or file:offset",
                   text);
}

/* Hand-made, for it runs once per transaction. */
static char *put_number(char *to, uint64_t v)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        *to++ = digits[--n];
    return to;
}

void gtid_make_mysql(struct gtid *g, const uint8_t uuid[16], const uint8_t *tag, size_t tag_len, uint64_t number)
{
    static const char hex[] = "0123456789abcdef";
    char *p = g->source;

    g->flavor = GTID_MYSQL;
    g->number = number;
    g->domain = g->server = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[uuid[i] >> 4];
        *p++ = hex[uuid[i] & 15];
    }
    if (tag_len && tag_len <= 32) {
        *p++ = ':';
        memcpy(p, tag, tag_len);
        p += tag_len;
    }
    *p = '\0';
}

void gtid_make_mariadb(struct gtid *g, uint32_t domain, uint32_t server, uint64_t number)
{
    char *p;

    g->flavor = GTID_MARIADB;
    g->number = number;
    g->domain = domain;
    g->server = server;
    p = put_number(g->source, domain);
    *p++ = '-';
    p = put_number(p, server);
    *p = '\0';
}

void gtid_make_file(struct gtid *g, const char *file, uint64_t offset)
{
    size_t len = strnlen(file, GTID_SOURCE - 1);

    g->flavor = GTID_FILE;
    g->number = offset;
    g->domain = g->server = 0;
    memcpy(g->source, file, len);
    g->source[len] = '\0';
}

size_t gtid_format(const struct gtid *g, char out[GTID_TEXT])
{
    size_t len = strnlen(g->source, GTID_SOURCE - 1);
    char *p = out;

    if (g->flavor == GTID_NONE) {
        *out = '\0';
        return 0;
    }
    memcpy(p, g->source, len);
    p += len;
    *p++ = g->flavor == GTID_MARIADB ? '-' : ':';
    p = put_number(p, g->number);
    *p = '\0';
    return (size_t)(p - out);
}

bool gtid_equal(const struct gtid *a, const struct gtid *b)
{
    return a->flavor == b->flavor && a->number == b->number && !strcmp(a->source, b->source);
}
