#include "binlog/table_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "binlog/charset.h"
#include "binlog/value.h"

/* Tags of the optional metadata: Table_map_event::Optional_metadata_field_type. */
enum tag {
    TAG_SIGNEDNESS = 1,
    TAG_DEFAULT_CHARSET,
    TAG_COLUMN_CHARSET,
    TAG_COLUMN_NAME,
    TAG_SET_STR_VALUE,
    TAG_ENUM_STR_VALUE,
    TAG_GEOMETRY_TYPE,
    TAG_SIMPLE_PRIMARY_KEY,
    TAG_PRIMARY_KEY_WITH_PREFIX,
    TAG_ENUM_AND_SET_DEFAULT_CHARSET,
    TAG_ENUM_AND_SET_COLUMN_CHARSET,
    TAG_COLUMN_VISIBILITY,
    TAG_VECTOR_DIMENSIONALITY,
    TAGS
};

enum { COLLATION_BINARY = 63, MEMBERS_MAX = 65535, NAME_MAX_BYTES = 64 * 4 };

/* What is known while one event is parsed. */
struct parse {
    struct table_map *map;
    struct table_schema *schema;
    struct cursor tags[TAGS]; /* p is NULL for a tag that is not there */
    bool mariadb;
    struct err *err;
};

static int broken(struct parse *p, const char *what)
{
    return err_set(p->err, ERR_MALFORMED, "The table map of %s.%s has a broken %s", p->schema->database,
                   p->schema->table, what);
}

static int needs_full(struct parse *p, const char *what)
{
    return err_set(
        p->err, ERR_MYSQL_SETTING,
        "The table map of %s.%s comes without its %s; run SET PERSIST binlog_row_metadata = FULL (MariaDB: SET GLOBAL, "
        "and the same line in the server's configuration), and start from a position after that",
        p->schema->database, p->schema->table, what);
}

static int read_name(struct parse *p, struct cursor *c, const char **out, const char *what)
{
    uint64_t len = cursor_lenenc(c);
    const uint8_t *name = len <= NAME_MAX_BYTES ? cursor_bytes(c, (size_t)len + 1) : NULL;

    if (!name || name[len] || memchr(name, 0, (size_t)len) || utf8_valid(name, (size_t)len) != len)
        return err_set(p->err, ERR_MALFORMED, "A table map has a broken %s name", what);
    *out = arena_strndup(&p->schema->arena, name, (size_t)len);
    return 0;
}

static unsigned length_width(uint32_t length)
{
    return length > 255 ? 2 : 1;
}

static uint32_t blob_length(unsigned width)
{
    return width >= 4 ? UINT32_MAX : (1u << (8 * width)) - 1;
}

static void fixed(struct wire_column *w, unsigned bytes)
{
    w->skip = SKIP_FIXED;
    w->length_bytes = (uint8_t)bytes;
}

static void prefixed(struct wire_column *w, unsigned bytes)
{
    w->skip = SKIP_PREFIXED;
    w->length_bytes = (uint8_t)bytes;
}

static void integer(struct column *c, struct wire_column *w, unsigned bytes)
{
    c->kind = COLUMN_INT;
    c->width = (uint8_t)bytes;
    fixed(w, bytes);
}

static unsigned fraction_bytes(unsigned fsp)
{
    return (fsp + 1) / 2;
}

