/* dump: what a decoder gives, as JSON lines, for tests to compare. */
#ifndef PILLION_TESTS_DUMP_H
#define PILLION_TESTS_DUMP_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "binlog/charset.h"
#include "binlog/decoder.h"
#include "binlog/file.h"

static inline void dump_string(struct buf *out, const void *bytes, size_t len)
{
    const uint8_t *s = bytes;

    buf_put_u8(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"' || s[i] == '\\')
            buf_putf(out, "\\%c", s[i]);
        else if (s[i] < 0x20)
            buf_putf(out, "\\u%04x", s[i]);
        else
            buf_put_u8(out, s[i]);
    }
    buf_put_u8(out, '"');
}

static inline void dump_value(struct buf *out, const struct value *v)
{
    switch (v->kind) {
    case VALUE_NULL:
        buf_put_str(out, "null");
        break;
    case VALUE_ABSENT:
        buf_put_str(out, "\"<absent>\"");
        break;
    case VALUE_INT:
        buf_putf(out, "%" PRId64, v->as.i);
        break;
    case VALUE_UINT:
        buf_putf(out, "%" PRIu64, v->as.u);
        break;
    case VALUE_FLOAT:
        buf_putf(out, "%.9g", v->as.d);
        break;
    case VALUE_DOUBLE:
        buf_putf(out, "%.17g", v->as.d);
        break;
    case VALUE_TEXT:
        if (v->as.data.len > 200)
            buf_putf(out, "\"text of %zu bytes\"", v->as.data.len);
        else
            dump_string(out, v->as.data.bytes, v->as.data.len);
        break;
    case VALUE_BYTES:
        buf_put_str(out, "\"0x");
        for (size_t i = 0; i < v->as.data.len && i < 200; i++)
            buf_putf(out, "%02x", v->as.data.bytes[i]);
        if (v->as.data.len > 200)
            buf_putf(out, "... %zu bytes", v->as.data.len);
        buf_put_u8(out, '"');
        break;
    }
}

static inline void dump_row(struct buf *out, const char *name, const struct table_schema *t, const struct value *values)
{
    buf_putf(out, ", \"%s\": {", name);
    for (size_t i = 0; i < t->n_columns; i++) {
        buf_putf(out, "%s\"%s\": ", i ? ", " : "", t->columns[i].name);
        dump_value(out, &values[i]);
    }
    buf_put_u8(out, '}');
}

static inline void dump_table(struct buf *out, const struct table_schema *t)
{
    buf_putf(out, "{\"item\": \"table\", \"name\": \"%s.%s\", \"columns\": [", t->database, t->table);
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct column *c = &t->columns[i];

        buf_putf(out, "%s\"%s %s", i ? ", " : "", c->name, column_kind_name(c->kind));
        if (c->kind == COLUMN_INT)
            buf_putf(out, "%d", c->width * 8);
        if (c->is_unsigned)
            buf_put_str(out, " unsigned");
        if (c->kind == COLUMN_DECIMAL)
            buf_putf(out, "(%u,%u)", c->precision, c->scale);
        if (c->fsp)
            buf_putf(out, "(%u)", c->fsp);
        if (c->length)
            buf_putf(out, " length %u", c->length);
        if (c->is_fixed)
            buf_put_str(out, " fixed");
        if (c->kind == COLUMN_STRING || c->kind == COLUMN_ENUM || c->kind == COLUMN_SET)
            buf_putf(out, " %s", charset_name(charset_of_collation(c->collation)));
        for (size_t j = 0; j < c->n_members && j < 9; j++)
            buf_putf(out, "%s%s%s", j ? "," : " (", c->members[j], j + 1 == c->n_members ? ")" : "");
        buf_putf(out, "%s%s\"", c->nullable ? "" : " not null", c->visible ? "" : " invisible");
    }
    buf_put_str(out, "], \"key\": [");
    for (size_t i = 0; i < t->n_key; i++)
        buf_putf(out, "%s\"%s\"", i ? ", " : "", t->columns[t->key[i]].name);
    buf_put_str(out, "]}\n");
}

