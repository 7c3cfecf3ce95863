/* test_checkpoint: there and back, what is refused, and bytes that are not a checkpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "checkpoint/checkpoint.h"

static const char valid[] =
    "{\"format\":1,\"name\":\"main\",\"flavor\":\"mysql\",\"server_uuid\":\"3e11fa47-71ca-11e1-9e33-c80aa9429562\","
    "\"gtids\":\"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:8\",\"file\":\"bin.000002\",\"offset\":4711,\"commit_us\":5,"
    "\"epoch\":2,\"written_us\":6,\"topics\":{\"p.shop.rides\":[1,0,7],\"p.shop.users\":[9223372036854775807]},"
    "\"later\":[]}";

static void there_and_back(void **state)
{
    struct checkpoint c, d;
    struct buf out;
    struct err err = ERR_INIT;

    (void)state;
    checkpoint_init(&c);
    checkpoint_init(&d);
    buf_init(&out, CHECKPOINT_BYTES_MAX);
    assert_int_equal(checkpoint_decode(&c, valid, strlen(valid), &err), 0);
    assert_int_equal(checkpoint_encode(&c, &out, &err), 0);
    assert_int_equal(checkpoint_decode(&d, out.data, out.len, &err), 0);
    assert_string_equal(d.name, "main");
    assert_int_equal(d.epoch, 2);
    assert_int_equal(d.position.flavor, GTID_MYSQL);
    assert_string_equal(d.position.server_uuid, "3e11fa47-71ca-11e1-9e33-c80aa9429562");
    assert_string_equal(d.position.file, "bin.000002");
    assert_int_equal(d.position.offset, 4711);
    assert_int_equal(d.position.commit_us, 5);
    assert_int_equal(d.written_us, 6);
    assert_true(gtid_set_equal(c.position.gtids, d.position.gtids));
    assert_false(gtid_set_empty(d.position.gtids));
    assert_int_equal(d.n_topics, 2);
    assert_int_equal(checkpoint_end(&d, "p.shop.rides", 2), 7);
    assert_int_equal(checkpoint_end(&d, "p.shop.rides", 3), 0);
    assert_int_equal(checkpoint_end(&d, "p.shop.rides", -1), 0);
    assert_int_equal(checkpoint_end(&d, "p.shop", 0), 0);
    assert_int_equal(checkpoint_end(&d, "p.shop.users", 0), INT64_MAX);
    assert_int_equal(checkpoint_partitions(&d, "p.shop.rides"), 3);
    checkpoint_release(&c);
    checkpoint_release(&d);
    buf_release(&out);
}

/* A log begun with GTIDs turned on, which are turned off now: its head tells a set, its transactions have none. */
static void a_file_position_may_know_gtids(void **state)
{
    struct checkpoint c, d;
    struct buf out;
    struct err err = ERR_INIT;

    (void)state;
    checkpoint_init(&c);
    checkpoint_init(&d);
    buf_init(&out, CHECKPOINT_BYTES_MAX);
    assert_int_equal(checkpoint_decode(&c, valid, strlen(valid), &err), 0);
    c.position.flavor = GTID_FILE;
    assert_int_equal(checkpoint_encode(&c, &out, &err), 0);
    if (checkpoint_decode(&d, out.data, out.len, &err))
        fail_msg("%s", err.text);
    assert_int_equal(d.position.flavor, GTID_FILE);
    assert_string_equal(d.position.file, "bin.000002");
    assert_int_equal(d.position.offset, 4711);
    assert_true(gtid_set_empty(d.position.gtids));
    checkpoint_release(&c);
    checkpoint_release(&d);
    buf_release(&out);
}

