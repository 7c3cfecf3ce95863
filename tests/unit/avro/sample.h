/* sample: table shapes and row images made by hand for the tests and benchmarks of avro/, byte by byte from the manuals
 * (MySQL strings/decimal.cc, sql-common/my_time.cc, rows_event.h) and so independent of the code in binlog/ that reads
 * them. Every value comes with what a reader must find. */
#ifndef PILLION_TESTS_AVRO_SAMPLE_H
#define PILLION_TESTS_AVRO_SAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "avro/table_codec.h"
#include "base/buf.h"
#include "base/mem.h"
#include "binlog/table_map.h"

enum { SAMPLE_COLUMNS_MAX = 256, SAMPLE_UTF8MB4 = 45, SAMPLE_LATIN1 = 8 };

struct sample_table {
    struct table_map map;
    struct column columns[SAMPLE_COLUMNS_MAX];
    struct wire_column wires[SAMPLE_COLUMNS_MAX];
    size_t key[16];
    struct table_schema schema;
};

static inline void sample_init(struct sample_table *t, const char *database, const char *table)
{
    memset(t, 0, sizeof *t);
    t->schema.database = database;
    t->schema.table = table;
    t->schema.columns = t->columns;
    t->schema.key = t->key;
    t->map.schema = &t->schema;
    t->map.columns = t->wires;
}

/* Adds a column; the wire facts that follow from its kind are filled in. */
static inline struct column *sample_add(struct sample_table *t, const char *name, enum column_kind kind, bool nullable)
{
    size_t i = t->schema.n_columns++;

    t->map.n_columns = t->schema.n_columns;
    t->columns[i] = (struct column){.name = name, .kind = kind, .nullable = nullable, .visible = true, .key_part = -1};
    return &t->columns[i];
}

static inline void sample_key(struct sample_table *t, size_t column)
{
    t->columns[column].key_part = (int)t->schema.n_key;
    t->key[t->schema.n_key++] = column;
}

