/* options_yaml: the file layer of options, over libyaml's events: no tree is built, so nothing can be made to grow. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/options.h"
#include "config/options_value.h"

struct loader {
    yaml_parser_t parser;
    struct options *o;
    struct err *err;
    const char *name; /* of the file; NULL while a flow text is read */
    int events;
    char **seen; /* full paths, to find what is given twice */
    size_t n_seen;
};

static int line_of(const yaml_event_t *e)
{
    return (int)e->start_mark.line + 1;
}

/* Puts "file:line: " before the error. */
static int at_line(struct loader *l, int line)
{
    return l->name ? err_prefix(l->err, "%s:%d", l->name, line) : -1;
}

/* "file:line: path: "; a flow text's caller knows better what the option is called. */
static void at_option(struct loader *l, int id, int line)
{
    if (l->name) {
        err_prefix(l->err, "%s", option_at(id)->path);
        at_line(l, line);
    }
}

/* The next event, which the caller deletes; -1 when there is none to be had. */
static int next(struct loader *l, yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    const char *what;
    int line;

    if (!yaml_parser_parse(&l->parser, e)) {
        bool reader = l->parser.error == YAML_READER_ERROR;
        line = (int)(reader ? l->parser.mark.line : l->parser.problem_mark.line) + 1;
        err_set(l->err, ERR_CONFIG, "This is no YAML: %s%s%s.", l->parser.context ? l->parser.context : "",
                l->parser.context ? ", " : "", l->parser.problem ? l->parser.problem : "it cannot be read");
        memset(e, 0, sizeof *e);
        return at_line(l, line);
    }
    line = line_of(e);
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
        break;
    default:
        break;
    }
    what = e->type == YAML_ALIAS_EVENT ? "An alias (*name)"
           : anchor                    ? "An anchor (&name)"
           : tag                       ? "A tag (!name)"
                                       : NULL;
    if (!what && ++l->events <= OPTIONS_EVENTS_MAX)
        return 0;
    yaml_event_delete(e);
    memset(e, 0, sizeof *e);
    if (what)
        err_set(l->err, ERR_CONFIG,
                "%s cannot be used here; write the value itself (in quotes when it begins with *, & or !).", what);
    else
        err_set(l->err, ERR_CONFIG, "There are more than %d values.", OPTIONS_EVENTS_MAX);
    return at_line(l, line);
}

static const char *text_of(const yaml_event_t *e)
{
    return (const char *)e->data.scalar.value;
}

/* libyaml gives a length; a NUL inside would cut what is looked at shorter than what was written. */
static bool has_nul(const yaml_event_t *e)
{
    return strlen(text_of(e)) != e->data.scalar.length;
}

static bool is_null(const yaml_event_t *e, enum option_kind kind)
{
    const char *s = text_of(e);

    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || has_nul(e))
        return false;
    if (!*s || strcmp(s, "~") == 0)
        return true;
    /* null is one of the choices of events.zero_dates. */
    return kind != OPTION_ENUM && (strcmp(s, "null") == 0 || strcmp(s, "Null") == 0 || strcmp(s, "NULL") == 0);
}

/* After a sequence's start. */
static int load_list(struct loader *l, int id)
{
    yaml_event_t e;
    int rc = 0;

    for (;;) {
        bool end;

        if (next(l, &e) < 0)
            return -1;
        end = e.type == YAML_SEQUENCE_END_EVENT;
        if (!end && e.type != YAML_SCALAR_EVENT)
            rc = err_set(l->err, ERR_CONFIG, "must be a list of texts, without lists or maps inside.");
        else if (!end)
            rc = options_value_add_item(l->o, id, text_of(&e), e.data.scalar.length, l->err);
        if (rc < 0) {
            at_option(l, id, line_of(&e));
        }
        yaml_event_delete(&e);
        if (end || rc < 0)
            return rc;
    }
}

