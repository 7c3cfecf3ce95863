/* test_mem: base/mem; out of memory and a product that overflows end the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void never_null(void **state)
{
    char *s, *t;

    (void)state;
    free(xmalloc(0));
    free(xcalloc(0, 8));
    s = xcalloc(4, 2);
    assert_memory_equal(s, "\0\0\0\0\0\0\0", 8);
    s = xrealloc(s, 100);
    s = xreallocarray(s, 100, 3);
    free(s);
    s = xstrdup("abc");
    t = xstrndup("abcdef", 4);
    assert_string_equal(s, "abc");
    assert_string_equal(t, "abcd");
    free(t);
    t = xasprintf("%s-%d", s, 7);
    assert_string_equal(t, "abc-7");
    free(t);
    t = xmemdup(s, 2);
    assert_memory_equal(t, "ab", 2);
    free(t);
    xfree_secret(s);
    xfree_secret(NULL);
}

static void an_overflowing_product_aborts(void **state)
{
    int status = 0;
    pid_t pid;

    (void)state;
    pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(9);
        free(xreallocarray(NULL, SIZE_MAX / 2, 3));
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_null),
        cmocka_unit_test(an_overflowing_product_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
