/* The decoder's rules that no healthy recording shows: what a server sends on a connection, what makes it stop, and how
 * it says so. Events are made by hand, without checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "binlog/decoder.h"
#include "unit/binlog/recordings.h"

struct stream {
    struct decoder *d;
    struct buf out; /* what was given, as JSON lines */
    struct err err;
    uint32_t pos;
};

static void put_le(struct buf *b, uint64_t v, int width)
{
    for (int i = 0; i < width; i++)
        buf_put_u8(b, (uint8_t)(v >> (8 * i)));
}

/* end_pos: UINT32_MAX for where it follows from the stream, 0 for an event that is in no file. */
static int feed(struct stream *s, uint8_t type, uint16_t flags, uint32_t end_pos, const void *body, size_t len)
{
    struct buf b;
    int rc;

    buf_init(&b, 1 << 20);
    put_le(&b, 1700000000, 4);
    buf_put_u8(&b, type);
    put_le(&b, 1, 4);
    put_le(&b, 19 + len, 4);
    if (end_pos == UINT32_MAX)
        end_pos = s->pos += (uint32_t)(19 + len);
    put_le(&b, end_pos, 4);
    put_le(&b, flags, 2);
    buf_put(&b, body, len);
    err_clear(&s->err);
    buf_clear(&s->out);
    rc = dump_event(&s->out, s->d, b.data, b.len, &s->err);
    buf_release(&b);
    return rc;
}

static int describe(struct stream *s, bool mariadb)
{
    uint8_t body[57 + 200 + 5] = {4, 0};
    size_t n = mariadb ? 171 : 42;

    body[56] = 19;
    memset(body + 57, 8, n);
    body[57 + n] = 0;
    return feed(s, EVENT_FORMAT_DESCRIPTION, 0, UINT32_MAX, body, 57 + n + 5);
}

static int rotate(struct stream *s, uint16_t flags, uint32_t end_pos, uint64_t to, const char *name)
{
    struct buf b;
    int rc;

    buf_init(&b, 1000);
    put_le(&b, to, 8);
    buf_put_str(&b, name);
    rc = feed(s, EVENT_ROTATE, flags, end_pos, b.data, b.len);
    buf_release(&b);
    return rc;
}

static int query(struct stream *s, const char *sql)
{
    struct buf b;
    int rc;

    buf_init(&b, 1 << 16);
    put_le(&b, 77, 4);
    put_le(&b, 0, 4);
    put_le(&b, 4, 1);
    put_le(&b, 0, 2);
    put_le(&b, 0, 2);
    buf_put(&b, "shop", 5);
    buf_put_str(&b, sql);
    rc = feed(s, EVENT_QUERY, 0, UINT32_MAX, b.data, b.len);
    buf_release(&b);
    return rc;
}

static int gtid(struct stream *s, uint64_t number)
{
    uint8_t body[25] = {0};

    for (int i = 0; i < 8; i++)
        body[17 + i] = (uint8_t)(number >> (8 * i));
    return feed(s, EVENT_GTID, 0, UINT32_MAX, body, sizeof body);
}

static void start(struct stream *s, const struct decoder_options *options)
{
    memset(s, 0, sizeof *s);
    s->d = decoder_new(options);
    buf_init(&s->out, 1 << 20);
    s->pos = 4;
    assert_int_equal(rotate(s, EVENT_FLAG_ARTIFICIAL, 0, 4, "mysql-bin.000001"), 0);
    assert_int_equal(describe(s, false), 0);
}

static void stream_stop(struct stream *s)
{
    decoder_free(s->d);
    buf_release(&s->out);
}

#define GAVE(s, text) assert_string_equal(buf_cstr(&(s)->out), text)
#define ZERO "00000000-0000-0000-0000-000000000000"

