/* Binlogs of real servers: what the encoder writes and a reader finds equals what the boxed reader of binlog/ makes of
 * the same rows, in both profiles, with whole and partial updates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "avro/avro_json.h"
#include "avro/table_codec.h"
#include "base/arena.h"
#include "base/mem.h"
#include "binlog/decoder.h"
#include "binlog/file.h"

enum { COLUMNS_MAX = 256, TABLES_MAX = 64 };

struct known {
    struct table_map *table;
    struct table_codec *codec;
    struct envelope_reader *reader;
};

struct run {
    enum avro_profile profile;
    struct known tables[TABLES_MAX];
    size_t n_tables;
    struct arena arena;
    size_t rows, partial, incomplete;
};

static struct known *table_of(struct run *run, const struct table_map *table)
{
    struct table_codec_options options = {.profile = run->profile,
                                          .bigint_unsigned = UNSIGNED_DECIMAL,
                                          .zero_dates =
                                              run->profile == AVRO_PROFILE_NATIVE ? ZERO_DATE_EPOCH : ZERO_DATE_NULL,
                                          .topic = "t.d.t",
                                          .server_name = "t",
                                          .connector = "mysql"};
    struct err err = ERR_INIT;
    struct known *k;
    const char *schema;

    for (size_t i = 0; i < run->n_tables; i++)
        if (run->tables[i].table == table)
            return &run->tables[i];
    assert_in_range(run->n_tables, 0, TABLES_MAX - 1);
    k = &run->tables[run->n_tables++];
    k->table = table_map_keep(table);
    k->codec = table_codec_new(table, &options, &err);
    if (!k->codec)
        fail_msg("%s", err.text);
    schema = table_codec_value_schema(k->codec);
    k->reader = envelope_reader_new(schema, strlen(schema), &err);
    if (!k->reader)
        fail_msg("%s", err.text);
    return k;
}

static void same_text(const char *column, const char *want, const char *got)
{
    if (strcmp(want, got) != 0)
        fail_msg("column %s: the row has %s, the record %s", column, want, got);
}

/* The text of a date or time as the server prints it, from the JSON form. */
static char *server_text(const struct field_value *v, unsigned fsp, struct buf *b)
{
    struct err err = ERR_INIT;
    char *text, *s;

    buf_clear(b);
    assert_int_equal(avro_json_value(b, v, &err), 0);
    text = xstrdup(buf_cstr(b) + 1);
    text[strlen(text) - 1] = '\0';
    s = strchr(text, 'T');
    if (s)
        *s = ' ';
    s = strchr(text, '.');
    if (s)
        s[fsp ? fsp + 1 : 0] = '\0';
    return text;
}

static bool is_date(const struct column *c)
{
    return c->kind == COLUMN_DATE || c->kind == COLUMN_DATETIME || c->kind == COLUMN_TIMESTAMP;
}

