/* encode_history: a binlog made in memory: a 12-column table of rides and row events with checksums, as MySQL 8 with
 * binlog_row_metadata=FULL writes them. Made from the formats, not recorded, so that any number of rows can be had at
 * once. Source: MySQL's mysql/binlog/event headers; the manual's "Table_map_event" optional metadata. */
#ifndef PILLION_TESTS_BENCH_ENCODE_HISTORY_H
#define PILLION_TESTS_BENCH_ENCODE_HISTORY_H

#include <libdeflate.h>

#include "binlog/event.h"
#include "unit/avro/sample.h"

enum { HISTORY_COLUMNS = 12, HISTORY_NULLABLE_BITS = 0x4e4 /* driver_id dropoff distance_km fare finished_at */ };

struct history {
    struct buf bytes;  /* events, one after the other */
    uint32_t position; /* in the file that they pretend to be */
    uint64_t transactions;
    uint64_t rows;
    uint64_t random;
};

static inline size_t history_open(struct history *h, uint8_t type)
{
    size_t at = h->bytes.len;

    sample_le(&h->bytes, 1763686734, 4);
    sample_le(&h->bytes, type, 1);
    sample_le(&h->bytes, 1, 4);
    sample_le(&h->bytes, 0, 4); /* size: history_close */
    sample_le(&h->bytes, 0, 4); /* end position: history_close */
    sample_le(&h->bytes, 0, 2);
    return at;
}

static inline void history_close(struct history *h, size_t at)
{
    uint32_t size = (uint32_t)(h->bytes.len - at + EVENT_CHECKSUM);

    h->position += size;
    memcpy(h->bytes.data + at + 9, &size, 4);
    memcpy(h->bytes.data + at + 13, &h->position, 4);
    sample_le(&h->bytes, libdeflate_crc32(0, h->bytes.data + at, h->bytes.len - at), 4);
}

static inline void history_text(struct history *h, const char *s)
{
    sample_le(&h->bytes, strlen(s), 1);
    (void)buf_put_str(&h->bytes, s);
}

static inline void history_start(struct history *h)
{
    uint8_t lengths[42] = {0};
    char version[50] = "8.0.40";
    size_t at;

    buf_init(&h->bytes, (size_t)4 << 30);
    h->position = 4;
    h->transactions = h->rows = 0;
    h->random = 20261121;
    lengths[EVENT_QUERY - 1] = 13;
    lengths[EVENT_FORMAT_DESCRIPTION - 1] = 98;
    lengths[EVENT_TABLE_MAP - 1] = 8;
    lengths[EVENT_WRITE_ROWS - 1] = lengths[EVENT_UPDATE_ROWS - 1] = lengths[EVENT_DELETE_ROWS - 1] = 10;
    lengths[EVENT_GTID - 1] = lengths[EVENT_ANONYMOUS_GTID - 1] = 42;
    at = history_open(h, EVENT_FORMAT_DESCRIPTION);
    sample_le(&h->bytes, 4, 2);
    (void)buf_put(&h->bytes, version, sizeof version);
    sample_le(&h->bytes, 0, 4);
    sample_le(&h->bytes, EVENT_HEADER, 1);
    (void)buf_put(&h->bytes, lengths, sizeof lengths);
    sample_le(&h->bytes, 1, 1); /* CRC32 */
    history_close(h, at);
}

static inline void history_begin(struct history *h)
{
    static const uint8_t uuid[16] = {0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1,
                                     0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62};
    size_t at = history_open(h, EVENT_GTID);

    sample_le(&h->bytes, 1, 1);
    (void)buf_put(&h->bytes, uuid, sizeof uuid);
    sample_le(&h->bytes, ++h->transactions, 8);
    sample_le(&h->bytes, 2, 1); /* logical clock */
    sample_le(&h->bytes, 0, 8);
    sample_le(&h->bytes, h->transactions, 8);
    sample_le(&h->bytes, UINT64_C(1763686734000000) + h->transactions, 7);
    sample_le(&h->bytes, 0xfc, 1); /* transaction length */
    sample_le(&h->bytes, 1000, 2);
    sample_le(&h->bytes, 80040, 4);
    history_close(h, at);
    at = history_open(h, EVENT_QUERY);
    sample_le(&h->bytes, 17, 4); /* thread */
    sample_le(&h->bytes, 0, 4);
    sample_le(&h->bytes, 4, 1); /* database name */
    sample_le(&h->bytes, 0, 2);
    sample_le(&h->bytes, 0, 2); /* status variables */
    (void)buf_put(&h->bytes, "shop\0BEGIN", 10);
    history_close(h, at);
}

static inline void history_end(struct history *h)
{
    size_t at = history_open(h, EVENT_XID);

    sample_le(&h->bytes, h->transactions, 8);
    history_close(h, at);
}