/* After all columns are described. */
static inline void sample_seal(struct sample_table *t)
{
    static const uint8_t digits[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
    static const uint8_t int_types[] = {0, WIRE_TINY, WIRE_SHORT, WIRE_INT24, WIRE_LONG, 0, 0, 0, WIRE_LONGLONG};

    for (size_t i = 0; i < t->schema.n_columns; i++) {
        const struct column *c = &t->columns[i];
        struct wire_column *w = &t->wires[i];

        w->fsp = c->fsp;
        w->precision = (uint8_t)c->precision;
        w->scale = (uint8_t)c->scale;
        switch (c->kind) {
        case COLUMN_INT:
            w->type = int_types[c->width];
            w->length_bytes = c->width;
            break;
        case COLUMN_DECIMAL:
            w->type = WIRE_NEWDECIMAL;
            w->length_bytes = (uint8_t)((c->precision - c->scale) / 9 * 4 + digits[(c->precision - c->scale) % 9] +
                                        c->scale / 9 * 4 + digits[c->scale % 9]);
            break;
        case COLUMN_FLOAT:
            w->type = WIRE_FLOAT;
            w->length_bytes = 4;
            break;
        case COLUMN_DOUBLE:
            w->type = WIRE_DOUBLE;
            w->length_bytes = 8;
            break;
        case COLUMN_BIT:
            w->type = WIRE_BIT;
            w->length_bytes = (uint8_t)((c->length + 7) / 8);
            break;
        case COLUMN_STRING:
        case COLUMN_BYTES:
            w->type = c->is_fixed ? WIRE_STRING : WIRE_VARCHAR;
            w->length_bytes = c->length > 255 ? 2 : 1;
            w->skip = SKIP_PREFIXED;
            break;
        case COLUMN_DATE:
            w->type = WIRE_DATE;
            w->length_bytes = 3;
            break;
        case COLUMN_TIME:
            w->type = WIRE_TIME2;
            w->length_bytes = (uint8_t)(3 + (c->fsp + 1) / 2);
            break;
        case COLUMN_DATETIME:
            w->type = WIRE_DATETIME2;
            w->length_bytes = (uint8_t)(5 + (c->fsp + 1) / 2);
            break;
        case COLUMN_TIMESTAMP:
            w->type = WIRE_TIMESTAMP2;
            w->length_bytes = (uint8_t)(4 + (c->fsp + 1) / 2);
            break;
        case COLUMN_YEAR:
            w->type = WIRE_YEAR;
            w->length_bytes = 1;
            break;
        case COLUMN_ENUM:
            w->type = WIRE_ENUM;
            w->length_bytes = c->n_members > 255 ? 2 : 1;
            break;
        case COLUMN_SET:
            w->type = WIRE_SET;
            w->length_bytes = (uint8_t)(c->n_members > 32 ? 8 : (c->n_members + 7) / 8);
            break;
        case COLUMN_JSON:
            w->type = WIRE_JSON;
            w->length_bytes = 4;
            w->skip = SKIP_PREFIXED;
            break;
        case COLUMN_GEOMETRY:
            w->type = WIRE_GEOMETRY;
            w->length_bytes = 4;
            w->skip = SKIP_PREFIXED;
            break;
        case COLUMN_VECTOR:
            w->type = WIRE_VECTOR;
            w->length_bytes = 4;
            w->skip = SKIP_PREFIXED;
            break;
        }
    }
}

/* A small generator with a seed, so that a failure can be seen again. */
static inline uint64_t sample_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* What a reader must find. Texts and bytes: as they are; numbers in i or d; a decimal as its unscaled value in i. */
struct sample_value {
    bool null;
    int64_t i;
    double d;
    uint8_t bytes[128];
    size_t len;
};

static inline void sample_le(struct buf *out, uint64_t v, size_t width)
{
    for (size_t i = 0; i < width; i++)
        (void)buf_put_u8(out, (uint8_t)(v >> (8 * i)));
}

static inline void sample_be(struct buf *out, uint64_t v, size_t width)
{
    for (size_t i = width; i-- > 0;)
        (void)buf_put_u8(out, (uint8_t)(v >> (8 * i)));
}

static inline void sample_fraction(struct buf *out, unsigned fsp, unsigned micros)
{
    if (fsp >= 5)
        sample_be(out, micros, 3);
    else if (fsp >= 3)
        sample_be(out, micros / 100, 2);
    else if (fsp >= 1)
        sample_be(out, micros / 10000, 1);
}

static inline unsigned sample_micros(uint64_t *state, unsigned fsp)
{
    unsigned unit = 1000000;

    for (unsigned i = 0; i < fsp; i++)
        unit /= 10;
    return fsp == 0 ? 0 : (unsigned)(sample_random(state) % 1000000) / unit * unit;
}

/* NEWDECIMAL of |unscaled| < 10^18. */
static inline void sample_decimal(struct buf *out, unsigned precision, unsigned scale, int64_t unscaled)
{
    static const uint8_t bytes_of[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
    uint64_t magnitude = unscaled < 0 ? 0 - (uint64_t)unscaled : (uint64_t)unscaled;
    char digits[80];
    char text[80];
    size_t start = out->len;
    unsigned before = precision - scale;

    snprintf(digits, sizeof digits, "%020llu", (unsigned long long)magnitude);
    memset(text, '0', sizeof text);
    for (unsigned i = 0; i < 20; i++) /* right aligned in precision digits */
        if (precision + i >= 20)
            text[precision + i - 20] = digits[i];
    unsigned at = 0;
    for (unsigned left = before; left > 0;) {
        unsigned n = left % 9 ? left % 9 : 9;
        char group[10] = {0};

        memcpy(group, text + at, n);
        sample_be(out, strtoull(group, NULL, 10), bytes_of[n]);
        at += n;
        left -= n;
    }
    for (unsigned left = scale; left > 0;) {
        unsigned n = left > 9 ? 9 : left;
        char group[10] = {0};

        memcpy(group, text + at, n);
        sample_be(out, strtoull(group, NULL, 10), bytes_of[n]);
        at += n;
        left -= n;
    }
    if (unscaled < 0)
        for (size_t i = start; i < out->len; i++)
            out->data[i] = (uint8_t)~out->data[i];
    out->data[start] ^= 0x80;
}

static inline int64_t sample_epoch(int year, int month, int day, int hour, int minute, int second)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};

    return (int64_t)timegm(&tm);
}

static inline void sample_datetime(struct buf *out, unsigned fsp, int year, int month, int day, int hour, int minute,
                                   int second, unsigned micros)
{
    uint64_t ymd = ((uint64_t)(year * 13 + month) << 5) | (uint64_t)day;
    uint64_t hms = ((uint64_t)hour << 12) | ((uint64_t)minute << 6) | (uint64_t)second;

    sample_be(out, ((ymd << 17) | hms) + UINT64_C(0x8000000000), 5);
    sample_fraction(out, fsp, micros);
}

