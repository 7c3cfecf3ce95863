#include "config/options_value.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const size_t offsets[OPTION_COUNT] = {
#define SECTION(path, help)
#define OPTION(kind, member, path, def, limits, example, help) [OPTION_ID_##member] = offsetof(struct options, member),
#include "config/options.def"
#undef OPTION
#undef SECTION
};

void *options_member(struct options *o, int id)
{
    return (char *)o + offsets[id];
}

const void *options_member_const(const struct options *o, int id)
{
    return (const char *)o + offsets[id];
}

/* A line break in a host name or a header would be a way into somebody else's protocol. */
static int check_text(const char *text, size_t len, size_t max, bool secret, struct err *err)
{
    if (len > max)
        return err_set(err, ERR_CONFIG, "is longer than %zu bytes.", max);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == 0 || (!secret && (c < 0x20 || c == 0x7f)))
            return err_set(err, ERR_CONFIG, "has a control character at byte %zu.", i + 1);
    }
    return 0;
}

/* Of a secret and its file the stronger layer counts; both in one layer contradict each other. */
static int set_secret(struct option_secret *s, bool is_file, const char *text, size_t len, struct option_origin origin,
                      struct err *err)
{
    struct option_origin *other = is_file ? &s->value_origin : &s->file_origin;

    if (other->layer == origin.layer)
        return err_set(err, ERR_CONFIG, "is given both as a value and as a file; keep one of them.");
    xfree_secret(s->value);
    free(s->file);
    s->value = s->file = NULL;
    *other = (struct option_origin){OPTION_LAYER_DEFAULT, 0};
    if (is_file) {
        s->file = xstrndup(text, len);
        s->file_origin = origin;
    } else {
        s->value = xstrndup(text, len);
        s->value_origin = origin;
    }
    return 0;
}

static int set_string(char **member, const char *text, size_t len)
{
    free(*member);
    *member = len ? xstrndup(text, len) : NULL;
    return 0;
}

int options_value_scalar(struct options *o, int id, bool is_file, const char *text, size_t len,
                         struct option_origin origin, struct err *err)
{
    const struct option *option = option_at(id);
    void *member = options_member(o, id);
    bool secret = option->kind == OPTION_SECRET && !is_file;
    int rc = 0, index;

    if (len == 0)
        return 0;
    if (check_text(text, len, secret ? OPTION_SECRET_MAX : OPTION_TEXT_MAX, secret, err) < 0)
        return -1;
    switch (option->kind) {
    case OPTION_STRING:
        rc = set_string(member, text, len);
        break;
    case OPTION_WORD:
        rc = option_read_choice(option, text, &index, err);
        if (rc == 0)
            rc = set_string(member, text, len);
        break;
    case OPTION_ENUM:
        rc = option_read_choice(option, text, member, err);
        break;
    case OPTION_SECRET:
        rc = set_secret(member, is_file, text, len, origin, err);
        break;
    case OPTION_BOOL:
        rc = option_read_bool(text, member, err);
        break;
    case OPTION_INT:
    case OPTION_DURATION:
    case OPTION_SIZE:
        rc = option_read_number(option, text, member, err);
        break;
    case OPTION_LIST:
        return err_set(err, ERR_CONFIG, "must be a list: [first, second].");
    case OPTION_MAP:
        return err_set(err, ERR_CONFIG, "must be a map: {name: value}.");
    }
    if (rc == 0)
        o->origin[id] = origin;
    return rc;
}

void options_value_clear(struct options *o, int id)
{
    const struct option *option = option_at(id);

    if (option->kind == OPTION_LIST) {
        struct option_list *list = options_member(o, id);
        for (size_t i = 0; i < list->n; i++)
            free(list->items[i]);
        free(list->items);
        *list = (struct option_list){NULL, 0};
    } else if (option->kind == OPTION_MAP) {
        struct option_map *map = options_member(o, id);
        for (size_t i = 0; i < map->n; i++) {
            free(map->names[i]);
            xfree_secret(map->values[i]);
        }
        free(map->names);
        free(map->values);
        *map = (struct option_map){NULL, NULL, 0};
    }
}

int options_value_add_item(struct options *o, int id, const char *text, size_t len, struct err *err)
{
    struct option_list *list = options_member(o, id);

    if (len == 0)
        return err_set(err, ERR_CONFIG, "has an empty item.");
    if (check_text(text, len, OPTION_TEXT_MAX, false, err) < 0)
        return -1;
    if (list->n >= OPTIONS_ITEMS_MAX)
        return err_set(err, ERR_CONFIG, "has more than %d items.", OPTIONS_ITEMS_MAX);
    list->items = xreallocarray(list->items, list->n + 1, sizeof *list->items);
    list->items[list->n++] = xstrndup(text, len);
    return 0;
}

int options_value_add_pair(struct options *o, int id, const char *name, const char *value, size_t len, struct err *err)
{
    struct option_map *map = options_member(o, id);

    if (!*name)
        return err_set(err, ERR_CONFIG, "has an empty name.");
    if (check_text(name, strlen(name), OPTION_TEXT_MAX, false, err) < 0 ||
        check_text(value, len, OPTION_TEXT_MAX, false, err) < 0)
        return -1;
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->names[i], name) == 0)
            return err_set(err, ERR_CONFIG, "has %s twice.", name);
    if (map->n >= OPTIONS_ITEMS_MAX / 10)
        return err_set(err, ERR_CONFIG, "has more than %d entries.", OPTIONS_ITEMS_MAX / 10);
    map->names = xreallocarray(map->names, map->n + 1, sizeof *map->names);
    map->values = xreallocarray(map->values, map->n + 1, sizeof *map->values);
    map->names[map->n] = xstrdup(name);
    map->values[map->n++] = xstrndup(value, len);
    return 0;
}