/* One column's type byte and its part of the metadata block. */
static int read_type(struct parse *p, size_t i, uint8_t type, struct cursor *meta)
{
    struct column *c = &p->schema->columns[i];
    struct wire_column *w = &p->map->columns[i];
    uint32_t m;
    unsigned bits;

    w->type = type;
    switch (type) {
    case WIRE_TINY:
        integer(c, w, 1);
        break;
    case WIRE_SHORT:
        integer(c, w, 2);
        break;
    case WIRE_INT24:
        integer(c, w, 3);
        break;
    case WIRE_LONG:
        integer(c, w, 4);
        break;
    case WIRE_LONGLONG:
        integer(c, w, 8);
        break;
    case WIRE_FLOAT:
    case WIRE_DOUBLE:
        m = cursor_u8(meta);
        c->kind = type == WIRE_FLOAT ? COLUMN_FLOAT : COLUMN_DOUBLE;
        c->width = (uint8_t)m;
        fixed(w, m);
        if (m != (type == WIRE_FLOAT ? 4 : 8))
            return broken(p, "width of a floating point column");
        break;
    case WIRE_YEAR:
        c->kind = COLUMN_YEAR;
        fixed(w, 1);
        break;
    case WIRE_DATE:
    case WIRE_NEWDATE:
        c->kind = COLUMN_DATE;
        fixed(w, 3);
        break;
    case WIRE_TIME:
        c->kind = COLUMN_TIME;
        fixed(w, 3);
        break;
    case WIRE_DATETIME:
        c->kind = COLUMN_DATETIME;
        fixed(w, 8);
        break;
    case WIRE_TIMESTAMP:
        c->kind = COLUMN_TIMESTAMP;
        fixed(w, 4);
        break;
    case WIRE_TIME2:
    case WIRE_DATETIME2:
    case WIRE_TIMESTAMP2:
        w->fsp = c->fsp = cursor_u8(meta);
        if (w->fsp > 6)
            return broken(p, "number of fractional digits");
        c->kind = type == WIRE_TIME2 ? COLUMN_TIME : type == WIRE_DATETIME2 ? COLUMN_DATETIME : COLUMN_TIMESTAMP;
        fixed(w, (type == WIRE_TIME2 ? 3 : type == WIRE_DATETIME2 ? 5 : 4) + fraction_bytes(w->fsp));
        break;
    case WIRE_NEWDECIMAL:
        c->kind = COLUMN_DECIMAL;
        c->precision = w->precision = cursor_u8(meta);
        c->scale = w->scale = cursor_u8(meta);
        if (!w->precision || w->precision > 65 || w->scale > w->precision || w->scale > 38)
            return broken(p, "precision of a decimal column");
        fixed(w, (unsigned)decimal_size(w->precision, w->scale));
        break;
    case WIRE_BIT:
        bits = cursor_u8(meta);
        bits += 8u * cursor_u8(meta);
        if (!bits || bits > 64)
            return broken(p, "length of a bit column");
        c->kind = COLUMN_BIT;
        c->length = bits;
        fixed(w, (bits + 7) / 8);
        break;
    case WIRE_VARCHAR:
    case WIRE_VAR_STRING:
    case WIRE_MARIA_VARCHAR_COMPRESSED:
        c->kind = COLUMN_STRING;
        c->length = cursor_u16le(meta);
        w->compressed = type == WIRE_MARIA_VARCHAR_COMPRESSED;
        prefixed(w, length_width(c->length));
        if (w->compressed && c->length)
            c->length--; /* one byte says how it is packed */
        break;
    case WIRE_BLOB:
    case WIRE_TINY_BLOB:
    case WIRE_MEDIUM_BLOB:
    case WIRE_LONG_BLOB:
    case WIRE_MARIA_BLOB_COMPRESSED:
    case WIRE_GEOMETRY:
    case WIRE_JSON:
    case WIRE_VECTOR:
        m = cursor_u8(meta);
        if (m < 1 || m > 4)
            return broken(p, "length width of a blob column");
        c->kind = type == WIRE_GEOMETRY ? COLUMN_GEOMETRY
                  : type == WIRE_JSON   ? COLUMN_JSON
                  : type == WIRE_VECTOR ? COLUMN_VECTOR
                                        : COLUMN_STRING;
        c->length = blob_length(m);
        w->compressed = type == WIRE_MARIA_BLOB_COMPRESSED;
        prefixed(w, m);
        break;
    case WIRE_STRING:
    case WIRE_ENUM:
    case WIRE_SET:
        /* CHAR, ENUM and SET: the real type, with two bits of the length of a CHAR above 255 folded into it. */
        w->type = cursor_u8(meta);
        m = cursor_u8(meta);
        if ((w->type & 0x30) != 0x30) {
            m |= (uint32_t)((w->type & 0x30) ^ 0x30) << 4;
            w->type |= 0x30;
        }
        if (w->type == WIRE_ENUM || w->type == WIRE_SET) {
            c->kind = w->type == WIRE_ENUM ? COLUMN_ENUM : COLUMN_SET;
            if (w->type == WIRE_ENUM ? m < 1 || m > 2 : m < 1 || m > 8)
                return broken(p, "width of an ENUM or SET column");
            fixed(w, m);
        } else if (w->type == WIRE_STRING) {
            c->kind = COLUMN_STRING;
            c->length = m;
            prefixed(w, length_width(m));
        } else {
            return err_set(p->err, ERR_UNSUPPORTED,
                           "Column %zu of %s.%s is a string of the unknown real type %u; update Pillion", i,
                           p->schema->database, p->schema->table, w->type);
        }
        break;
    default:
        return err_set(
            p->err, ERR_UNSUPPORTED,
            "Column %zu of %s.%s has the type code %u, which Pillion does not understand; update Pillion, or leave the "
            "table out",
            i, p->schema->database, p->schema->table, type);
    }
    return cursor_ok(meta) ? 0 : broken(p, "metadata block");
}

