/* test_fault: fault points fire at the pass that was asked for, and a bad spec ends the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static int disarm(void **state)
{
    (void)state;
    fault_setup("");
    return 0;
}

/* Runs spec and hits of "p" in a child; gives its wait status. */
static int in_child(const char *spec, int hits)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(9);
        fault_setup(spec);
        for (int i = 0; i < hits; i++)
            if (FAULT("p"))
                _exit(8);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void off_by_default(void **state)
{
    (void)state;
    unsetenv("PILLION_FAULT");
    fault_setup(NULL);
    assert_false(FAULT("p"));
    assert_false(atomic_load(&fault_armed));
}

static void fails_once_at_its_pass(void **state)
{
    (void)state;
    setenv("PILLION_FAULT", "p:3:err;q:1:err;p:5:err", 1);
    fault_setup(NULL);
    unsetenv("PILLION_FAULT");
    assert_false(FAULT("p"));
    assert_false(FAULT("p"));
    assert_true(FAULT("p"));
    assert_true(FAULT("q"));
    assert_false(FAULT("q"));
    assert_false(FAULT("p"));
    assert_true(FAULT("p"));
    assert_false(FAULT("unknown"));
}

static void sleeps(void **state)
{
    int64_t before;

    (void)state;
    fault_setup("p:1:sleep=50");
    before = clock_mono_us();
    assert_false(FAULT("p"));
    assert_true(clock_mono_us() - before >= 50000);
}

static void kills(void **state)
{
    int status = in_child("p:2:kill", 1);

    (void)state;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = in_child("p:2:kill", 2);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void bad_specs_end_the_process(void **state)
{
    static const char *const bad[] = {"p",         "p:1",       "p:0:kill",     "p:x:kill",   "p:1:kil",  ":1:kill",
                                      "p:1:err;q", "p:1:sleep", "p:1:sleep=9x", "p:1:sleep=", "p:-1:err", "p: 1:err"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int status = in_child(bad[i], 1);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 2)
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void too_many_rules_end_the_process(void **state)
{
    char spec[1000] = "";
    int status;

    (void)state;
    for (int i = 0; i < 33; i++)
        memcpy(spec + strlen(spec), "p:100:err;", 11);
    status = in_child(spec, 1);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    spec[32 * 10] = 0;
    status = in_child(spec, 1);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(off_by_default, disarm),
        cmocka_unit_test_teardown(fails_once_at_its_pass, disarm),
        cmocka_unit_test_teardown(sleeps, disarm),
        cmocka_unit_test_teardown(kills, disarm),
        cmocka_unit_test_teardown(bad_specs_end_the_process, disarm),
        cmocka_unit_test_teardown(too_many_rules_end_the_process, disarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
