/* Recordings of real servers (tests/fixtures/binlog), decoded: against their expectations, and against what the server
 * itself shows of the same values (tables NAME and NAME_text, see types.sql). With --write it makes the expectations
 * anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "unit/binlog/recordings.h"

static bool write_them;

static void read_whole(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    int c;

    buf_clear(out);
    while (f && (c = fgetc(f)) != EOF)
        buf_put_u8(out, (uint8_t)c);
    if (f)
        fclose(f);
}

static void decodes_as_expected(void **state)
{
    struct buf got, expected;

    (void)state;
    buf_init(&got, 1 << 30);
    buf_init(&expected, 1 << 30);
    for (size_t i = 0; i < RECORDINGS; i++) {
        char path[512];
        struct err err = ERR_INIT;

        buf_clear(&got);
        snprintf(path, sizeof path, FIXTURES "/binlog/%s.bin", recordings[i]);
        if (dump_file(&got, path, NULL, &err))
            fail_msg("%s: %s", recordings[i], err.text);
        snprintf(path, sizeof path, FIXTURES "/binlog/%s.expect.jsonl", recordings[i]);
        if (write_them) {
            FILE *f = fopen(path, "wb");

            assert_non_null(f);
            fwrite(got.data, 1, got.len, f);
            fclose(f);
        }
        read_whole(path, &expected);
        if (got.len != expected.len || memcmp(got.data, expected.data, got.len)) {
            const char *a = buf_cstr(&got), *b = buf_cstr(&expected);
            size_t line = 1, at = 0, begin = 0;

            for (; a[at] && a[at] == b[at]; at++)
                if (a[at] == '\n') {
                    line++;
                    begin = at + 1;
                }
            fail_msg("%s, line %zu: got\n%.600s\nexpected\n%.600s", path, line, a + begin, b + begin);
        }
    }
    buf_release(&got);
    buf_release(&expected);
}

/* -- twins -- */

struct seen_row {
    struct seen_row *next;
    char *table;
    int64_t id;
    size_t n;
    char **names;
    char **texts; /* NULL for NULL */
};

static char *text_of(const struct value *v)
{
    char *hex;

    switch (v->kind) {
    case VALUE_INT:
        return xasprintf("%" PRId64, v->as.i);
    case VALUE_UINT:
        return xasprintf("%" PRIu64, v->as.u);
    case VALUE_TEXT:
        return xstrndup((const char *)v->as.data.bytes, v->as.data.len);
    case VALUE_BYTES:
        hex = xcalloc(v->as.data.len * 2 + 1, 1);
        for (size_t i = 0; i < v->as.data.len; i++)
            sprintf(hex + 2 * i, "%02x", v->as.data.bytes[i]);
        return hex;
    case VALUE_FLOAT:
    case VALUE_DOUBLE:
        return xasprintf("%.17g", v->as.d);
    case VALUE_NULL:
    case VALUE_ABSENT:
        break;
    }
    return NULL;
}

static void free_row(struct seen_row *row)
{
    for (size_t i = 0; i < row->n; i++) {
        free(row->names[i]);
        free(row->texts[i]);
    }
    free(row->names);
    free(row->texts);
    free(row->table);
    free(row);
}

static void remember(struct seen_row **all, const struct table_schema *t, const struct value *v)
{
    struct seen_row *row = xcalloc(1, sizeof *row);

    row->table = xstrdup(t->table);
    row->id = v[0].as.i;
    row->n = t->n_columns;
    row->names = xcalloc(row->n, sizeof *row->names);
    row->texts = xcalloc(row->n, sizeof *row->texts);
    for (size_t i = 0; i < row->n; i++) {
        row->names[i] = xstrdup(t->columns[i].name);
        row->texts[i] = text_of(&v[i]);
    }
    row->next = *all;
    *all = row;
}

static size_t compare_twin(const struct seen_row *all, const struct table_schema *t, const struct value *v)
{
    size_t len = strlen(t->table) - strlen("_text"), n = 0;

    while (all && !(strlen(all->table) == len && !strncmp(all->table, t->table, len) && all->id == v[0].as.i))
        all = all->next;
    if (!all)
        fail_msg("%s has row %lld without a twin", t->table, (long long)v[0].as.i);
    for (size_t i = 1; i < t->n_columns; i++) {
        for (size_t j = 0; j < all->n; j++) {
            char *shown;

            if (strcmp(all->names[j], t->columns[i].name))
                continue;
            shown = text_of(&v[i]);
            if (!shown != !all->texts[j] || (shown && strcmp(shown, all->texts[j])))
                fail_msg("%s %lld, column %s: decoded as\n%s\nthe server shows\n%s", t->table, (long long)v[0].as.i,
                         all->names[j], all->texts[j] ? all->texts[j] : "NULL", shown ? shown : "NULL");
            free(shown);
            n++;
        }
    }
    return n;
}

static size_t check_rows(struct rows *r, struct seen_row **all)
{
    const struct table_schema *t = r->table->schema;
    struct value *values[2] = {xcalloc(t->n_columns, sizeof **values), xcalloc(t->n_columns, sizeof **values)};
    bool is_text = strlen(t->table) > 5 && !strcmp(t->table + strlen(t->table) - 5, "_text");
    struct arena arena;
    size_t n = 0;

    arena_init(&arena, 1 << 30);
    for (; rows_left(r); r->row++) {
        const uint8_t *images[2] = {r->before_present, r->after_present};
        struct err err = ERR_INIT;

        arena_clear(&arena);
        for (int i = 0; i < 2; i++) {
            struct row_image image;

            if (images[i] && (row_image_begin(&image, r, images[i], &err) ||
                              row_image_values(&image, r, i && images[0] ? values[0] : NULL, values[i], &arena, &err)))
                fail_msg("%s", err.text);
        }
        if (!images[1] || !r->all_after)
            continue;
        if (is_text)
            n += compare_twin(*all, t, values[1]);
        else if (t->columns[0].kind == COLUMN_INT)
            remember(all, t, values[1]);
    }
    arena_release(&arena);
    free(values[0]);
    free(values[1]);
    return n;
}

static void values_are_what_the_server_shows(void **state)
{
    size_t compared = 0;

    (void)state;
    for (size_t i = 0; i < RECORDINGS; i++) {
        struct recording r;
        struct decoder *d = decoder_new(NULL);
        struct seen_row *all = NULL;
        struct err err = ERR_INIT;
        struct item item;

        recording_load(&r, recordings[i]);
        for (size_t e = 0; e < r.n; e++) {
            if (decoder_feed(d, r.events[e].bytes, r.events[e].len, &err))
                fail_msg("%s", err.text);
            do {
                if (decoder_next(d, &item, &err))
                    fail_msg("%s", err.text);
                if (item.kind == ITEM_ROWS)
                    compared += check_rows(&item.rows, &all);
            } while (item.kind != ITEM_NONE);
        }
        while (all) {
            struct seen_row *next = all->next;

            free_row(all);
            all = next;
        }
        recording_free(&r);
        decoder_free(d);
    }
    assert_true(compared > 400);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_as_expected),
        cmocka_unit_test(values_are_what_the_server_shows),
    };

    write_them = argc > 1 && !strcmp(argv[1], "--write");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