/* A pair's value: text, or a list of texts that is joined by commas. */
static int load_pair_value(struct loader *l, int id, const char *key)
{
    struct buf joined;
    yaml_event_t e;
    int rc, line;
    bool list;

    if (next(l, &e) < 0)
        return -1;
    line = line_of(&e);
    buf_init(&joined, OPTION_TEXT_MAX);
    list = e.type == YAML_SEQUENCE_START_EVENT;
    if (e.type == YAML_SCALAR_EVENT) {
        rc = options_value_add_pair(l->o, id, key, text_of(&e), e.data.scalar.length, l->err);
    } else if (!list) {
        rc = err_set(l->err, ERR_CONFIG, "%.64s must be a text or a list of texts.", key);
    } else {
        for (rc = 0; rc == 0;) {
            yaml_event_delete(&e);
            if (next(l, &e) < 0) {
                buf_release(&joined);
                return -1;
            }
            line = line_of(&e);
            if (e.type == YAML_SEQUENCE_END_EVENT)
                break;
            if (e.type != YAML_SCALAR_EVENT)
                rc = err_set(l->err, ERR_CONFIG, "%.64s must be a list of texts.", key);
            else if ((joined.len > 0 && buf_put_u8(&joined, ',') < 0) ||
                     buf_put(&joined, text_of(&e), e.data.scalar.length) < 0)
                rc = err_set(l->err, ERR_CONFIG, "%.64s is longer than %d bytes.", key, OPTION_TEXT_MAX);
        }
        if (rc == 0)
            rc = options_value_add_pair(l->o, id, key, joined.len ? (const char *)joined.data : "", joined.len, l->err);
    }
    if (rc < 0) {
        at_option(l, id, line);
    }
    yaml_event_delete(&e);
    buf_release(&joined);
    return rc;
}

/* After a mapping's start. */
static int load_map(struct loader *l, int id)
{
    yaml_event_t e;
    int rc = 0;

    for (;;) {
        bool end;

        if (next(l, &e) < 0)
            return -1;
        end = e.type == YAML_MAPPING_END_EVENT;
        if (!end && (e.type != YAML_SCALAR_EVENT || has_nul(&e))) {
            rc = err_set(l->err, ERR_CONFIG, "must be a map of texts.");
            at_option(l, id, line_of(&e));
        } else if (!end)
            rc = load_pair_value(l, id, text_of(&e));
        yaml_event_delete(&e);
        if (end || rc < 0)
            return rc;
    }
}

static int load_value(struct loader *l, int id, bool is_file, const char *path)
{
    const struct option *option = option_at(id);
    struct option_origin origin = {OPTION_LAYER_FILE, 0};
    yaml_event_t e;
    int rc;

    if (next(l, &e) < 0)
        return -1;
    origin.line = line_of(&e);
    if (e.type == YAML_SEQUENCE_START_EVENT && option->kind == OPTION_LIST) {
        options_value_clear(l->o, id);
        rc = load_list(l, id);
        l->o->origin[id] = origin;
    } else if (e.type == YAML_MAPPING_START_EVENT && option->kind == OPTION_MAP) {
        options_value_clear(l->o, id);
        rc = load_map(l, id);
        l->o->origin[id] = origin;
    } else if (e.type == YAML_SCALAR_EVENT && is_null(&e, option->kind)) {
        rc = 0;
    } else {
        if (e.type == YAML_SCALAR_EVENT)
            rc = has_nul(&e)
                     ? err_set(l->err, ERR_CONFIG, "has a NUL character.")
                     : options_value_scalar(l->o, id, is_file, text_of(&e), e.data.scalar.length, origin, l->err);
        else
            rc = err_set(l->err, ERR_CONFIG, "must be one value, not a %s.",
                         e.type == YAML_SEQUENCE_START_EVENT ? "list" : "map");
        if (rc < 0) {
            err_prefix(l->err, "%s", path);
            at_line(l, origin.line);
        }
    }
    yaml_event_delete(&e);
    return rc;
}

static int load_section(struct loader *l, const char *section);

static int load_key(struct loader *l, const char *section, const char *key, int line)
{
    char path[2 * OPTION_NAME_MAX], near[OPTION_NAME_MAX];
    yaml_event_t e;
    bool is_file;
    int id, rc;

    if (strlen(key) >= OPTION_NAME_MAX) {
        err_set(l->err, ERR_CONFIG, "The key %.40s... is unknown.", key);
        return at_line(l, line);
    }
    snprintf(path, sizeof path, "%s%s%s", section, *section ? "." : "", key);
    id = option_find(path, &is_file);
    if (id < 0 && !option_is_section(path)) {
        if (option_nearest(section, key, near, sizeof near))
            err_set(l->err, ERR_CONFIG, "%s is unknown; did you mean %s?", path, near);
        else
            err_set(l->err, ERR_CONFIG, "%s is unknown; pillion run --help lists the keys.", path);
        return at_line(l, line);
    }
    for (size_t i = 0; i < l->n_seen; i++) {
        if (strcmp(l->seen[i], path) == 0) {
            err_set(l->err, ERR_CONFIG, "%s is given twice; keep one of them.", path);
            return at_line(l, line);
        }
    }
    /* Only known paths get here, each once: the list cannot grow past the table. */
    l->seen = xreallocarray(l->seen, l->n_seen + 1, sizeof *l->seen);
    l->seen[l->n_seen++] = xstrdup(path);
    if (id >= 0)
        return load_value(l, id, is_file, path);

    if (next(l, &e) < 0)
        return -1;
    if (e.type == YAML_MAPPING_START_EVENT)
        rc = load_section(l, path);
    else if (e.type == YAML_SCALAR_EVENT && is_null(&e, OPTION_STRING))
        rc = 0;
    else {
        rc = err_set(l->err, ERR_CONFIG, "%s is a section; it must hold keys, indented below it.", path);
        at_line(l, line);
    }
    yaml_event_delete(&e);
    return rc;
}

