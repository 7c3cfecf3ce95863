/* test_event_source: files as a source, and an interrupt. Real servers: integration/scenarios/source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binlog/event.h"
#include "mysql/event_source.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/pillion-source.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* A file of one event without a body. */
static void write_file(char path[96], const char *name, uint8_t type)
{
    uint8_t bytes[4 + EVENT_HEADER] = {0xfe, 'b', 'i', 'n'};
    FILE *f;

    bytes[4 + 4] = type;
    bytes[4 + 9] = EVENT_HEADER;
    bytes[4 + 13] = sizeof bytes;
    snprintf(path, 96, "%s/%s", folder, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
    fclose(f);
}

static void expect(struct event_source *s, uint8_t type, const char *file)
{
    const uint8_t *event;
    struct err err = ERR_INIT;
    size_t len;

    assert_true(event_source_pending(s));
    if (event_source_fetch(s, &event, &len, &err) != 1)
        fail_msg("%s", err.text);
    assert_int_equal(event[4], type);
    assert_int_equal(event[9], len);
    if (type == EVENT_ROTATE) {
        assert_int_equal(event[17], EVENT_FLAG_ARTIFICIAL);
        assert_int_equal(event[EVENT_HEADER], 4);
        assert_int_equal(len, EVENT_HEADER + 8 + strlen(file));
        assert_memory_equal(event + EVENT_HEADER + 8, file, strlen(file));
    }
}

static void reads_files_as_a_server_streams_them(void **state)
{
    char a[96], b[96];
    const char *paths[2] = {a, b};
    struct event_source *s;
    struct err err = ERR_INIT;
    struct position position;
    const uint8_t *event;
    size_t len;

    (void)state;
    write_file(a, "mysql-bin.000001", EVENT_STOP);
    write_file(b, "mysql-bin.000002", EVENT_HEARTBEAT);
    assert_int_equal(event_source_open_files(&s, paths, 2, &err), 0);
    assert_null(event_source_facts(s));
    expect(s, EVENT_ROTATE, "mysql-bin.000001");
    expect(s, EVENT_STOP, "");
    expect(s, EVENT_ROTATE, "mysql-bin.000002");
    expect(s, EVENT_HEARTBEAT, "");
    assert_int_equal(event_source_fetch(s, &event, &len, &err), 0);
    position_init(&position);
    assert_int_equal(event_source_server_position(s, &position, &err), -1);
    position_release(&position);
    event_source_interrupt(s);
    assert_int_equal(event_source_fetch(s, &event, &len, &err), -1);
    assert_int_equal(err.code, ERR_STOPPED);
    event_source_close(s);
    assert_int_equal(unlink(b), 0);
    assert_int_equal(event_source_open_files(&s, paths, 2, &err), -1);
    assert_int_equal(err.code, ERR_FILE);
    assert_non_null(strstr(err.text, b));
    assert_null(s);
    assert_int_equal(unlink(a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_files_as_a_server_streams_them)};

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
