#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "binlog/decoder.h"
#include "cmd/arguments.h"
#include "cmd/command.h"
#include "cmd/event_json.h"
#include "mysql/event_source.h"

enum { FLUSH_BYTES = 1 << 16, LINE_BYTES = 2040 << 20, PROGRESS_US = 2000000 };

static const char usage[] =
    "Usage: pillion decode [--statements] [--count] FILE...\n\n"
    "Prints each row change of MySQL or MariaDB binlog files as one line of JSON on standard output. Needs no server; "
    "the\n"
    "files must have been written with binlog_row_metadata=FULL. Give consecutive files in their order.\n\n"
    "  --statements   print DDL statements and transaction ends too\n"
    "  --count        print only how many row changes, transactions and bytes there are\n"
    "  -h, --help     this text\n\n"
    "Exit codes: 0 done; 1 a file is truncated, corrupt or not understood; 2 bad usage; 3 a file cannot be read.\n";

struct decode {
    struct decoder *decoder;
    struct buf out;
    struct arena arena;
    struct value *before, *after;
    size_t n_values;
    bool statements, count;
    uint64_t rows, transactions, bytes;
};

static int flush(struct decode *d, struct err *err)
{
    size_t done = 0;

    while (done < d->out.len) {
        ssize_t n = write(STDOUT_FILENO, d->out.data + done, d->out.len - done);

        if (n < 0 && errno == EPIPE)
            return err_set(err, ERR_STOPPED, "Nobody reads standard output any more.");
        if (n < 0)
            return err_set(err, ERR_FILE, "Standard output cannot be written: %s.", strerror(errno));
        done += (size_t)n;
    }
    buf_clear(&d->out);
    return 0;
}

static int image(struct decode *d, struct rows *rows, const uint8_t *present, const struct value *before,
                 struct value *values, struct err *err)
{
    struct row_image im;

    if (row_image_begin(&im, rows, present, err) < 0)
        return -1;
    return row_image_values(&im, rows, before, values, &d->arena, err);
}

static int rows_out(struct decode *d, struct item *item, struct err *err)
{
    struct rows *rows = &item->rows;
    const struct table_map *table = item->table;
    uint64_t index = item->first_index;

    if (table->n_columns > d->n_values) {
        d->n_values = table->n_columns;
        d->before = xreallocarray(d->before, d->n_values, sizeof *d->before);
        d->after = xreallocarray(d->after, d->n_values, sizeof *d->after);
    }
    for (; rows_left(rows); index++) {
        struct change_event e = {
            .op = rows->op, .table = table->schema, .source = item->source, .txn_index = index, .row = rows->row};

        arena_clear(&d->arena);
        if (rows->before_present) {
            if (image(d, rows, rows->before_present, NULL, d->before, err) < 0)
                return err_prefix(err, "table %s.%s", table->schema->database, table->schema->table);
            e.before = d->before;
        }
        if (rows->after_present) {
            if (image(d, rows, rows->after_present, e.before, d->after, err) < 0)
                return err_prefix(err, "table %s.%s", table->schema->database, table->schema->table);
            e.after = d->after;
        }
        rows->row = e.row + 1;
        d->rows++;
        if (d->count)
            continue;
        event_json_write(&d->out, &e);
        if (d->out.overflow)
            return err_set(err, ERR_LIMIT, "A row is larger than %d MiB as JSON.", LINE_BYTES >> 20);
        if (d->out.len > FLUSH_BYTES && flush(d, err) < 0)
            return -1;
    }
    return 0;
}

static void statement_out(struct decode *d, const struct item *item)
{
    if (item->kind == ITEM_COMMIT) {
        buf_putf(&d->out, "{\"op\":\"commit\",\"gtid\":\"%s\"}\n", item->source->gtid_text);
        return;
    }
    buf_put_str(&d->out, "{\"op\":\"statement\",\"db\":");
    event_json_string(&d->out, item->statement.database, strlen(item->statement.database));
    buf_putf(&d->out, ",\"gtid\":\"%s\",\"sql\":", item->source->gtid_text);
    event_json_string(&d->out, item->statement.sql, item->statement.sql_len);
    buf_put_str(&d->out, "}\n");
}

static int events(struct decode *d, struct event_source *source, struct err *err)
{
    const uint8_t *event;
    size_t len;
    int rc;
    int64_t told = clock_mono_us();

    while ((rc = event_source_fetch(source, &event, &len, err)) > 0) {
        struct item item;

        d->bytes += len;
        if (decoder_feed(d->decoder, event, len, err) < 0)
            return -1;
        for (;;) {
            if (decoder_next(d->decoder, &item, err) < 0)
                return -1;
            if (item.kind == ITEM_NONE)
                break;
            if (item.kind == ITEM_ROWS && rows_out(d, &item, err) < 0)
                return -1;
            d->transactions += item.kind == ITEM_COMMIT;
            if (d->statements && !d->count && (item.kind == ITEM_STATEMENT || item.kind == ITEM_COMMIT))
                statement_out(d, &item);
        }
        if (stop_requested())
            return err_set(err, ERR_STOPPED, "Stopped by a signal.");
        if (clock_mono_us() - told > PROGRESS_US && isatty(STDERR_FILENO)) {
            told = clock_mono_us();
            log_info("decode", "%llu row changes, %llu MiB read", (unsigned long long)d->rows,
                     (unsigned long long)d->bytes >> 20);
        }
    }
    return rc;
}

static int decode(size_t n, const char *const *files, struct decode *d, struct err *err)
{
    struct decoder_options options = {.server_name = "decode", .dml_statements_stop = true};
    struct event_source *source = NULL;
    int rc = -1;

    d->decoder = decoder_new(&options);
    buf_init(&d->out, LINE_BYTES);
    arena_init(&d->arena, LINE_BYTES);
    if (event_source_open_files(&source, files, n, err) == 0)
        rc = events(d, source, err);
    if (flush(d, rc < 0 ? NULL : err) < 0)
        rc = -1;
    if (rc == 0 && d->count)
        printf("{\"row_changes\":%llu,\"transactions\":%llu,\"bytes\":%llu}\n", (unsigned long long)d->rows,
               (unsigned long long)d->transactions, (unsigned long long)d->bytes);
    event_source_close(source);
    decoder_free(d->decoder);
    buf_release(&d->out);
    arena_release(&d->arena);
    free(d->before);
    free(d->after);
    return rc;
}

int cmd_decode(int argc, char **argv)
{
    struct decode d = {0};
    struct err err = ERR_INIT;
    const struct argument_option options[] = {{"--statements", &d.statements, NULL}, {"--count", &d.count, NULL}, {0}};
    struct arguments a = {.command = "decode", .options = options, .max_words = (size_t)argc};
    int rc = 0;

    if (command_help(argc, argv, usage))
        return 0;
    a.words = xcalloc((size_t)argc, sizeof *a.words);
    if (arguments_read(&a, argc, argv, &err) < 0) {
        rc = command_fail("decode", &err);
    } else if (!a.n_words) {
        fputs(usage, stderr);
        rc = 2;
    } else {
        stop_on_signals();
        if (decode(a.n_words, a.words, &d, &err) < 0 && err.code != ERR_STOPPED)
            rc = command_fail("decode", &err);
    }
    free(a.words);
    return rc;
}