/* After a mapping's start. Recursion ends with the table's depth, since every section on the way is a known one. */
static int load_section(struct loader *l, const char *section)
{
    yaml_event_t e;
    int rc = 0;

    for (;;) {
        bool end;

        if (next(l, &e) < 0)
            return -1;
        end = e.type == YAML_MAPPING_END_EVENT;
        if (!end && (e.type != YAML_SCALAR_EVENT || has_nul(&e))) {
            rc = err_set(l->err, ERR_CONFIG, "A key must be a text.");
            at_line(l, line_of(&e));
        } else if (!end)
            rc = load_key(l, section, text_of(&e), line_of(&e));
        yaml_event_delete(&e);
        if (end || rc < 0)
            return rc;
    }
}

static int load_document(struct loader *l)
{
    yaml_event_t e;
    int rc = 0;

    if (next(l, &e) < 0)
        return -1;
    if (e.type == YAML_MAPPING_START_EVENT)
        rc = load_section(l, "");
    else if (e.type != YAML_SCALAR_EVENT || !is_null(&e, OPTION_STRING)) {
        rc = err_set(l->err, ERR_CONFIG, "The file must hold keys and values, such as `source:`.");
        at_line(l, line_of(&e));
    }
    yaml_event_delete(&e);
    return rc;
}

/* The first event of the wanted type; 0 when the stream ended before. */
static int skip_to(struct loader *l, yaml_event_type_t type)
{
    for (;;) {
        yaml_event_t e;
        yaml_event_type_t got;

        if (next(l, &e) < 0)
            return -1;
        got = e.type;
        yaml_event_delete(&e);
        if (got == type || got == YAML_STREAM_END_EVENT)
            return got == type;
    }
}

static int loader_init(struct loader *l, struct options *o, const char *name, const void *bytes, size_t len,
                       struct err *err)
{
    memset(l, 0, sizeof *l);
    l->o = o;
    l->err = err;
    l->name = name;
    if (!yaml_parser_initialize(&l->parser))
        return err_set(err, ERR_BUG, "libyaml cannot be started.");
    yaml_parser_set_input_string(&l->parser, bytes ? bytes : (const unsigned char *)"", len);
    return 0;
}

static void loader_release(struct loader *l)
{
    for (size_t i = 0; i < l->n_seen; i++)
        free(l->seen[i]);
    free(l->seen);
    yaml_parser_delete(&l->parser);
}

int options_load_bytes(struct options *o, const char *name, const void *bytes, size_t len, struct err *err)
{
    struct loader l;
    int rc;

    if (len > OPTIONS_FILE_MAX)
        return err_set(err, ERR_CONFIG, "%s: is larger than %d bytes.", name, OPTIONS_FILE_MAX);
    free(o->file);
    o->file = xstrdup(name);
    if (loader_init(&l, o, name, bytes, len, err) < 0)
        return -1;
    rc = skip_to(&l, YAML_DOCUMENT_START_EVENT);
    if (rc > 0) {
        rc = load_document(&l);
        if (rc == 0 && (rc = skip_to(&l, YAML_DOCUMENT_START_EVENT)) > 0) {
            rc = err_set(err, ERR_CONFIG, "The file holds a second document; keep one.");
            at_line(&l, (int)l.parser.mark.line + 1);
        }
    }
    loader_release(&l);
    return rc;
}

int options_value_flow(struct options *o, int id, const char *text, struct err *err)
{
    bool list = option_at(id)->kind == OPTION_LIST;
    struct loader l;
    yaml_event_t e;
    int rc;

    if (*text != (list ? '[' : '{'))
        return err_set(err, ERR_CONFIG, list ? "must be a list: [first, second]." : "must be a map: {name: value}.");
    if (loader_init(&l, o, NULL, text, strlen(text), err) < 0)
        return -1;
    rc = skip_to(&l, YAML_DOCUMENT_START_EVENT) > 0 && next(&l, &e) == 0 ? 0 : -1;
    if (rc == 0) {
        yaml_event_delete(&e);
        rc = list ? load_list(&l, id) : load_map(&l, id);
    }
    /* What follows the list on the same line is an error of the parser, or a second document. */
    if (rc == 0 && (rc = skip_to(&l, YAML_DOCUMENT_START_EVENT)) > 0)
        rc = err_set(err, ERR_CONFIG, "has something behind its end.");
    loader_release(&l);
    return rc;
}