static inline void history_table_map(struct history *h)
{
    static const char *const names[HISTORY_COLUMNS] = {"id",       "client_id",    "driver_id",   "status",
                                                       "pickup",   "dropoff",      "distance_km", "fare",
                                                       "currency", "requested_at", "finished_at", "updated_at"};
    static const char *const states[] = {"requested", "accepted", "started", "finished", "cancelled"};
    static const uint8_t types[HISTORY_COLUMNS] = {8, 8, 8, 254, 15, 15, 246, 246, 254, 17, 18, 18};
    static const uint8_t metadata[] = {247, 1, 0xe0, 1, 0xe0, 1, 8, 3, 10, 2, 254, 12, 6, 0, 3};
    size_t at = history_open(h, EVENT_TABLE_MAP), tag;

    sample_le(&h->bytes, 77, 6);
    sample_le(&h->bytes, 1, 2);
    (void)buf_put(&h->bytes, "\4shop\0\5rides\0", 13);
    sample_le(&h->bytes, HISTORY_COLUMNS, 1);
    (void)buf_put(&h->bytes, types, sizeof types);
    sample_le(&h->bytes, sizeof metadata, 1);
    (void)buf_put(&h->bytes, metadata, sizeof metadata);
    sample_le(&h->bytes, HISTORY_NULLABLE_BITS, 2);
    (void)buf_put(&h->bytes, "\1\1\xe0", 3); /* signedness: the three BIGINTs are unsigned, the decimals not */
    (void)buf_put(&h->bytes, "\2\1\x2d", 3); /* default charset: utf8mb4 */
    sample_le(&h->bytes, 4, 1);              /* column names */
    tag = h->bytes.len;
    sample_le(&h->bytes, 0, 1);
    for (size_t i = 0; i < HISTORY_COLUMNS; i++)
        history_text(h, names[i]);
    h->bytes.data[tag] = (uint8_t)(h->bytes.len - tag - 1);
    sample_le(&h->bytes, 6, 1); /* ENUM members */
    tag = h->bytes.len;
    sample_le(&h->bytes, 0, 1);
    sample_le(&h->bytes, 5, 1);
    for (size_t i = 0; i < 5; i++)
        history_text(h, states[i]);
    h->bytes.data[tag] = (uint8_t)(h->bytes.len - tag - 1);
    (void)buf_put(&h->bytes, "\x8\1\0", 3);   /* primary key: column 0 */
    (void)buf_put(&h->bytes, "\xa\1\x2d", 3); /* charset of ENUMs */
    history_close(h, at);
}

static inline void history_row(struct history *h)
{
    static const char *const places[] = {
        "Bahnhofstrasse 21", "Airport, Terminal 2",          "Quai du Mont-Blanc 7", "Z\xc3\xbcrich HB",
        "Old town",          "12 Long Acre, London WC2E 9LP"};
    uint64_t r = sample_random(&h->random);
    bool finished = r % 4 != 0;
    unsigned nulls = finished ? 0 : 0x4c4; /* driver_id distance_km fare finished_at */
    const char *from = places[r / 7 % 6], *to = places[r / 11 % 6];

    sample_le(&h->bytes, nulls, 2);
    sample_le(&h->bytes, ++h->rows, 8);
    sample_le(&h->bytes, r / 13 % 100000, 8);
    if (finished)
        sample_le(&h->bytes, r / 17 % 100000, 8);
    sample_le(&h->bytes, finished ? 4 : 1, 1);
    sample_bytes(&h->bytes, 2, from, strlen(from));
    sample_bytes(&h->bytes, 2, to, strlen(to));
    if (finished) {
        sample_decimal(&h->bytes, 8, 3, (int64_t)(r / 19 % 60000));
        sample_decimal(&h->bytes, 10, 2, (int64_t)(r / 23 % 20000));
    }
    sample_bytes(&h->bytes, 1, "CHF", 3);
    sample_be(&h->bytes, 1763686734 + h->rows / 100, 4);
    sample_fraction(&h->bytes, 6, (unsigned)(r % 1000000));
    if (finished)
        sample_datetime(&h->bytes, 0, 2026, 11, 21, (int)(r / 29 % 24), (int)(r / 31 % 60), (int)(r / 37 % 60), 0);
    sample_datetime(&h->bytes, 3, 2026, 11, 21, (int)(r / 29 % 24), (int)(r / 31 % 60), (int)(r / 37 % 60),
                    (unsigned)(r % 1000) * 1000);
}

/* One transaction of `events` statements of `rows` rows each. */
static inline void history_transaction(struct history *h, size_t events, size_t rows)
{
    history_begin(h);
    for (size_t e = 0; e < events; e++) {
        size_t at;

        history_table_map(h);
        at = history_open(h, EVENT_WRITE_ROWS);
        sample_le(&h->bytes, 77, 6);
        sample_le(&h->bytes, 1, 2);
        sample_le(&h->bytes, 2, 2); /* no extra data */
        sample_le(&h->bytes, HISTORY_COLUMNS, 1);
        sample_le(&h->bytes, 0xfff, 2);
        for (size_t i = 0; i < rows; i++)
            history_row(h);
        history_close(h, at);
    }
    history_end(h);
}

#endif
