/* bench_encode: what decoding and Avro encoding cost, in memory, without server, broker or registry.
 *
 * Makes a history of 12-column inserts (half of them 100 rows a statement, half single-row statements, 100 rows a
 * transaction), then walks it whole: once decoded only (every column walked over), once decoded and encoded (key and
 * envelope). Prints rows a second and CPU microseconds a row. The bar is 0.25 microseconds of CPU a row for both
 * together. Usage: bench_encode [rows, default 2000000] [rounds, default 3] */
#include <inttypes.h>

#include "avro/table_codec.h"
#include "base/clock.h"
#include "binlog/decoder.h"
#include "encode_history.h"

enum work { WORK_DECODE, WORK_ENCODE };

struct tally {
    uint64_t rows;
    uint64_t bytes;
};

static int on_rows(struct table_codec **codec, struct table_map **table, struct item *item, enum work work,
                   enum avro_profile profile, struct tally *tally, struct err *err)
{
    struct table_codec_options options = sample_options(profile);
    struct row_image image;
    struct table_records records;
    uint64_t index = item->first_index;

    if (work == WORK_DECODE) {
        while (rows_left(&item->rows)) {
            if (row_image_begin(&image, &item->rows, item->rows.after_present, err) < 0 ||
                row_image_skip(&image, item->table, err) < 0)
                return -1;
            item->rows.row++;
            tally->rows++;
        }
        return 0;
    }
    if (!*codec) {
        *table = table_map_keep(item->table);
        *codec = table_codec_new(*table, &options, err);
        if (!*codec)
            return -1;
    }
    if (table_codec_begin_event(*codec, item->source, item->source->commit_us, err) < 0)
        return -1;
    while (rows_left(&item->rows)) {
        if (table_codec_encode_row(*codec, &item->rows, index++, &records, err) < 0)
            return -1;
        tally->rows++;
        tally->bytes += records.records[0].key_len + records.records[0].value_len;
    }
    return 0;
}

static int run(const struct history *h, enum work work, enum avro_profile profile, struct tally *tally, struct err *err)
{
    struct decoder_options options = {.server_name = "prod", .dml_statements_stop = true};
    struct decoder *decoder = decoder_new(&options);
    struct table_codec *codec = NULL;
    struct table_map *table = NULL;
    struct position start;
    struct item item;
    int rc = -1;

    position_init(&start);
    strcpy(start.file, "mysql-bin.000001");
    start.offset = 4;
    decoder_start_at(decoder, &start);
    for (size_t at = 0; at < h->bytes.len;) {
        uint32_t size;

        memcpy(&size, h->bytes.data + at + 9, 4);
        if (decoder_feed(decoder, h->bytes.data + at, size, err) < 0)
            goto out;
        at += size;
        for (;;) {
            if (decoder_next(decoder, &item, err) < 0)
                goto out;
            if (item.kind == ITEM_NONE)
                break;
            if (item.kind == ITEM_ROWS && on_rows(&codec, &table, &item, work, profile, tally, err) < 0)
                goto out;
        }
    }
    rc = 0;
out:
    table_codec_free(codec);
    table_map_free(table);
    decoder_free(decoder);
    position_release(&start);
    return rc;
}

static int measure(const struct history *h, const char *name, enum work work, enum avro_profile profile, int rounds)
{
    double best = 1e9;
    struct tally tally = {0};
    struct err err = ERR_INIT;

    for (int i = 0; i < rounds; i++) {
        int64_t cpu = clock_cpu_us();

        tally = (struct tally){0};
        if (run(h, work, profile, &tally, &err) < 0) {
            fprintf(stderr, "bench_encode: %s\n", err.text);
            return -1;
        }
        double each = (double)(clock_cpu_us() - cpu) / (double)tally.rows;

        if (each < best)
            best = each;
    }
    printf("%-44s %9" PRIu64 " rows  %6.3f us CPU a row  %9.0f rows/s  %4" PRIu64 " bytes a row\n", name, tally.rows,
           best, 1e6 / best, tally.rows ? tally.bytes / tally.rows : 0);
    return 0;
}

static int bench(const char *name, size_t transactions, size_t events, size_t rows, int rounds)
{
    struct history h = {0};
    char label[80];
    int rc;

    history_start(&h);
    for (size_t i = 0; i < transactions; i++)
        history_transaction(&h, events, rows);
    printf("%s: %zu bytes of events\n", name, h.bytes.len);
    rc = measure(&h, "  decode", WORK_DECODE, AVRO_PROFILE_NATIVE, rounds);
    snprintf(label, sizeof label, "  decode and encode, profile native");
    if (rc == 0)
        rc = measure(&h, label, WORK_ENCODE, AVRO_PROFILE_NATIVE, rounds);
    snprintf(label, sizeof label, "  decode and encode, profile debezium");
    if (rc == 0)
        rc = measure(&h, label, WORK_ENCODE, AVRO_PROFILE_DEBEZIUM, rounds);
    buf_release(&h.bytes);
    return rc;
}

int main(int argc, char **argv)
{
    size_t rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    int rounds = argc > 2 ? atoi(argv[2]) : 3;

    if (rows < 200 || rounds < 1) {
        fprintf(stderr, "usage: bench_encode [rows] [rounds]\n");
        return 2;
    }
    if (bench("100 rows a statement", rows / 200, 1, 100, rounds) < 0 ||
        bench("1 row a statement, 100 a transaction", rows / 200, 100, 1, rounds) < 0)
        return 1;
    return 0;
}