static inline void sample_time(struct buf *out, unsigned fsp, int64_t micros)
{
    bool negative = micros < 0;
    int64_t abs = negative ? -micros : micros;
    int64_t seconds = abs / 1000000;
    int64_t hms = (seconds / 3600) << 12 | (seconds / 60 % 60) << 6 | seconds % 60;
    int64_t fraction = abs % 1000000;
    unsigned bytes = (fsp + 1) / 2;
    int64_t packed;

    if (bytes == 1)
        fraction /= 10000;
    else if (bytes == 2)
        fraction /= 100;
    packed = hms << (8 * bytes) | (bytes ? fraction : 0);
    if (negative)
        packed = -packed;
    packed += INT64_C(0x800000) << (8 * bytes);
    sample_be(out, (uint64_t)packed, 3 + bytes);
}

static inline void sample_bytes(struct buf *out, size_t length_bytes, const void *bytes, size_t len)
{
    sample_le(out, len, length_bytes);
    (void)buf_put(out, bytes, len);
}

static inline void sample_text(struct sample_value *v, const char *text)
{
    v->len = strlen(text);
    memcpy(v->bytes, text, v->len);
}

/* A random value of the column that is not NULL, appended as the server writes it. */
static inline void sample_random_value(struct buf *out, const struct column *c, const struct wire_column *w,
                                       uint64_t *state, struct sample_value *v)
{
    uint64_t r = sample_random(state) >> (sample_random(state) % 64);

    memset(v, 0, sizeof *v);
    switch (c->kind) {
    case COLUMN_INT: {
        unsigned shift = 64 - 8u * c->width;

        sample_le(out, r, c->width);
        v->i = c->is_unsigned ? (int64_t)(r << shift >> shift) : (int64_t)(r << shift) >> shift;
        if (c->is_unsigned && c->width == 8) {
            out->data[out->len - 1] &= 0x7f;
            v->i = (int64_t)(r & INT64_MAX);
        }
        break;
    }
    case COLUMN_DECIMAL: {
        int64_t limit = 1;

        for (unsigned i = 0; i < c->precision && i < 18; i++)
            limit *= 10;
        v->i = (int64_t)(r % (uint64_t)limit) * (sample_random(state) % 2 ? 1 : -1);
        sample_decimal(out, c->precision, c->scale, v->i);
        break;
    }
    case COLUMN_FLOAT: {
        float f = (float)(int32_t)r / 7;

        (void)buf_put(out, &f, sizeof f);
        v->d = (double)f;
        break;
    }
    case COLUMN_DOUBLE:
        v->d = (double)(int64_t)r / 3;
        (void)buf_put(out, &v->d, sizeof v->d);
        break;
    case COLUMN_BIT: {
        uint64_t bits = c->length == 64 ? r : r & ((UINT64_C(1) << c->length) - 1);
        size_t n = (c->length + 7) / 8;

        sample_be(out, bits, n);
        v->i = (int64_t)bits;
        v->len = n;
        memcpy(v->bytes, out->data + out->len - n, n);
        break;
    }
    case COLUMN_STRING: {
        static const char *const words[] = {"",
                                            "a",
                                            "abc",
                                            "ride",
                                            "Zürich",
                                            "12345678",
                                            "a longer text of several words",
                                            "日本語のテキスト",
                                            "end with accent é",
                                            "\xf0\x9f\x9a\x97 car"};
        const char *word = words[r % 10];

        if (c->collation == SAMPLE_LATIN1) {
            sample_bytes(out, w->length_bytes, "caf\xe9", 4);
            sample_text(v, "café");
        } else {
            sample_bytes(out, w->length_bytes, word, strlen(word));
            sample_text(v, word);
        }
        break;
    }
    case COLUMN_BYTES: {
        size_t len = r % (c->length + 1 > 64 ? 64 : c->length + 1);

        for (size_t i = 0; i < len; i++)
            v->bytes[i] = (uint8_t)sample_random(state);
        sample_bytes(out, w->length_bytes, v->bytes, len);
        v->len = c->is_fixed ? c->length : len;
        break;
    }
    case COLUMN_DATE: {
        int year = 1 + (int)(r % 9999), month = 1 + (int)(r / 7 % 12), day = 1 + (int)(r / 13 % 28);

        sample_le(out, (uint64_t)(day | month << 5 | year << 9), 3);
        v->i = sample_epoch(year, month, day, 0, 0, 0) / 86400;
        break;
    }
    case COLUMN_TIME: {
        unsigned micros = sample_micros(state, c->fsp);

        v->i = ((int64_t)(r % 3020399) * 1000000 + micros) * (sample_random(state) % 2 ? 1 : -1);
        sample_time(out, c->fsp, v->i);
        break;
    }
    case COLUMN_DATETIME: {
        int year = 1 + (int)(r % 9999), month = 1 + (int)(r / 7 % 12), day = 1 + (int)(r / 13 % 28);
        int hour = (int)(r / 17 % 24), minute = (int)(r / 19 % 60), second = (int)(r / 23 % 60);
        unsigned micros = sample_micros(state, c->fsp);

        sample_datetime(out, c->fsp, year, month, day, hour, minute, second, micros);
        v->i = sample_epoch(year, month, day, hour, minute, second) * 1000000 + micros;
        break;
    }
    case COLUMN_TIMESTAMP: {
        unsigned micros = sample_micros(state, c->fsp);
        uint32_t seconds = (uint32_t)(r % INT32_MAX) + 1;

        sample_be(out, seconds, 4);
        sample_fraction(out, c->fsp, micros);
        v->i = (int64_t)seconds * 1000000 + micros;
        break;
    }
    case COLUMN_YEAR:
        sample_le(out, r % 256, 1);
        v->i = r % 256 ? 1900 + (int64_t)(r % 256) : 0;
        break;
    case COLUMN_ENUM:
        sample_le(out, r % (c->n_members + 1), w->length_bytes);
        if (r % (c->n_members + 1))
            sample_text(v, c->members[r % (c->n_members + 1) - 1]);
        break;
    case COLUMN_SET: {
        uint64_t bits = c->n_members == 64 ? r : r & ((UINT64_C(1) << c->n_members) - 1);
        char text[128] = "";

        sample_le(out, bits, w->length_bytes);
        for (size_t i = 0; i < c->n_members; i++) {
            if (!(bits >> i & 1))
                continue;
            if (*text)
                strcat(text, ",");
            strcat(text, c->members[i]);
        }
        sample_text(v, text);
        break;
    }
    case COLUMN_JSON: { /* a 16-bit integer or a short string of binary JSON */
        uint8_t json[40];
        char text[40];

        if (r % 2) {
            json[0] = 0x05;
            json[1] = (uint8_t)r;
            json[2] = (uint8_t)(r >> 8);
            sample_bytes(out, 4, json, 3);
            snprintf(text, sizeof text, "%d", (int)(int16_t)r);
        } else {
            json[0] = 0x0c;
            json[1] = 4;
            memcpy(json + 2, "ride", 4);
            sample_bytes(out, 4, json, 6);
            snprintf(text, sizeof text, "\"ride\"");
        }
        sample_text(v, text);
        break;
    }
    case COLUMN_GEOMETRY: { /* POINT */
        uint8_t point[25] = {(uint8_t)(r % 2 ? 0xe6 : 0), (uint8_t)(r % 2 ? 0x10 : 0), 0, 0, 1, 1, 0, 0, 0};

        memcpy(point + 9, &r, 8);
        sample_bytes(out, 4, point, sizeof point);
        v->len = sizeof point;
        memcpy(v->bytes, point, sizeof point);
        v->i = r % 2 ? 4326 : 0;
        break;
    }
    case COLUMN_VECTOR: {
        float floats[3] = {(float)(r % 100), 0.5f, -1};

        sample_bytes(out, 4, floats, sizeof floats);
        v->len = sizeof floats;
        memcpy(v->bytes, floats, sizeof floats);
        break;
    }
    }
}