/* Columns that have a bit in the list of signs. YEAR has one on both vendors' servers (measured on MySQL 9.7,
 * MariaDB 10.11). */
static bool is_numeric(const struct column *c)
{
    return c->kind == COLUMN_INT || c->kind == COLUMN_DECIMAL || c->kind == COLUMN_FLOAT || c->kind == COLUMN_DOUBLE ||
           c->kind == COLUMN_YEAR;
}

static bool has_charset(const struct parse *p, const struct column *c)
{
    return c->kind == COLUMN_STRING || c->kind == COLUMN_VECTOR || (c->kind == COLUMN_GEOMETRY && p->mariadb);
}

static bool has_members(const struct parse *p, const struct column *c)
{
    (void)p;
    return c->kind == COLUMN_ENUM || c->kind == COLUMN_SET;
}

static int read_tags(struct parse *p, struct cursor *c)
{
    while (!cursor_done(c)) {
        uint8_t tag = cursor_u8(c);
        uint64_t len = cursor_lenenc(c);
        struct cursor field = cursor_sub(c, (size_t)len);

        if (!cursor_ok(c))
            return broken(p, "optional metadata");
        if (!tag || tag >= TAGS)
            return err_set(
                p->err, ERR_UNSUPPORTED,
                "The table map of %s.%s has metadata of the tag %u, which Pillion does not understand; update Pillion",
                p->schema->database, p->schema->table, tag);
        if (p->tags[tag].p)
            return broken(p, "optional metadata: a tag comes twice");
        p->tags[tag] = field;
    }
    return 0;
}

/* Bits are counted from the highest, over the numeric columns. */
static int apply_signedness(struct parse *p)
{
    struct cursor *c = &p->tags[TAG_SIGNEDNESS];
    size_t bit = 0;

    for (size_t i = 0; i < p->schema->n_columns; i++) {
        struct column *column = &p->schema->columns[i];

        if (!is_numeric(column))
            continue;
        if (!c->p)
            return needs_full(p, "signs of numbers");
        if (bit / 8 >= cursor_left(c))
            return broken(p, "list of signs");
        column->is_unsigned = column->kind != COLUMN_YEAR && c->p[bit / 8] & 0x80 >> bit % 8;
        bit++;
    }
    return 0;
}

/* Collations come as one default with exceptions, or one by one, counted over the columns that have one. */
static int apply_collations(struct parse *p, enum tag default_tag, enum tag list_tag,
                            bool (*has)(const struct parse *, const struct column *))
{
    struct cursor *defaults = &p->tags[default_tag], *list = &p->tags[list_tag];
    uint64_t other = 0, at = 0, exception = UINT64_MAX;

    if (defaults->p) {
        other = cursor_lenenc(defaults);
        if (!cursor_done(defaults))
            exception = cursor_lenenc(defaults);
    }
    for (size_t i = 0; i < p->schema->n_columns; i++) {
        struct column *c = &p->schema->columns[i];
        uint64_t collation = other;

        if (!has(p, c))
            continue;
        if (!defaults->p && !list->p)
            return needs_full(p, "character sets");
        if (list->p) {
            collation = cursor_lenenc(list);
        } else if (at == exception) {
            collation = cursor_lenenc(defaults);
            exception = cursor_done(defaults) ? UINT64_MAX : cursor_lenenc(defaults);
        }
        at++;
        if (!cursor_ok(list) || !cursor_ok(defaults) || collation > UINT16_MAX)
            return broken(p, "list of character sets");
        c->collation = (uint16_t)collation;
        if (c->kind == COLUMN_GEOMETRY || c->kind == COLUMN_VECTOR)
            c->collation = COLLATION_BINARY;
        if (!charset_of_collation(c->collation))
            return err_set(p->err, ERR_UNSUPPORTED,
                           "Column %zu of %s.%s has the collation %u, which Pillion does not know; update Pillion", i,
                           p->schema->database, p->schema->table, c->collation);
        if (c->kind == COLUMN_STRING && c->collation == COLLATION_BINARY) {
            c->kind = COLUMN_BYTES;
            c->is_fixed = p->map->columns[i].type == WIRE_STRING;
        }
    }
    if ((list->p && !cursor_done(list)) || (defaults->p && !cursor_done(defaults)))
        return broken(p, "list of character sets");
    return 0;
}