/* Zero dates, and days like February 30 that ALLOW_INVALID_DATES lets in. */
static bool no_such_day(const char *text)
{
    struct tm tm = {0}, was;

    if (sscanf(text, "%d-%d-%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3)
        return true;
    if (tm.tm_year == 0 || tm.tm_mon == 0)
        return true;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    was = tm;
    (void)timegm(&tm);
    return was.tm_mday != tm.tm_mday;
}

static void check_bits(const struct column *c, uint64_t want, const struct field_value *got, bool debezium)
{
    uint64_t bits = 0;

    if (c->length == 1) {
        assert_int_equal(got->kind, FIELD_BOOL);
        assert_int_equal(got->as.b, want);
        return;
    }
    assert_int_equal(got->kind, FIELD_BYTES);
    for (size_t i = 0; i < got->as.data.len; i++)
        bits = bits << 8 | got->as.data.bytes[debezium ? got->as.data.len - 1 - i : i];
    assert_int_equal(bits, want);
}

static void check_value(const struct column *c, const struct value *want, const struct field_value *got, bool debezium,
                        struct buf *b)
{
    struct err err = ERR_INIT;
    char *a, *text;

    if (want->kind == VALUE_NULL) {
        assert_int_equal(got->kind, FIELD_NULL);
        return;
    }
    if (is_date(c)) {
        a = xstrndup((const char *)want->as.data.bytes, want->as.data.len);
        if (no_such_day(a)) {
            assert_true(got->kind == FIELD_NULL || got->as.i == 0);
        } else {
            text = server_text(got, c->fsp, b);
            same_text(c->name, a, text);
            free(text);
        }
        free(a);
        return;
    }
    assert_int_not_equal(got->kind, FIELD_NULL);
    switch (c->kind) {
    case COLUMN_INT:
        if (got->kind == FIELD_DECIMAL) {
            char number[32];

            buf_clear(b);
            assert_int_equal(avro_json_decimal(b, got->as.data.bytes, got->as.data.len, 0, &err), 0);
            snprintf(number, sizeof number, "%llu", (unsigned long long)want->as.u);
            same_text(c->name, number, buf_cstr(b));
            break;
        }
        assert_int_equal(got->as.i, want->as.i);
        break;
    case COLUMN_YEAR:
        assert_int_equal(got->as.i, want->as.i);
        break;
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
        assert_memory_equal(&got->as.d, &want->as.d, sizeof got->as.d);
        break;
    case COLUMN_BIT:
        check_bits(c, want->as.u, got, debezium);
        break;
    case COLUMN_DECIMAL:
        buf_clear(b);
        assert_int_equal(avro_json_decimal(b, got->as.data.bytes, got->as.data.len, got->scale, &err), 0);
        a = xstrndup((const char *)want->as.data.bytes, want->as.data.len);
        same_text(c->name, a, buf_cstr(b));
        free(a);
        break;
    case COLUMN_TIME:
        a = xstrndup((const char *)want->as.data.bytes, want->as.data.len);
        text = server_text(got, c->fsp, b);
        same_text(c->name, a, text);
        free(text);
        free(a);
        break;
    case COLUMN_GEOMETRY:
        if (debezium) {
            assert_int_equal(got->kind, FIELD_JSON);
            break;
        }
        assert_int_equal(got->as.data.len, want->as.data.len);
        assert_memory_equal(got->as.data.bytes, want->as.data.bytes, want->as.data.len);
        break;
    case COLUMN_VECTOR: {
        size_t n = 0;

        assert_int_equal(got->kind, FIELD_JSON);
        for (size_t i = 0; i < got->as.data.len; i++)
            n += got->as.data.bytes[i] == ',';
        assert_int_equal((n + 1) * 4, want->as.data.len);
        break;
    }
    default: /* texts and bytes */
        assert_int_equal(got->as.data.len, want->as.data.len);
        if (want->as.data.len)
            assert_memory_equal(got->as.data.bytes, want->as.data.bytes, want->as.data.len);
        break;
    }
}

static void check_image(struct run *run, struct known *k, bool has, struct cursor image, const struct value *want)
{
    const struct table_schema *schema = k->table->schema;
    struct field_value got[COLUMNS_MAX];
    struct err err = ERR_INIT;
    struct buf b;

    assert_int_equal(has, want != NULL);
    if (!want)
        return;
    buf_init(&b, 16 << 20);
    if (envelope_read_row(k->reader, image, got, &err) != 0)
        fail_msg("%s.%s: %s", schema->database, schema->table, err.text);
    for (size_t i = 0; i < schema->n_columns; i++)
        check_value(&schema->columns[i], &want[i], &got[i], run->profile == AVRO_PROFILE_DEBEZIUM, &b);
    buf_release(&b);
}

/* Boxes the images at rows->data without moving it. */
static void box(struct run *run, struct rows rows, struct value *before, struct value *after)
{
    struct row_image image;
    struct err err = ERR_INIT;

    arena_clear(&run->arena);
    if (rows.op != CHANGE_INSERT && (row_image_begin(&image, &rows, rows.before_present, &err) != 0 ||
                                     row_image_values(&image, &rows, NULL, before, &run->arena, &err) != 0))
        fail_msg("%s", err.text);
    if (rows.op != CHANGE_DELETE &&
        (row_image_begin(&image, &rows, rows.after_present, &err) != 0 ||
         row_image_values(&image, &rows, rows.op == CHANGE_UPDATE ? before : NULL, after, &run->arena, &err) != 0))
        fail_msg("%s", err.text);
}

static void on_rows(struct run *run, struct item *item)
{
    struct known *k = table_of(run, item->table);
    struct value before[COLUMNS_MAX], after[COLUMNS_MAX];
    struct err err = ERR_INIT;
    uint64_t index = item->first_index;
    bool whole = (item->rows.op == CHANGE_INSERT || item->rows.all_before) &&
                 (item->rows.op == CHANGE_DELETE || item->rows.all_after);

    assert_in_range(k->table->schema->n_columns, 1, COLUMNS_MAX);
    assert_int_equal(table_codec_begin_event(k->codec, item->source, 1, &err), 0);
    for (; rows_left(&item->rows); index++) {
        struct table_records records;

        if (!whole) {
            assert_int_equal(table_codec_encode_row(k->codec, &item->rows, index, &records, &err), -1);
            assert_int_equal(err.code, ERR_UNSUPPORTED);
            assert_non_null(strstr(err.text, "binlog_row_image=FULL"));
            run->incomplete++;
            return;
        }
        box(run, item->rows, before, after);
        run->partial += item->rows.partial;
        if (table_codec_encode_row(k->codec, &item->rows, index, &records, &err) != 0)
            fail_msg("%s", err.text);
        for (size_t i = 0; i < records.n; i++) {
            const struct table_record *r = &records.records[i];
            struct envelope e;

            if (envelope_read(k->reader, cursor_of(r->value + 5, r->value_len - 5), &e, &err) != 0)
                fail_msg("%s", err.text);
            check_image(run, k, e.has_before, e.before, r->op == 'c' ? NULL : before);
            check_image(run, k, e.has_after, e.after, r->op == 'd' ? NULL : after);
        }
        run->rows++;
    }
}

static void replay(struct run *run, const char *name)
{
    struct decoder_options options = {.server_name = "t", .xa_at_prepare = true};
    struct decoder *decoder = decoder_new(&options);
    struct position start;
    struct binlog_file f;
    struct err err = ERR_INIT;
    const uint8_t *event;
    struct item item;
    char path[512];
    size_t len;

    snprintf(path, sizeof path, FIXTURES "/binlog/%s.bin", name);
    if (binlog_file_open(&f, path, &err))
        fail_msg("%s", err.text);
    position_init(&start);
    strcpy(start.file, name);
    start.offset = 4;
    decoder_start_at(decoder, &start);
    for (;;) {
        if (binlog_file_next(&f, &event, &len, &err) || (event && decoder_feed(decoder, event, len, &err)))
            fail_msg("%s: %s", name, err.text);
        if (!event)
            break;
        for (;;) {
            if (decoder_next(decoder, &item, &err))
                fail_msg("%s: %s", name, err.text);
            if (item.kind == ITEM_NONE)
                break;
            if (item.kind == ITEM_ROWS)
                on_rows(run, &item);
        }
    }
    binlog_file_close(&f);
    position_release(&start);
    decoder_free(decoder);
}

static void check(const char *name, enum avro_profile profile, size_t rows, bool partial)
{
    struct run run = {.profile = profile};

    arena_init(&run.arena, 256 << 20);
    replay(&run, name);
    if (run.rows < rows)
        fail_msg("%s gave only %zu rows (%zu incomplete)", name, run.rows, run.incomplete);
    assert_int_equal(run.partial > 0, partial);
    for (size_t i = 0; i < run.n_tables; i++) {
        envelope_reader_free(run.tables[i].reader);
        table_codec_free(run.tables[i].codec);
        table_map_free(run.tables[i].table);
    }
    arena_release(&run.arena);
}

static void test_mysql(void **state)
{
    (void)state;
    for (int profile = 0; profile < 2; profile++) {
        check("mysql_types", (enum avro_profile)profile, 10, false);
        check("mysql_statements", (enum avro_profile)profile, 5, false);
        check("mysql_own", (enum avro_profile)profile, 5, true);
        check("mysql_no_checksum", (enum avro_profile)profile, 1, false);
    }
}

static void test_mariadb(void **state)
{
    (void)state;
    for (int profile = 0; profile < 2; profile++) {
        check("mariadb_types", (enum avro_profile)profile, 10, false);
        check("mariadb_statements", (enum avro_profile)profile, 5, false);
        check("mariadb_own", (enum avro_profile)profile, 5, false);
        check("mariadb_no_checksum", (enum avro_profile)profile, 1, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mysql), cmocka_unit_test(test_mariadb)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
