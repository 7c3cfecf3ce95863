/* Container files: read back by ourselves and by Apache's avro-c; equal for equal seeds; damaged ones refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <avro.h>
#include <cmocka.h>

#include "avro/object_file.h"
#include "avro/varint.h"
#include "base/mem.h"

enum { BLOCKS = 3, RECORDS = 1000 };
static const char schema[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"
                             "{\"name\":\"text\",\"type\":\"string\"}]}";

static void put_records(struct buf *b, int64_t first)
{
    uint8_t head[2 * VARINT_ROOM];

    buf_clear(b);
    for (int64_t i = 0; i < RECORDS; i++) {
        uint8_t *at = varint_put(head, first + i);

        at = varint_put(at, 5);
        (void)buf_put(b, head, (size_t)(at - head));
        (void)buf_put_str(b, "hello");
    }
}

static void write_file(struct buf *out, enum object_codec codec, const char *seed)
{
    struct object_meta meta = {.name = "pillion.next", .value = "17", .len = 2};
    struct object_file_writer w;
    struct err err = ERR_INIT;
    struct buf records;

    buf_init(&records, 1 << 20);
    assert_int_equal(object_file_begin(&w, out, schema, codec, seed, strlen(seed), &meta, 1, &err), 0);
    for (int64_t i = 0; i < BLOCKS; i++) {
        put_records(&records, i * RECORDS);
        assert_int_equal(object_file_block(&w, records.data, records.len, RECORDS, &err), 0);
    }
    assert_int_equal(object_file_block(&w, NULL, 0, 0, &err), 0);
    object_file_release(&w);
    buf_release(&records);
}

static void test_reads_itself(void **state)
{
    (void)state;
    for (int codec = OBJECT_NULL; codec <= OBJECT_ZSTANDARD; codec++) {
        struct object_file_reader *r;
        struct err err = ERR_INIT;
        struct buf file, want;
        struct cursor records;
        uint64_t n;
        size_t len;

        buf_init(&file, 1 << 24);
        buf_init(&want, 1 << 20);
        write_file(&file, (enum object_codec)codec, "a/b");
        r = object_file_open(file.data, file.len, &err);
        if (!r)
            fail_msg("%s", err.text);
        assert_memory_equal(object_file_meta(r, "avro.schema", &len), schema, sizeof schema - 1);
        assert_int_equal(len, sizeof schema - 1);
        assert_memory_equal(object_file_meta(r, "pillion.next", &len), "17", 2);
        assert_null(object_file_meta(r, "pillion.none", &len));
        for (int i = 0; i < BLOCKS; i++) {
            put_records(&want, i * RECORDS);
            assert_int_equal(object_file_next(r, &records, &n, &err), 1);
            assert_int_equal(n, RECORDS);
            assert_int_equal(cursor_left(&records), want.len);
            assert_memory_equal(records.p, want.data, want.len);
        }
        assert_int_equal(object_file_next(r, &records, &n, &err), 0);
        object_file_close(r);
        buf_release(&file);
        buf_release(&want);
    }
}

/* avro-c reads files, not memory, and has no zstandard. */
static void test_apache_reads_it(void **state)
{
    (void)state;
    for (int codec = OBJECT_NULL; codec <= OBJECT_DEFLATE; codec++) {
        char path[] = "/tmp/pillion-object-XXXXXX";
        int fd = mkstemp(path);
        avro_file_reader_t reader;
        avro_value_iface_t *class;
        avro_schema_t written;
        avro_value_t value, id;
        struct buf file;
        int64_t want = 0, got;

        assert_true(fd >= 0);
        buf_init(&file, 1 << 24);
        write_file(&file, (enum object_codec)codec, "a/b");
        assert_int_equal(write(fd, file.data, file.len), file.len);
        assert_int_equal(close(fd), 0);
        if (avro_file_reader(path, &reader) != 0)
            fail_msg("avro-c: %s", avro_strerror());
        written = avro_file_reader_get_writer_schema(reader);
        class = avro_generic_class_from_schema(written);
        assert_int_equal(avro_generic_value_new(class, &value), 0);
        while (avro_file_reader_read_value(reader, &value) == 0) {
            assert_int_equal(avro_value_get_by_index(&value, 0, &id, NULL), 0);
            assert_int_equal(avro_value_get_long(&id, &got), 0);
            assert_int_equal(got, want);
            want++;
            avro_value_reset(&value);
        }
        assert_int_equal(want, BLOCKS * RECORDS);
        avro_value_decref(&value);
        avro_value_iface_decref(class);
        avro_schema_decref(written);
        avro_file_reader_close(reader);
        assert_int_equal(unlink(path), 0);
        buf_release(&file);
    }
}

static void test_seed_decides(void **state)
{
    struct buf a, b, c;

    (void)state;
    buf_init(&a, 1 << 24);
    buf_init(&b, 1 << 24);
    buf_init(&c, 1 << 24);
    write_file(&a, OBJECT_DEFLATE, "topic/0/17");
    write_file(&b, OBJECT_DEFLATE, "topic/0/17");
    write_file(&c, OBJECT_DEFLATE, "topic/0/18");
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    assert_int_equal(a.len, c.len);
    assert_memory_not_equal(a.data, c.data, a.len);
    buf_release(&a);
    buf_release(&b);
    buf_release(&c);
}

/* 0 when the whole file can be read. */
static int read_all(const uint8_t *bytes, size_t len)
{
    struct err err = ERR_INIT;
    struct object_file_reader *r = object_file_open(bytes, len, &err);
    struct cursor records;
    uint64_t n;
    int rc;

    if (!r)
        return -1;
    do
        rc = object_file_next(r, &records, &n, &err);
    while (rc > 0);
    object_file_close(r);
    return rc;
}

static void test_damage(void **state)
{
    static const char lzma[] = "Obj\1\4\x16"
                               "avro.schema\x0c\"null\"\x14"
                               "avro.codec\x08lzma\0";
    struct err err = ERR_INIT;
    struct buf file;
    size_t header;

    (void)state;
    for (int codec = OBJECT_NULL; codec <= OBJECT_ZSTANDARD; codec++) {
        struct object_file_writer w;
        size_t good = 0;

        buf_init(&file, 1 << 24);
        assert_int_equal(object_file_begin(&w, &file, schema, (enum object_codec)codec, "x", 1, NULL, 0, &err), 0);
        header = file.len;
        assert_int_equal(object_file_block(&w, (const uint8_t *)"\2\4ab\4\4cd", 8, 2, &err), 0);
        object_file_release(&w);
        for (size_t len = 0; len < file.len; len++) {
            uint8_t *cut = xmemdup(file.data, len ? len : 1);

            good += read_all(cut, len) == 0;
            free(cut);
        }
        assert_int_equal(good, 1); /* cut behind the header: a file without blocks */
        assert_int_equal(read_all(file.data, header), 0);
        for (size_t i = file.len - OBJECT_SYNC; i < file.len; i++) { /* the marker behind the block */
            file.data[i] ^= 1;
            assert_int_equal(read_all(file.data, file.len), -1);
            file.data[i] ^= 1;
        }
        for (size_t i = 0; i < file.len * 8; i++) {
            uint8_t *bad = xmemdup(file.data, file.len);

            bad[i / 8] ^= (uint8_t)(1u << i % 8);
            (void)read_all(bad, file.len);
            free(bad);
        }
        buf_release(&file);
    }
    assert_null(object_file_open(lzma, sizeof lzma - 1, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_itself),
        cmocka_unit_test(test_apache_reads_it),
        cmocka_unit_test(test_seed_decides),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
