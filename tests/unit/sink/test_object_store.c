/* The promises of sink/object_store.h, the same for every store. PILLION_TEST_OBJECTS, _ENDPOINT, _ACCESS_KEY and
 * _SECRET_KEY give a bucket (the scenario `stores`); without them a temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sink/object_store.h"

static struct object_store *store;
static char folder[] = "/tmp/pillion-test-XXXXXX";
static char names[32][64];
static int n_names;

static int note(void *arg, const char *name, size_t size, struct err *err)
{
    (void)arg, (void)err, (void)size;
    snprintf(names[n_names++ % 32], sizeof names[0], "%s", name);
    return 0;
}

static bool put(const char *name, const char *text)
{
    struct err err = ERR_INIT;
    bool created;

    if (store->ops->put_if_absent(store, name, text, strlen(text), &created, &err) < 0)
        fail_msg("%s", err.text);
    return created;
}

static void test_put_once(void **state)
{
    struct err err = ERR_INIT;
    struct buf b;
    bool found;

    (void)state;
    buf_init(&b, 1000);
    assert_true(put("a/epoch=1/partition=0/00000000000000000000.avro", "first"));
    assert_false(put("a/epoch=1/partition=0/00000000000000000000.avro", "second"));
    if (store->ops->get(store, "a/epoch=1/partition=0/00000000000000000000.avro", &b, &found, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(found);
    assert_string_equal(buf_cstr(&b), "first");
    if (store->ops->get(store, "a/none", &b, &found, &err) < 0)
        fail_msg("%s", err.text);
    assert_false(found);
    assert_true(put("a/empty", ""));
    assert_true(put("odd/caf\xc3\xa9 +&%=~*'()", "x"));
    if (store->ops->get(store, "odd/caf\xc3\xa9 +&%=~*'()", &b, &found, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(found);
    buf_release(&b);
}

static void test_list_in_order(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    put("l/p=1/3", "ccc");
    put("l/p=1/1", "a");
    put("l/p=1/2", "bb");
    put("l/p=10/1", "d");
    put("m/1", "e");
    n_names = 0;
    if (store->ops->list(store, "l/p=1/", NULL, note, NULL, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(n_names, 3);
    assert_string_equal(names[0], "l/p=1/1");
    assert_string_equal(names[2], "l/p=1/3");
    n_names = 0;
    if (store->ops->list(store, "l/", "l/p=1/1", note, NULL, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(n_names, 3);
    assert_string_equal(names[0], "l/p=1/2");
    assert_string_equal(names[2], "l/p=10/1");
}

static void test_cap(void **state)
{
    struct err err = ERR_INIT;
    struct buf b;
    bool found;

    (void)state;
    buf_init(&b, 8);
    put("big", "more than eight bytes");
    assert_int_equal(store->ops->get(store, "big", &b, &found, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    buf_release(&b);
}

static void test_names_stay_inside(void **state)
{
    static const char *const bad[] = {"", "/etc/x", "a/../b", "../b", "a//b", "a/", ".hidden"};
    struct object_store *s;
    struct object_store_options o = {0};
    struct err err = ERR_INIT;
    char *url = xasprintf("file://%s", folder);
    bool created;

    (void)state;
    o.url = url;
    assert_int_equal(object_store_open(&s, &o, &err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(s->ops->put_if_absent(s, bad[i], "x", 1, &created, &err), -1);
    s->ops->free(s);
    free(url);
}

static void test_bad_addresses(void **state)
{
    struct object_store *s;
    struct object_store_options o = {.url = "gs://x"};
    struct err err = ERR_INIT;
    bool created;

    (void)state;
    assert_int_equal(object_store_open(&s, &o, &err), -1);
    o.url = "s3://bucket";
    assert_int_equal(object_store_open(&s, &o, &err), -1); /* no keys */
    assert_int_equal(err.code, ERR_STORE_CONFIG);
    o.access_key = "a";
    o.secret_key = "secret-never-shown";
    o.endpoint = "http://127.0.0.1:1";
    err_clear(&err);
    assert_int_equal(object_store_open(&s, &o, &err), 0);
    assert_int_equal(s->ops->put_if_absent(s, "x", "y", 1, &created, &err), -1);
    assert_int_equal(err_class(&err), ERR_CLASS_RETRY);
    assert_null(strstr(err.text, "secret-never-shown"));
    s->ops->free(s);
}

static int open_store(void **state)
{
    const char *url = getenv("PILLION_TEST_OBJECTS");
    char *file = NULL;
    struct object_store_options o = {.endpoint = getenv("PILLION_TEST_ENDPOINT"),
                                     .access_key = getenv("PILLION_TEST_ACCESS_KEY"),
                                     .secret_key = getenv("PILLION_TEST_SECRET_KEY")};
    struct err err = ERR_INIT;

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    o.url = url ? url : (file = xasprintf("file://%s", folder));
    if (object_store_open(&store, &o, &err) < 0 || store->ops->ping(store, &err) < 0)
        fail_msg("%s", err.text);
    free(file);
    return 0;
}

static int remove_all(const char *path)
{
    char *command[] = {(char[]){"rm"}, (char[]){"-rf"}, NULL, NULL};
    pid_t pid = fork();

    command[2] = xstrdup(path);
    if (pid == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    free(command[2]);
    return pid < 0 ? -1 : 0;
}

static int close_store(void **state)
{
    (void)state;
    store->ops->free(store);
    return remove_all(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_once),          cmocka_unit_test(test_list_in_order), cmocka_unit_test(test_cap),
        cmocka_unit_test(test_names_stay_inside), cmocka_unit_test(test_bad_addresses),
    };

    return cmocka_run_group_tests(tests, open_store, close_store);
}