static int apply_names(struct parse *p)
{
    struct cursor *c = &p->tags[TAG_COLUMN_NAME];

    if (!c->p)
        return needs_full(p, "column names");
    for (size_t i = 0; i < p->schema->n_columns; i++) {
        uint64_t len = cursor_lenenc(c);
        const uint8_t *name = len && len <= NAME_MAX_BYTES ? cursor_bytes(c, (size_t)len) : NULL;

        if (!name || memchr(name, 0, (size_t)len) || utf8_valid(name, (size_t)len) != len)
            return broken(p, "list of column names");
        p->schema->columns[i].name = arena_strndup(&p->schema->arena, name, (size_t)len);
        if (!p->schema->columns[i].name)
            return broken(p, "list of column names");
    }
    return cursor_done(c) ? 0 : broken(p, "list of column names");
}

static int apply_members(struct parse *p, enum tag tag, enum column_kind kind)
{
    struct cursor *c = &p->tags[tag];
    struct buf text;
    int rc = -1;

    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < p->schema->n_columns; i++) {
        struct column *column = &p->schema->columns[i];
        uint64_t n;

        if (column->kind != kind)
            continue;
        if (!c->p) {
            needs_full(p, "ENUM and SET members");
            goto out;
        }
        n = cursor_lenenc(c);
        if (n > MEMBERS_MAX || n > cursor_left(c) || (kind == COLUMN_SET && n > 64)) {
            broken(p, "list of members");
            goto out;
        }
        column->members = arena_alloc(&p->schema->arena, (size_t)n * sizeof *column->members + 1);
        column->n_members = (size_t)n;
        for (size_t j = 0; j < n; j++) {
            uint64_t len = cursor_lenenc(c);
            const uint8_t *bytes = cursor_bytes(c, (size_t)len);

            if (!bytes || !column->members) {
                broken(p, "list of members");
                goto out;
            }
            buf_clear(&text);
            if (charset_to_utf8(charset_of_collation(column->collation), bytes, (size_t)len, &text, p->err)) {
                err_prefix(p->err, "member %zu of column %zu of %s.%s", j, i, p->schema->database, p->schema->table);
                goto out;
            }
            column->members[j] = arena_strndup(&p->schema->arena, text.data, text.len);
            if (!column->members[j]) {
                broken(p, "list of members");
                goto out;
            }
        }
    }
    if (c->p && !cursor_done(c))
        broken(p, "list of members");
    else
        rc = 0;
out:
    buf_release(&text);
    return rc;
}

static int apply_key(struct parse *p)
{
    enum tag tag = p->tags[TAG_SIMPLE_PRIMARY_KEY].p ? TAG_SIMPLE_PRIMARY_KEY : TAG_PRIMARY_KEY_WITH_PREFIX;
    struct cursor *c = &p->tags[tag];

    if (!c->p)
        return 0;
    p->schema->key = arena_alloc(&p->schema->arena, p->schema->n_columns * sizeof *p->schema->key);
    while (!cursor_done(c)) {
        uint64_t at = cursor_lenenc(c);

        if (tag == TAG_PRIMARY_KEY_WITH_PREFIX)
            (void)cursor_lenenc(c); /* of the index alone: the whole column identifies the row as well */
        if (!cursor_ok(c) || !p->schema->key || at >= p->schema->n_columns || p->schema->columns[at].key_part >= 0)
            return broken(p, "primary key");
        p->schema->columns[at].key_part = (int)p->schema->n_key;
        p->schema->key[p->schema->n_key++] = (size_t)at;
    }
    return 0;
}

static int apply_visibility(struct parse *p)
{
    struct cursor *c = &p->tags[TAG_COLUMN_VISIBILITY];

    for (size_t i = 0; i < p->schema->n_columns; i++) {
        p->schema->columns[i].visible = true;
        if (!c->p)
            continue;
        if (i / 8 >= cursor_left(c))
            return broken(p, "list of visible columns");
        p->schema->columns[i].visible = c->p[i / 8] & 0x80 >> i % 8;
    }
    return 0;
}

static int apply_dimensions(struct parse *p)
{
    struct cursor *c = &p->tags[TAG_VECTOR_DIMENSIONALITY];

    for (size_t i = 0; c->p && i < p->schema->n_columns; i++) {
        uint64_t n;

        if (p->schema->columns[i].kind != COLUMN_VECTOR)
            continue;
        n = cursor_lenenc(c);
        if (!cursor_ok(c) || n > 16384)
            return broken(p, "vector length");
        p->schema->columns[i].length = (uint32_t)n * 4;
    }
    return 0;
}