static void mariadb_keeps_the_newest_of_each_domain(void **state)
{
    struct checkpoint c, d;
    struct buf out;
    struct err err = ERR_INIT;
    struct gtid g;

    (void)state;
    checkpoint_init(&c);
    checkpoint_init(&d);
    buf_init(&out, CHECKPOINT_BYTES_MAX);
    c.name = xstrdup("m");
    c.position.flavor = GTID_MARIADB;
    for (int i = 0; i < 3; i++) {
        static const char *const text[] = {"0-1-7", "2-1-9", "0-3-8"};

        assert_int_equal(gtid_parse(&g, text[i], &err), 0);
        assert_int_equal(gtid_set_add(c.position.gtids, &g, &err), 0);
    }
    checkpoint_set_end(&c, "t", 1, 12);
    checkpoint_set_partitions(&c, "t", 4);
    checkpoint_set_partitions(&c, "none", 0);
    assert_int_equal(checkpoint_encode(&c, &out, &err), 0);
    assert_non_null(strstr(buf_cstr(&out), "\"gtids\":\"0-3-8,2-1-9\""));
    assert_non_null(strstr(buf_cstr(&out), "\"topics\":{\"t\":[0,12,0,0]}"));
    assert_int_equal(checkpoint_decode(&d, out.data, out.len, &err), 0);
    checkpoint_forget_topic(&d, "t");
    checkpoint_forget_topic(&d, "t");
    assert_int_equal(d.n_topics, 0);
    checkpoint_release(&c);
    checkpoint_release(&d);
    buf_release(&out);
}

/* Replaces the first `from` in a copy of the valid record. */
static void refuse(const char *from, const char *to, const char *word)
{
    struct checkpoint c;
    struct err err = ERR_INIT;
    const char *at = strstr(valid, from);
    char *text;

    assert_non_null(at);
    text = xasprintf("%.*s%s%s", (int)(at - valid), valid, to, at + strlen(from));
    checkpoint_init(&c);
    assert_int_equal(checkpoint_decode(&c, text, strlen(text), &err), -1);
    assert_int_equal(err.code, ERR_CHECKPOINT);
    if (!strstr(err.text, word))
        fail_msg("\"%s\" does not name %s", err.text, word);
    checkpoint_release(&c);
    free(text);
}

static void what_is_not_a_checkpoint_is_refused(void **state)
{
    struct checkpoint c;
    struct err err = ERR_INIT;

    (void)state;
    refuse("\"format\":1", "\"format\":2", "format 2");
    refuse("\"format\":1,", "", "format");
    refuse("\"name\":\"main\"", "\"name\":7", "name");
    refuse("\"mysql\"", "\"oracle\"", "flavor");
    refuse("3e11fa47-71ca-11e1-9e33-c80aa9429562\"", "3e11fa47-71ca-11e1-9e33-c80aa9429562f\"", "server_uuid");
    refuse(":1-5:8", ":0", "gtids");
    refuse("4711", "-1", "offset");
    refuse("4711", "1.5", "offset");
    refuse("\"epoch\":2", "\"epoch\":4294967296", "epoch");
    refuse("[1,0,7]", "[]", "topics");
    refuse("[1,0,7]", "[1,-1]", "topics");
    refuse("[1,0,7]", "3", "topics");
    refuse("\"file\":\"bin.000002\"", "\"file\":\"bin\\u0000\"", "JSON");
    refuse("\"epoch\":2", "\"epoch\":2,\"epoch\":3", "JSON");
    checkpoint_init(&c);
    for (size_t n = 0; n < strlen(valid); n++)
        assert_int_equal(checkpoint_decode(&c, valid, n, &err), -1);
    assert_int_equal(checkpoint_decode(&c, "[]", 2, &err), -1);
    assert_int_equal(checkpoint_decode(&c, valid, (size_t)CHECKPOINT_BYTES_MAX + 1, &err), -1);
    checkpoint_release(&c);
}

static void a_cap_is_an_error_not_a_cut(void **state)
{
    struct checkpoint c;
    struct buf out;
    struct err err = ERR_INIT;

    (void)state;
    checkpoint_init(&c);
    buf_init(&out, 60);
    assert_int_equal(checkpoint_decode(&c, valid, strlen(valid), &err), 0);
    assert_int_equal(checkpoint_encode(&c, &out, &err), -1);
    assert_int_equal(err.code, ERR_CHECKPOINT);
    checkpoint_release(&c);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(a_file_position_may_know_gtids),
        cmocka_unit_test(mariadb_keeps_the_newest_of_each_domain),
        cmocka_unit_test(what_is_not_a_checkpoint_is_refused),
        cmocka_unit_test(a_cap_is_an_error_not_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