/* One image: NULL bitmap and values. A third of the nullable ones are NULL. */
static inline void sample_image(struct buf *out, const struct sample_table *t, uint64_t *state,
                                struct sample_value *values)
{
    size_t at = out->len;
    size_t n = t->schema.n_columns;

    for (size_t i = 0; i < (n + 7) / 8; i++)
        (void)buf_put_u8(out, 0);
    for (size_t i = 0; i < n; i++) {
        if (t->columns[i].nullable && sample_random(state) % 3 == 0) {
            out->data[at + i / 8] |= (uint8_t)(1u << (i % 8));
            values[i] = (struct sample_value){.null = true};
            continue;
        }
        sample_random_value(out, &t->columns[i], &t->wires[i], state, &values[i]);
    }
}

static inline struct rows sample_rows(const struct sample_table *t, enum change_op op, const struct buf *data)
{
    static uint8_t all[SAMPLE_COLUMNS_MAX / 8];

    memset(all, 0xff, sizeof all);
    return (struct rows){.table = &t->map,
                         .op = op,
                         .all_before = op != CHANGE_INSERT,
                         .all_after = op != CHANGE_DELETE,
                         .before_present = op == CHANGE_INSERT ? NULL : all,
                         .after_present = op == CHANGE_DELETE ? NULL : all,
                         .data = cursor_of(data->data, data->len)};
}

