/* fuzz_avro: any bytes as an Avro schema and a record of it (parted by a zero byte), as an object container file, as a
 * bronze record, and as row images for the encoder; what is encoded must be readable again.
 * Libraries: avro
 * Corpus: schemas */
#include <stdint.h>
#include <stdlib.h>

#include "avro/avro_json.h"
#include "avro/object_file.h"
#include "avro/raw_record.h"
#include "avro/table_codec.h"
#include "unit/avro/sample.h"

enum { FIELDS_MAX = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must_have_said(const struct err *err)
{
    if (err->code == ERR_NONE || !*err->text)
        abort(); /* refused without a word */
}

static void try_row(struct envelope_reader *r, struct cursor image, struct field_value *values)
{
    size_t n = envelope_n_fields(r);
    const char **names = xcalloc(n ? n : 1, sizeof *names);
    struct err err = ERR_INIT;
    struct buf out;

    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < n; i++)
        names[i] = envelope_field_name(r, i);
    if (envelope_read_row(r, image, values, &err) < 0 || avro_json_row(&out, names, values, n, &err) < 0)
        must_have_said(&err);
    buf_release(&out);
    free(names);
}

static void try_schema(const uint8_t *bytes, size_t len)
{
    const uint8_t *end = memchr(bytes, 0, len);
    size_t schema_len = end ? (size_t)(end - bytes) : len;
    struct cursor value = end ? cursor_of(end + 1, len - schema_len - 1) : cursor_of("", 0);
    struct field_value *values = xcalloc(FIELDS_MAX, sizeof *values);
    struct err err = ERR_INIT;
    struct envelope_reader *r = envelope_reader_new((const char *)bytes, schema_len, &err);
    struct key_reader *k;
    struct envelope e;

    if (!r) {
        must_have_said(&err);
    } else if (envelope_read(r, value, &e, &err) < 0) {
        must_have_said(&err);
    } else {
        if (e.has_before)
            try_row(r, e.before, values);
        if (e.has_after)
            try_row(r, e.after, values);
    }
    envelope_reader_free(r);
    err_clear(&err);
    k = key_reader_new((const char *)bytes, schema_len, &err);
    if (!k || key_read(k, value, values, &err) < 0)
        must_have_said(&err);
    key_reader_free(k);
    free(values);
}

static void try_object_file(const uint8_t *bytes, size_t len)
{
    struct err err = ERR_INIT;
    struct object_file_reader *r = object_file_open(bytes, len, &err);
    struct cursor records;
    uint64_t n;
    int rc = -1;

    while (r && (rc = object_file_next(r, &records, &n, &err)) > 0)
        ;
    if (rc < 0)
        must_have_said(&err);
    object_file_close(r);
}

static void try_raw_record(const uint8_t *bytes, size_t len)
{
    static struct raw_header headers[RAW_HEADERS_MAX];
    struct cursor c = cursor_of(bytes, len);
    struct raw_record record;
    struct err err = ERR_INIT;

    if (raw_record_decode(&record, headers, &c, &err) < 0)
        must_have_said(&err);
}

/* A codec and a reader of what it writes, made once. */
struct encoder {
    struct sample_table table;
    struct table_codec *codec;
    struct envelope_reader *reader;
};

static void encoder_init(struct encoder *e, enum avro_profile profile)
{
    struct table_codec_options options = sample_options(profile);
    struct change_source source = sample_source();
    struct err err = ERR_INIT;

    options.zero_dates = ZERO_DATE_EPOCH;
    sample_all_types(&e->table);
    e->codec = table_codec_new(&e->table.map, &options, &err);
    if (!e->codec || table_codec_begin_event(e->codec, &source, 1, &err) < 0)
        abort();
    e->reader =
        envelope_reader_new(table_codec_value_schema(e->codec), strlen(table_codec_value_schema(e->codec)), &err);
    if (!e->reader)
        abort();
}

static void try_rows(struct encoder *encoder, enum change_op op, const uint8_t *bytes, size_t len)
{
    struct field_value values[SAMPLE_COLUMNS_MAX];
    struct buf data = {.data = xmemdup(bytes, len ? len : 1), .len = len};
    struct rows rows = sample_rows(&encoder->table, op, &data);
    struct table_records records;
    struct err err = ERR_INIT;
    struct envelope e;

    while (rows_left(&rows)) {
        if (table_codec_encode_row(encoder->codec, &rows, 0, &records, &err) < 0) {
            must_have_said(&err);
            break;
        }
        for (size_t i = 0; i < records.n; i++) {
            const struct table_record *r = &records.records[i];

            if (envelope_read(encoder->reader, cursor_of(r->value + 5, r->value_len - 5), &e, &err) < 0 ||
                (e.has_before && envelope_read_row(encoder->reader, e.before, values, &err) < 0) ||
                (e.has_after && envelope_read_row(encoder->reader, e.after, values, &err) < 0))
                abort(); /* what was written must be readable */
        }
    }
    free(data.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct encoder encoders[2];
    uint8_t *copy = xmemdup(len ? bytes : (const uint8_t *)"", len ? len : 1);

    if (!encoders[0].codec)
        for (int i = 0; i < 2; i++)
            encoder_init(&encoders[i], i ? AVRO_PROFILE_DEBEZIUM : AVRO_PROFILE_NATIVE);
    if (len >= 3 && memcmp(bytes, "Obj", 3) == 0) {
        try_object_file(copy, len);
    } else {
        try_schema(copy, len);
        try_raw_record(copy, len);
        for (int i = 0; i < 2; i++) {
            try_rows(&encoders[i], CHANGE_INSERT, bytes, len);
            try_rows(&encoders[i], CHANGE_UPDATE, bytes, len);
        }
    }
    free(copy);
    return 0;
}
