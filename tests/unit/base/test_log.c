/* test_log: what base/log writes, read back from a pipe that stands in for standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int saved_stderr;
static int reader;
static char text[65536];

static void catch_stderr(void)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(saved_stderr >= 0);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    close(fds[1]);
    reader = fds[0];
}

static const char *caught(void)
{
    ssize_t n;

    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0); /* the pipe's last writer ends */
    close(saved_stderr);
    n = read(reader, text, sizeof text - 1);
    close(reader);
    assert_true(n >= 0);
    text[n] = 0;
    return text;
}

static void text_line(void **state)
{
    int y, mo, d, h, mi, s, us, at = 0;

    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    catch_stderr();
    errno = EBADF;
    log_info("capture", "read %d rows", 3);
    assert_int_equal(errno, EBADF);
    caught();
    assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &y, &mo, &d, &h, &mi, &s, &us, &at), 7);
    assert_string_equal(text + at, " info  capture: read 3 rows\n");
}

static void levels_filter(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    assert_true(log_enabled(LOG_LEVEL_ERROR) && log_enabled(LOG_LEVEL_WARN) && !log_enabled(LOG_LEVEL_INFO));
    catch_stderr();
    log_info("a", "not this");
    log_debug("a", "nor this");
    log_error("a", "but this");
    caught();
    assert_null(strstr(text, "not this"));
    assert_null(strstr(text, "nor this"));
    assert_non_null(strstr(text, " error a: but this\n"));
}

static void nothing_forges_a_line(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    catch_stderr();
    log_info("a", "one\nerror a: two\x1b[31m\r\xff \xc3\xa4 \xed\xa0\x80");
    caught();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\r'));
    assert_non_null(strstr(text, "one\\nerror a: two [31m \xef\xbf\xbd \xc3\xa4 \xef\xbf\xbd"));
}

static void json_line(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    catch_stderr();
    log_debug("mer\"ge", "say \"%s\" \\ \t\n\x01", "hi");
    caught();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    assert_memory_equal(text, "{\"time\":\"20", 11);
    assert_non_null(strstr(text, "Z\",\"level\":\"debug\",\"facility\":\"mer\\\"ge\",\"text\":"
                                 "\"say \\\"hi\\\" \\\\ \\u0009\\n\\u0001\"}\n"));
}

static void long_texts_are_cut(void **state)
{
    char longer[10000];

    (void)state;
    memset(longer, 1, sizeof longer);
    longer[sizeof longer - 1] = 0;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    catch_stderr();
    log_info("a", "%s", longer);
    caught();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    assert_true(strlen(text) > 6 * 2000 && strlen(text) < 6 * 2048 + 256);
    assert_string_equal(text + strlen(text) - 3, "\"}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_line), cmocka_unit_test(levels_filter),      cmocka_unit_test(nothing_forges_a_line),
        cmocka_unit_test(json_line), cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