static inline struct change_source sample_source(void)
{
    struct change_source s = {
        .server_name = "prod",
        .server_id = 7,
        .gtid = {.flavor = GTID_MYSQL, .number = 42, .source = "3e11fa47-71ca-11e1-9e33-c80aa9429562"},
        .gtid_text = "3e11fa47-71ca-11e1-9e33-c80aa9429562:42",
        .file = "mysql-bin.000003",
        .offset = 1234567,
        .commit_us = 1763686734000001};
    return s;
}

static inline struct table_codec_options sample_options(enum avro_profile profile)
{
    return (struct table_codec_options){
        .profile = profile, .topic = "prod.shop.all_types", .server_name = "prod", .connector = "mysql"};
}

/* A table with every kind, most of them twice: NOT NULL and nullable. */
static inline void sample_all_types(struct sample_table *t)
{
    static const char *members[] = {"small", "medium, large", "x\"y"};
    static const uint8_t widths[] = {1, 2, 3, 4, 8};
    static char names[SAMPLE_COLUMNS_MAX][24];

    sample_init(t, "shop", "all_types");
    sample_add(t, "id", COLUMN_INT, false)->width = 8;
    for (size_t k = 0; k < 20; k++) {
        struct column *c = sample_add(t, names[t->schema.n_columns], COLUMN_INT, k >= 10);

        c->width = widths[k % 5];
        c->is_unsigned = k / 5 % 2;
    }
    for (int nullable = 0; nullable < 2; nullable++) {
        for (unsigned fsp = 0; fsp <= 6; fsp++) {
            sample_add(t, names[t->schema.n_columns], COLUMN_TIME, nullable)->fsp = (uint8_t)fsp;
            sample_add(t, names[t->schema.n_columns], COLUMN_DATETIME, nullable)->fsp = (uint8_t)fsp;
            sample_add(t, names[t->schema.n_columns], COLUMN_TIMESTAMP, nullable)->fsp = (uint8_t)fsp;
        }
        for (unsigned precision = 1; precision <= 30; precision += 3) {
            struct column *c = sample_add(t, names[t->schema.n_columns], COLUMN_DECIMAL, nullable);

            c->precision = (uint16_t)precision;
            c->scale = (uint16_t)(precision / 3);
        }
        sample_add(t, names[t->schema.n_columns], COLUMN_FLOAT, nullable);
        sample_add(t, names[t->schema.n_columns], COLUMN_DOUBLE, nullable);
        sample_add(t, names[t->schema.n_columns], COLUMN_BIT, nullable)->length = 1;
        sample_add(t, names[t->schema.n_columns], COLUMN_BIT, nullable)->length = 11;
        sample_add(t, names[t->schema.n_columns], COLUMN_BIT, nullable)->length = 64;
        for (int latin = 0; latin < 2; latin++) {
            struct column *c = sample_add(t, names[t->schema.n_columns], COLUMN_STRING, nullable);

            c->length = latin ? 40 : 400;
            c->collation = latin ? SAMPLE_LATIN1 : SAMPLE_UTF8MB4;
        }
        for (int fixed = 0; fixed < 2; fixed++) {
            struct column *c = sample_add(t, names[t->schema.n_columns], COLUMN_BYTES, nullable);

            c->length = 30;
            c->is_fixed = fixed;
        }
        sample_add(t, names[t->schema.n_columns], COLUMN_DATE, nullable);
        sample_add(t, names[t->schema.n_columns], COLUMN_YEAR, nullable);
        for (int set = 0; set < 2; set++) {
            struct column *c = sample_add(t, names[t->schema.n_columns], set ? COLUMN_SET : COLUMN_ENUM, nullable);

            c->members = members;
            c->n_members = 3;
        }
        sample_add(t, names[t->schema.n_columns], COLUMN_JSON, nullable);
        sample_add(t, names[t->schema.n_columns], COLUMN_GEOMETRY, nullable);
        sample_add(t, names[t->schema.n_columns], COLUMN_VECTOR, nullable);
    }
    for (size_t i = 1; i < t->schema.n_columns; i++)
        snprintf(names[i], sizeof names[i], "c%zu", i);
    sample_key(t, 0);
    sample_seal(t);
}

#endif
