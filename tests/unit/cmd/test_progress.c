/* test_progress: log lines while something moves, silence while nothing does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/metric.h"
#include "unit/cmd/parts.h"

/* What one tick writes on standard error. */
static void tick(struct progress *p, char *out, size_t size)
{
    FILE *f = tmpfile();
    int saved = dup(STDERR_FILENO);
    size_t n;

    assert_non_null(f);
    fflush(stderr);
    dup2(fileno(f), STDERR_FILENO);
    p->next_us = 0;
    progress_tick(p);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(f);
    n = fread(out, 1, size - 1, f);
    out[n] = 0;
    fclose(f);
}

static void lines_only_while_something_moves(void **state)
{
    const char *const labels[] = {"shop.rides", "c"};
    struct capture capture = {.status = {.state = CAPTURE_STREAM, .events = 40, .lag_us = 2500000}};
    struct merger merger = {.backlog = -1};
    struct progress p;
    char text[1024];

    (void)state;
    progress_init(&p, &capture, &merger);
    p.terminal = false;
    tick(&p, text, sizeof text);
    assert_string_equal(text, "");
    metric_add(metric_series(M_CAPTURE_EVENTS, labels), 40);
    tick(&p, text, sizeof text);
    assert_non_null(strstr(text, "capture stream: 40 events, "));
    assert_non_null(strstr(text, "lag 2.5 s | merge: 0 records, "));
    assert_non_null(strstr(text, "0 behind"));
    tick(&p, text, sizeof text);
    assert_string_equal(text, "");
    progress_end(&p);
}

static void a_terminal_line_renews_itself(void **state)
{
    struct merger merger = {.backlog = 3};
    struct progress p;
    char text[1024];

    (void)state;
    progress_init(&p, NULL, &merger);
    p.terminal = true;
    tick(&p, text, sizeof text);
    assert_int_equal(strncmp(text, "\r\033[Kmerge: ", 11), 0);
    assert_non_null(strstr(text, "3 behind"));
    assert_null(strchr(text, '\n'));
    assert_true(p.shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_only_while_something_moves),
        cmocka_unit_test(a_terminal_line_renews_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