static inline int dump_rows(struct buf *out, struct item *item, struct err *err)
{
    struct rows *r = &item->rows;
    size_t n = r->table->n_columns;
    struct value *before = calloc(n, sizeof *before), *after = calloc(n, sizeof *after);
    struct arena arena;
    int rc = -1;

    arena_init(&arena, 1 << 30);
    while (rows_left(r)) {
        struct row_image image;

        arena_clear(&arena);
        buf_putf(out, "{\"item\": \"%c\", \"table\": \"%s.%s\", \"index\": %" PRIu64, r->op, r->table->schema->database,
                 r->table->schema->table, item->first_index + r->row);
        if (r->before_present) {
            if (row_image_begin(&image, r, r->before_present, err) ||
                row_image_values(&image, r, NULL, before, &arena, err))
                goto done;
            dump_row(out, "before", r->table->schema, before);
        }
        if (r->after_present) {
            if (row_image_begin(&image, r, r->after_present, err) ||
                row_image_values(&image, r, r->before_present ? before : NULL, after, &arena, err))
                goto done;
            dump_row(out, "after", r->table->schema, after);
        }
        buf_put_str(out, "}\n");
        r->row++;
    }
    rc = 0;
done:
    arena_release(&arena);
    free(before);
    free(after);
    return rc;
}

/* Times and offsets are left out: they are others in each recording. */
static inline int dump_item(struct buf *out, struct item *item, struct decoder *d, struct err *err)
{
    static const char *const kinds[] = {"create table and the like",
                                        "create table",
                                        "alter table",
                                        "drop table",
                                        "rename table",
                                        "truncate table",
                                        "database",
                                        "admin",
                                        "dml"};

    switch (item->kind) {
    case ITEM_NONE:
        return 0;
    case ITEM_BEGIN:
        buf_putf(out, "{\"item\": \"begin\", \"gtid\": \"%s\"}\n", item->source->gtid_text);
        return 0;
    case ITEM_TABLE:
        dump_table(out, item->table->schema);
        return 0;
    case ITEM_ROWS:
        if (item->source->query) {
            buf_put_str(out, "{\"item\": \"query\", \"sql\": ");
            dump_string(out, item->source->query, strlen(item->source->query));
            buf_put_str(out, "}\n");
        }
        return dump_rows(out, item, err);
    case ITEM_STATEMENT:
        buf_putf(out, "{\"item\": \"%s\", \"table\": \"%s.%s\", \"sql\": ",
                 item->statement.kind == STATEMENT_OTHER_DDL ? "other ddl" : kinds[item->statement.kind],
                 item->statement.table_database, item->statement.table);
        dump_string(out, item->statement.sql, item->statement.sql_len);
        buf_put_str(out, "}\n");
        return 0;
    case ITEM_COMMIT:
        buf_put_str(out, "{\"item\": \"commit\", \"gtids\": \"");
        gtid_set_format(decoder_position(d)->gtids, out);
        buf_put_str(out, "\"}\n");
        return 0;
    case ITEM_ROTATE:
        buf_put_str(out, "{\"item\": \"rotate\"}\n");
        return 0;
    case ITEM_HEARTBEAT:
        buf_put_str(out, "{\"item\": \"heartbeat\"}\n");
        return 0;
    }
    return 0;
}

static inline int dump_event(struct buf *out, struct decoder *d, const uint8_t *event, size_t len, struct err *err)
{
    static struct item item; /* as a caller has it: the same one for all */

    if (decoder_feed(d, event, len, err))
        return -1;
    do {
        if (decoder_next(d, &item, err) || dump_item(out, &item, d, err))
            return -1;
    } while (item.kind != ITEM_NONE);
    return 0;
}

static inline int dump_file(struct buf *out, const char *path, const struct decoder_options *options, struct err *err)
{
    struct binlog_file f;
    struct decoder *d = decoder_new(options);
    struct position at;
    const uint8_t *event;
    size_t len;
    int rc = -1;

    position_init(&at);
    if (binlog_file_open(&f, path, err))
        goto closed;
    at.flavor = GTID_FILE;
    at.offset = f.offset;
    snprintf(at.file, sizeof at.file, "%s", binlog_file_name(&f));
    decoder_start_at(d, &at);
    do {
        if (binlog_file_next(&f, &event, &len, err) || (event && dump_event(out, d, event, len, err)))
            goto done;
    } while (event);
    rc = 0;
done:
    binlog_file_close(&f);
closed:
    position_release(&at);
    decoder_free(d);
    return rc;
}

#endif
