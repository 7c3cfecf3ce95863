#include "cmd/key_guess.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { PARTS_MAX = 64, KINDS = 5 };

static bool is_int64(const char *text, int64_t *v)
{
    char *end;

    errno = 0;
    *v = strtoll(text, &end, 10);
    return *text && !*end && !errno && strchr("-0123456789", *text);
}

/* Appends the text as a value of one kind; false when it does not read as such. The likely kinds come first, and what
 * is an integer is seldom anything else but text. */
static bool put(bson_t *out, const char *name, const char *text, int kind, bool alone)
{
    size_t len = strlen(text);
    bson_decimal128_t decimal;
    uint8_t bytes[256];
    int64_t number;
    char *end;

    if ((kind == 2 || kind == 3) && !alone && is_int64(text, &number))
        return false;
    switch (kind) {
    case 0:
        return is_int64(text, &number) && bson_append_int64(out, name, -1, number);
    case 1:
        return bson_append_utf8(out, name, -1, text, (int)len);
    case 2: {
        double v = strtod(text, &end);

        return *text && !*end && strchr("-0123456789", *text) && bson_append_double(out, name, -1, v);
    }
    case 3:
        return *text && strspn(text, "-0123456789.") == len && bson_decimal128_from_string(text, &decimal) &&
               bson_append_decimal128(out, name, -1, &decimal);
    default:
        if (strncmp(text, "0x", 2) != 0 || len % 2 || len / 2 - 1 > sizeof bytes ||
            strspn(text + 2, "0123456789abcdef") != len - 2)
            return false;
        for (size_t i = 2; i < len; i += 2) {
            const char pair[3] = {text[i], text[i + 1], 0};

            bytes[i / 2 - 1] = (uint8_t)strtoul(pair, NULL, 16);
        }
        return bson_append_binary(out, name, -1, BSON_SUBTYPE_BINARY, bytes, (uint32_t)(len / 2 - 1));
    }
}

/* Ends each part with NUL in place and takes the backslashes away; gives their number. */
static size_t split(char *text, char **parts, size_t max)
{
    size_t n = 0;
    char *to = text;

    parts[n++] = to;
    for (const char *s = text; *s; s++) {
        if (*s == ',' && n < max) {
            *to++ = 0;
            parts[n++] = to;
        } else {
            if (*s == '\\' && s[1])
                s++;
            *to++ = *s;
        }
    }
    *to = 0;
    return n;
}

/* One choice of kinds, a digit of base KINDS for each part: false when a part does not read as its kind. */
static bool make(bson_t *out, const struct entity *e, char **parts, size_t n, unsigned long choice)
{
    bson_t sub;
    bool ok = true;

    if (n == 1)
        return put(out, "_id", parts[0], (int)choice, true);
    bson_append_document_begin(out, "_id", 3, &sub);
    for (size_t i = 0; i < n && ok; i++, choice /= KINDS)
        ok = put(&sub, e->key[i], parts[i], (int)(choice % KINDS), false);
    bson_append_document_end(out, &sub);
    return ok;
}

int key_guess_init(struct key_guess *g, const struct entity *entity, const char *text, struct err *err)
{
    char *copy = xstrdup(text), *parts[PARTS_MAX] = {copy};
    size_t n = entity->n_key > 1 && entity->n_key <= PARTS_MAX ? split(copy, parts, PARTS_MAX) : 1;
    unsigned long choices = 1;

    g->n = 0;
    if (n != entity->n_key) {
        free(copy);
        return err_set(
            err, ERR_USAGE,
            "The key of %s has %zu parts; give them joined with commas, with a backslash before a comma within one.",
            entity->name, entity->n_key);
    }
    for (size_t i = 0; i < n && choices < 100000; i++)
        choices *= KINDS;
    for (unsigned long choice = 0; choice < choices && g->n < KEY_GUESS_MAX; choice++) {
        bson_t *id = bson_new();

        if (make(id, entity, parts, n, choice))
            g->ids[g->n++] = id;
        else
            bson_destroy(id);
    }
    free(copy);
    return 0;
}

void key_guess_release(struct key_guess *g)
{
    for (size_t i = 0; i < g->n; i++)
        bson_destroy(g->ids[i]);
    g->n = 0;
}