static void assert_stops(struct stream *s, int rc, enum err_code code, const char *words)
{
    assert_int_equal(rc, -1);
    if (s->err.code != code)
        fail_msg("%s: %s", err_code_name(s->err.code), s->err.text);
    if (!strstr(s->err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", s->err.text, words);
    if (!strstr(s->err.text, "offset"))
        fail_msg("\"%s\" has no position", s->err.text);
}

static void connection(void **state)
{
    struct stream s;
    const struct position *p;

    (void)state;
    start(&s, NULL);
    p = decoder_position(s.d);
    assert_string_equal(p->file, "mysql-bin.000001");
    assert_int_equal(p->offset, 4);
    assert_int_equal(gtid(&s, 1), 0);
    GAVE(&s, "{\"item\": \"begin\", \"gtid\": \"" ZERO ":1\"}\n");
    assert_true(decoder_in_transaction(s.d));
    assert_int_equal(query(&s, "ALTER TABLE t ADD x INT"), 0);
    GAVE(&s, "{\"item\": \"alter table\", \"table\": \"shop.t\", \"sql\": \"ALTER TABLE t ADD x INT\"}\n"
             "{\"item\": \"commit\", \"gtids\": \"" ZERO ":1\"}\n");
    assert_int_equal(p->offset, s.pos);
    assert_false(decoder_in_transaction(s.d));
    assert_int_equal(feed(&s, EVENT_HEARTBEAT, 0, 99999, "mysql-bin.000001", 16), 0);
    GAVE(&s, "{\"item\": \"heartbeat\"}\n");
    assert_int_equal(feed(&s, EVENT_HEARTBEAT_V2, 0, 0, "\1\1x", 3), 0);
    assert_int_equal(p->offset, s.pos);
    /* A real rotate, then the one that the server makes up for the connection, with the format of the next file. */
    assert_int_equal(rotate(&s, 0, UINT32_MAX, 4, "mysql-bin.000002"), 0);
    GAVE(&s, "{\"item\": \"rotate\"}\n");
    assert_string_equal(p->file, "mysql-bin.000002");
    assert_int_equal(p->offset, 4);
    assert_int_equal(rotate(&s, EVENT_FLAG_ARTIFICIAL, 0, 4, "mysql-bin.000002"), 0);
    GAVE(&s, "");
    s.pos = 4;
    assert_int_equal(describe(&s, false), 0);
    assert_int_equal(feed(&s, EVENT_STOP, 0, UINT32_MAX, "", 0), 0);
    stream_stop(&s);
}

static void no_gtids(void **state)
{
    struct stream s;
    char expected[200];
    uint32_t begin;

    (void)state;
    start(&s, NULL);
    begin = s.pos;
    assert_int_equal(query(&s, "BEGIN"), 0);
    snprintf(expected, sizeof expected, "{\"item\": \"begin\", \"gtid\": \"mysql-bin.000001:%u\"}\n", begin);
    GAVE(&s, expected);
    assert_int_equal(feed(&s, EVENT_XID, 0, UINT32_MAX, "\1\0\0\0\0\0\0\0", 8), 0);
    GAVE(&s, "{\"item\": \"commit\", \"gtids\": \"\"}\n");
    assert_int_equal(decoder_position(s.d)->flavor, GTID_FILE);
    /* One statement opens and closes its transaction. */
    assert_int_equal(query(&s, "TRUNCATE other.t"), 0);
    assert_non_null(strstr(buf_cstr(&s.out), "\"begin\""));
    assert_non_null(strstr(buf_cstr(&s.out), "\"truncate table\", \"table\": \"other.t\""));
    assert_non_null(strstr(buf_cstr(&s.out), "\"commit\""));
    /* A GTID, and then none again. */
    assert_int_equal(gtid(&s, 7), 0);
    assert_int_equal(query(&s, "FLUSH PRIVILEGES"), 0);
    assert_int_equal(query(&s, "BEGIN"), 0);
    assert_int_equal(query(&s, "COMMIT"), 0);
    GAVE(&s, "{\"item\": \"commit\", \"gtids\": \"" ZERO ":7\"}\n");
    stream_stop(&s);
}

static void large_files(void **state)
{
    struct stream s;
    struct position at;

    (void)state;
    start(&s, NULL);
    position_init(&at);
    strcpy(at.file, "mysql-bin.000001");
    at.offset = 0xffffff00u;
    decoder_start_at(s.d, &at);
    s.pos = 0xffffff00u - 57 - 42 - 5 - 19;
    assert_int_equal(describe(&s, false), 0);
    assert_int_equal(
        query(&s, "CREATE DATABASE "
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                  "aaaaaaaaaaaaaa"),
        0);
    assert_true(s.pos < 1000);
    assert_int_equal(decoder_position(s.d)->offset, (1ull << 32) + s.pos);
    position_release(&at);
    stream_stop(&s);
}

static void stops(void **state)
{
    static const uint8_t incident[] = {1, 0, 4, 'l', 'o', 's', 't'};
    struct decoder_options lenient = {.dml_statements_stop = false, .xa_at_prepare = true};
    struct stream s;

    (void)state;
    start(&s, NULL);
    assert_stops(&s, feed(&s, EVENT_INCIDENT, 0, UINT32_MAX, incident, sizeof incident), ERR_UNSUPPORTED, "lost");
    assert_stops(&s, feed(&s, 99, 0, UINT32_MAX, "x", 1), ERR_UNSUPPORTED, "type 99");
    assert_int_equal(feed(&s, 99, EVENT_FLAG_IGNORABLE, UINT32_MAX, "x", 1), 0);
    assert_stops(&s, feed(&s, EVENT_LOAD, 0, UINT32_MAX, "x", 1), ERR_UNSUPPORTED, "LOAD_EVENT");
    assert_stops(&s, feed(&s, EVENT_XID, 0, UINT32_MAX, "12345678", 8), ERR_MALFORMED, "between two transactions");
    assert_stops(&s, feed(&s, EVENT_WRITE_ROWS, 0, UINT32_MAX, "12345678", 8), ERR_MALFORMED, "outside a transaction");
    assert_stops(&s, query(&s, "INSERT INTO t VALUES (1)"), ERR_UNSUPPORTED, "binlog_format = ROW");
    stream_stop(&s);

    start(&s, NULL);
    assert_int_equal(gtid(&s, 1), 0);
    assert_stops(&s, gtid(&s, 2), ERR_MALFORMED, ":1 has no end");
    assert_stops(&s, rotate(&s, 0, UINT32_MAX, 4, "x.000002"), ERR_MALFORMED, "inside the transaction");
    assert_stops(&s, describe(&s, false), ERR_MALFORMED, "crashed");
    assert_stops(&s, query(&s, "XA START X'61',X'',1"), ERR_UNSUPPORTED, "XA");
    assert_int_equal(query(&s, "BEGIN"), 0);
    assert_stops(&s, feed(&s, EVENT_WRITE_ROWS, 0, UINT32_MAX, "\5\0\0\0\0\0\0\0", 8), ERR_MALFORMED, "table id 5");
    stream_stop(&s);

    start(&s, &lenient);
    assert_int_equal(gtid(&s, 1), 0);
    assert_int_equal(query(&s, "XA START X'61',X'',1"), 0);
    assert_int_equal(query(&s, "XA END X'61',X'',1"), 0);
    assert_int_equal(feed(&s, EVENT_XA_PREPARE, 0, UINT32_MAX, "\0\1\0\0\0\1\0\0\0\0\0\0\0a", 14), 0);
    GAVE(&s, "{\"item\": \"commit\", \"gtids\": \"" ZERO ":1\"}\n");
    assert_int_equal(gtid(&s, 2), 0);
    assert_int_equal(query(&s, "XA COMMIT X'61',X'',1"), 0);
    assert_int_equal(gtid(&s, 3), 0);
    assert_stops(&s, query(&s, "XA ROLLBACK X'61',X'',1"), ERR_UNSUPPORTED, "rolls back");
    stream_stop(&s);

    start(&s, &lenient);
    assert_int_equal(query(&s, "UPDATE t SET a = 1"), 0);
    assert_non_null(strstr(buf_cstr(&s.out), "\"item\": \"dml\""));
    stream_stop(&s);
}

static void must_begin_with_the_format(void **state)
{
    struct stream s = {0};

    (void)state;
    s.d = decoder_new(NULL);
    buf_init(&s.out, 1 << 20);
    assert_int_equal(gtid(&s, 1), -1);
    assert_int_equal(s.err.code, ERR_MALFORMED);
    stream_stop(&s);
}

/* A table map without names: what a server with binlog_row_metadata=MINIMAL sends. */
static void needs_full_metadata(void **state)
{
    static const uint8_t map[] = {5, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, 3, 0, 1, 1, 1, 0x80};
    struct stream s;

    (void)state;
    start(&s, NULL);
    assert_int_equal(gtid(&s, 1), 0);
    assert_int_equal(query(&s, "BEGIN"), 0);
    assert_stops(&s, feed(&s, EVENT_TABLE_MAP, 0, UINT32_MAX, map, sizeof map), ERR_MYSQL_SETTING,
                 "binlog_row_metadata = FULL");
    stream_stop(&s);
}

static void unknown_in_table_maps(void **state)
{
    static const uint8_t tag[] = {5, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, 3, 0, 1, 77, 1, 0x80};
    static const uint8_t type[] = {5, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, 200, 0, 1, 4, 2, 1, 'a'};
    struct stream s;

    (void)state;
    start(&s, NULL);
    assert_int_equal(gtid(&s, 1), 0);
    assert_int_equal(query(&s, "BEGIN"), 0);
    assert_stops(&s, feed(&s, EVENT_TABLE_MAP, 0, UINT32_MAX, tag, sizeof tag), ERR_UNSUPPORTED, "tag 77");
    assert_stops(&s, feed(&s, EVENT_TABLE_MAP, 0, UINT32_MAX, type, sizeof type), ERR_UNSUPPORTED, "type code 200");
    stream_stop(&s);
}

static bool wants_e(void *arg, const char *database, const char *table)
{
    ++*(int *)arg;
    assert_string_equal(table, "t");
    return !strcmp(database, "e");
}

/* A table that nobody wants need not be understood; the others are numbered as if it was not there. */
static void unknown_and_not_wanted(void **state)
{
    static const uint8_t tag[] = {5, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, 3, 0, 1, 77, 1, 0x80};
    static const uint8_t type[] = {6, 0, 0, 0, 0, 0, 1, 0, 1, 'e', 0, 1, 't', 0, 1, 200, 0, 1, 4, 2, 1, 'a'};
    static const uint8_t name[] = {7, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 0xff, 0, 1, 200, 0, 1, 4, 2, 1, 'a'};
    static const uint8_t map[] = {8, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 'u', 0, 1, 3, 0, 0, 4, 2, 1, 'a', 1, 1, 0};
    static const uint8_t odd[] = {5, 0, 0, 0, 0, 0, 1, 0, 2, 0, 9, 9, 9, 7, 0, 0};
    static const uint8_t rows[] = {8, 0, 0, 0, 0, 0, 1, 0, 2, 0, 1, 1, 0, 7, 0, 0, 0};
    int asked = 0;
    struct decoder_options o = {.wanted = wants_e, .wanted_arg = &asked};
    struct stream s;

    (void)state;
    start(&s, &o);
    for (uint64_t round = 0; round < 2; round++) {
        assert_int_equal(gtid(&s, 1 + round), 0);
        assert_int_equal(query(&s, "BEGIN"), 0);
        assert_int_equal(feed(&s, EVENT_TABLE_MAP, 0, UINT32_MAX, tag, sizeof tag), 0);
        assert_int_equal(s.err.code, ERR_NONE);
        assert_int_equal(feed(&s, EVENT_TABLE_MAP, 0, UINT32_MAX, map, sizeof map), 0);
        buf_clear(&s.out);
        assert_int_equal(feed(&s, EVENT_WRITE_ROWS, 0, UINT32_MAX, odd, sizeof odd), 0);
        GAVE(&s, "");
        assert_int_equal(feed(&s, EVENT_WRITE_ROWS, 0, UINT32_MAX, rows, sizeof rows), 0);
        GAVE(&s, "{\"item\": \"c\", \"table\": \"d.u\", \"index\": 0, \"after\": {\"a\": 7}}\n");
        assert_int_equal(asked, 1);
        if (round) {
            assert_stops(&s, feed(&s, EVENT_TABLE_MAP, 0, UINT32_MAX, type, sizeof type), ERR_UNSUPPORTED,
                         "type code 200");
            assert_stops(&s, feed(&s, EVENT_TABLE_MAP, 0, UINT32_MAX, name, sizeof name), ERR_MALFORMED, "table name");
        } else {
            assert_int_equal(feed(&s, EVENT_XID, 0, UINT32_MAX, "12345678", 8), 0);
        }
    }
    assert_int_equal(asked, 2);
    stream_stop(&s);
}

/* d.t (a INT NOT NULL), id 5: rows keep their place in the transaction over events, tables and the caller's habits. */
static void rows_are_numbered(void **state)
{
    static const uint8_t map[] = {5, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, 3, 0, 0, 4, 2, 1, 'a', 1, 1, 0};
    static const uint8_t rows[] = {5, 0, 0, 0, 0, 0, 1, 0, 2, 0, 1, 1, 0, 7, 0, 0, 0, 0, 8, 0, 0, 0};
    struct stream s;
    struct item item;
    struct buf b;

    (void)state;
    start(&s, NULL);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(gtid(&s, 1 + (uint64_t)round), 0);
        assert_int_equal(query(&s, "BEGIN"), 0);
        assert_int_equal(feed(&s, EVENT_TABLE_MAP, 0, UINT32_MAX, map, sizeof map), 0);
        assert_non_null(strstr(buf_cstr(&s.out), "\"item\": \"table\", \"name\": \"d.t\""));
        assert_int_equal(feed(&s, EVENT_WRITE_ROWS, 0, UINT32_MAX, rows, sizeof rows), 0);
        GAVE(&s, "{\"item\": \"c\", \"table\": \"d.t\", \"index\": 0, \"after\": {\"a\": 7}}\n"
                 "{\"item\": \"c\", \"table\": \"d.t\", \"index\": 1, \"after\": {\"a\": 8}}\n");
        assert_int_equal(feed(&s, EVENT_TABLE_MAP, 0, UINT32_MAX, map, sizeof map), 0);
        GAVE(&s, ""); /* seen in this transaction */
        /* A caller that does not look at the rows. */
        buf_init(&b, 1000);
        put_le(&b, 0, 4);
        buf_put_u8(&b, EVENT_WRITE_ROWS);
        put_le(&b, 1, 4);
        put_le(&b, 19 + sizeof rows, 4);
        put_le(&b, s.pos += 19 + (uint32_t)sizeof rows, 4);
        put_le(&b, 0, 2);
        buf_put(&b, rows, sizeof rows);
        assert_int_equal(decoder_feed(s.d, b.data, b.len, NULL), 0);
        assert_int_equal(decoder_next(s.d, &item, NULL), 0);
        assert_int_equal(item.kind, ITEM_ROWS);
        assert_int_equal(item.first_index, 2);
        assert_int_equal(item.source->thread_id, 77);
        assert_int_equal(item.source->offset, s.pos - 19 - sizeof rows);
        assert_int_equal(decoder_feed(s.d, b.data, b.len, NULL), -1); /* not before ITEM_NONE */
        assert_int_equal(decoder_next(s.d, &item, NULL), 0);
        assert_int_equal(item.kind, ITEM_NONE);
        buf_release(&b);
        assert_int_equal(feed(&s, EVENT_WRITE_ROWS, 0, UINT32_MAX, rows, sizeof rows), 0);
        assert_non_null(strstr(buf_cstr(&s.out), "\"index\": 5"));
        if (!round)
            assert_stops(&s, query(&s, "ROLLBACK"), ERR_UNSUPPORTED, "InnoDB");
        assert_int_equal(feed(&s, EVENT_XID, 0, UINT32_MAX, "12345678", 8), 0);
        /* The table map held for its transaction alone. */
        assert_stops(&s, feed(&s, EVENT_WRITE_ROWS, 0, UINT32_MAX, rows, sizeof rows), ERR_MALFORMED, "outside");
    }
    stream_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connection),
        cmocka_unit_test(no_gtids),
        cmocka_unit_test(large_files),
        cmocka_unit_test(stops),
        cmocka_unit_test(must_begin_with_the_format),
        cmocka_unit_test(needs_full_metadata),
        cmocka_unit_test(unknown_in_table_maps),
        cmocka_unit_test(unknown_and_not_wanted),
        cmocka_unit_test(rows_are_numbered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
