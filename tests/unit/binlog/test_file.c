/* Binlog files on disk: whole, cut at every byte, encrypted, and no binlog at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "binlog/event.h"
#include "binlog/file.h"

static char folder[] = "/tmp/pillion-file-XXXXXX";
static char path[64];

static void put(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static size_t load(const char *name, uint8_t *out, size_t size)
{
    FILE *f = fopen(name, "rb");
    size_t n;

    assert_non_null(f);
    n = fread(out, 1, size, f);
    fclose(f);
    return n;
}

static void cut_anywhere(void **state)
{
    static uint8_t bytes[1 << 16];
    size_t n = load(FIXTURES "/binlog/mysql_no_checksum.bin", bytes, sizeof bytes);
    uint64_t last = 4, previous = 0;
    int rc = 0;

    (void)state;
    for (size_t len = 0; len <= n; len++) {
        struct binlog_file f;
        struct err err = ERR_INIT;
        const uint8_t *event;
        size_t event_len;

        put(bytes, len);
        if (binlog_file_open(&f, path, &err)) {
            assert_true(len < 4);
            assert_int_equal(err.code, ERR_MALFORMED);
            continue;
        }
        assert_string_equal(binlog_file_name(&f), "cut.000001");
        do
            rc = binlog_file_next(&f, &event, &event_len, &err);
        while (!rc && event);
        last = f.offset;
        /* Clean at the end of an event, an error with the event's offset inside of it. */
        assert_int_equal(rc, last == len ? 0 : -1);
        if (rc) {
            char offset[32];

            assert_int_equal(err.code, ERR_TRUNCATED);
            snprintf(offset, sizeof offset, "offset %llu", (unsigned long long)last);
            assert_non_null(strstr(err.text, offset));
        } else {
            previous++;
        }
        binlog_file_close(&f);
    }
    assert_int_equal(last, n);
    assert_true(previous > 10);
}

static void grows(void **state)
{
    static uint8_t bytes[1 << 16];
    size_t n = load(FIXTURES "/binlog/mysql_no_checksum.bin", bytes, sizeof bytes), len;
    struct binlog_file f;
    struct err err = ERR_INIT;
    const uint8_t *event;

    (void)state;
    put(bytes, 60);
    assert_int_equal(binlog_file_open(&f, path, &err), 0);
    assert_int_equal(binlog_file_next(&f, &event, &len, &err), -1);
    put(bytes, n); /* the server has written on */
    assert_int_equal(binlog_file_seek(&f, f.offset, &err), 0);
    assert_int_equal(binlog_file_next(&f, &event, &len, &err), 0);
    assert_int_equal(event[4], EVENT_FORMAT_DESCRIPTION);
    assert_int_equal(binlog_file_seek(&f, 3, &err), -1);
    binlog_file_close(&f);
}

static void refused(void **state)
{
    static const uint8_t encrypted[] = {0xfd, 'b', 'i', 'n', 0}, other[] = "#!/bin/sh",
                         start[] = {0xfe, 'b', 'i', 'n', 0, 0, 0, 0, EVENT_START_ENCRYPTION, 0, 0, 0, 0, 19, 0,
                                    0,    0,   0,   0,   0, 0, 0, 0},
                         huge[] = {0xfe, 'b', 'i', 'n', 0,   0, 0, 0, EVENT_QUERY, 0, 0, 0,
                                   0,    255, 255, 255, 255, 0, 0, 0, 0,           0, 0},
                         tiny[] = {0xfe, 'b', 'i', 'n', 0, 0, 0, 0, EVENT_QUERY, 0, 0, 0,
                                   0,    18,  0,   0,   0, 0, 0, 0, 0,           0, 0};
    struct binlog_file f;
    struct err err = ERR_INIT;
    const uint8_t *event;
    size_t len;

    (void)state;
    put(encrypted, sizeof encrypted);
    assert_int_equal(binlog_file_open(&f, path, &err), -1);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "encrypted"));
    put(other, sizeof other);
    assert_int_equal(binlog_file_open(&f, path, &err), -1);
    assert_int_equal(err.code, ERR_MALFORMED);
    put(start, sizeof start);
    assert_int_equal(binlog_file_open(&f, path, &err), 0);
    assert_int_equal(binlog_file_next(&f, &event, &len, &err), -1);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    binlog_file_close(&f);
    put(huge, sizeof huge);
    assert_int_equal(binlog_file_open(&f, path, &err), 0);
    assert_int_equal(binlog_file_next(&f, &event, &len, &err), -1);
    assert_int_equal(err.code, ERR_MALFORMED);
    binlog_file_close(&f);
    put(tiny, sizeof tiny);
    assert_int_equal(binlog_file_open(&f, path, &err), 0);
    assert_int_equal(binlog_file_next(&f, &event, &len, &err), -1);
    assert_int_equal(err.code, ERR_MALFORMED);
    binlog_file_close(&f);
    unlink(path);
    assert_int_equal(binlog_file_open(&f, path, &err), -1);
    assert_int_equal(err.code, ERR_FILE);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/cut.000001", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cut_anywhere), cmocka_unit_test(grows),
                                       cmocka_unit_test(refused)};

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