/* The event from the table id on. */
static int parse_names(struct parse *p, struct cursor *c)
{
    cursor_skip(c, 2); /* flags */
    return read_name(p, c, &p->schema->database, "database") || read_name(p, c, &p->schema->table, "table") ? -1 : 0;
}

static int parse_body(struct parse *p, struct cursor c)
{
    struct table_schema *s = p->schema;
    const uint8_t *types, *nullable;
    struct cursor meta;
    uint64_t n;

    if (parse_names(p, &c))
        return -1;
    n = cursor_lenenc(&c);
    if (!n || n > TABLE_SCHEMA_COLUMNS_MAX)
        return broken(p, "number of columns");
    types = cursor_bytes(&c, (size_t)n);
    meta = cursor_sub(&c, (size_t)cursor_lenenc(&c));
    nullable = cursor_bytes(&c, ((size_t)n + 7) / 8);
    if (!cursor_ok(&c) || !types || !nullable)
        return err_set(p->err, ERR_TRUNCATED, "The table map of %s.%s ends too early", s->database, s->table);
    s->n_columns = p->map->n_columns = (size_t)n;
    s->columns = arena_alloc(&s->arena, (size_t)n * sizeof *s->columns);
    p->map->columns = arena_alloc(&s->arena, (size_t)n * sizeof *p->map->columns);
    for (size_t i = 0; i < n; i++) {
        s->columns[i].name = "";
        s->columns[i].key_part = -1;
        s->columns[i].nullable = nullable[i / 8] >> i % 8 & 1;
        if (read_type(p, i, types[i], &meta))
            return -1;
    }
    if (!cursor_done(&meta))
        return broken(p, "metadata block");
    if (read_tags(p, &c) || apply_names(p) || apply_signedness(p) ||
        apply_collations(p, TAG_DEFAULT_CHARSET, TAG_COLUMN_CHARSET, has_charset) ||
        apply_collations(p, TAG_ENUM_AND_SET_DEFAULT_CHARSET, TAG_ENUM_AND_SET_COLUMN_CHARSET, has_members) ||
        apply_members(p, TAG_ENUM_STR_VALUE, COLUMN_ENUM) || apply_members(p, TAG_SET_STR_VALUE, COLUMN_SET) ||
        apply_key(p) || apply_visibility(p) || apply_dimensions(p))
        return -1;
    table_schema_seal(s);
    return 0;
}

static uint64_t hash_body(const uint8_t *p, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u ^ len;

    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;

        memcpy(&word, p, sizeof word);
        h = (h ^ word) * 0x9fb21c651e98df25u;
        h ^= h >> 32;
    }
    while (len--)
        h = (h ^ *p++) * 0x100000001b3u;
    return h ^ h >> 29;
}

enum shape { SHAPE_MYSQL, SHAPE_MARIADB, SHAPE_OPAQUE };

static int parse(struct table_map **out, struct cursor body, size_t table_id_width, enum shape shape, struct err *err)
{
    struct table_map *map = xcalloc(1, sizeof *map);
    struct parse p = {.map = map, .mariadb = shape == SHAPE_MARIADB, .err = err};

    *out = NULL;
    map->references = 1;
    map->schema = p.schema = table_schema_new();
    map->body_len = cursor_left(&body);
    map->body = xmemdup(body.p, map->body_len);
    map->table_id = cursor_le(&body, table_id_width);
    map->bytes_hash = hash_body(body.p, cursor_left(&body));
    map->opaque = shape == SHAPE_OPAQUE;
    if (map->opaque ? parse_names(&p, &body) : parse_body(&p, body)) {
        table_map_free(map);
        return -1;
    }
    *out = map;
    return 0;
}

int table_map_parse(struct table_map **out, struct cursor body, size_t table_id_width, struct err *err)
{
    return parse(out, body, table_id_width, SHAPE_MYSQL, err);
}

int table_map_parse_mariadb(struct table_map **out, struct cursor body, size_t table_id_width, struct err *err)
{
    return parse(out, body, table_id_width, SHAPE_MARIADB, err);
}

int table_map_parse_names(struct table_map **out, struct cursor body, size_t table_id_width, struct err *err)
{
    return parse(out, body, table_id_width, SHAPE_OPAQUE, err);
}

struct table_map *table_map_keep(const struct table_map *t)
{
    struct table_map *map;

    memcpy(&map, &t, sizeof map); /* the count is no part of what readers see */
    map->references++;
    return map;
}

void table_map_free(struct table_map *t)
{
    void *body;

    if (!t || --t->references)
        return;
    table_schema_free(t->schema);
    memcpy(&body, &t->body, sizeof body);
    free(body);
    free(t);
}
