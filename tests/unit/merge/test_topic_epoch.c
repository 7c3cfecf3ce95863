/* A topic's lives, seen by two mergers that share a store. */
#include "base/mem.h"
#include "merge/topic_epoch.h"
#include "sample.h"

static struct document_store *open_store(const char *folder)
{
    char *url = xasprintf("sqlite://%s/d.db", folder);
    struct document_store_options o = {.url = url};
    struct document_store *s;
    struct err err = ERR_INIT;

    if (document_store_open(&s, &o, &err))
        fail_msg("%s", err.text);
    free(url);
    return s;
}

static struct partition_life life_of(struct topic_epochs *t, int32_t partition)
{
    struct partition_life life;
    struct err err = ERR_INIT;

    if (topic_epochs_read(t, "p.shop.users", partition, &life, &err))
        fail_msg("%s", err.text);
    return life;
}

static void test_lives(void **state)
{
    char folder[64];
    struct document_store *sa = open_store(sample_folder(folder)), *sb = open_store(folder);
    struct topic_epochs *a = topic_epochs_new(sa, false), *b = topic_epochs_new(sb, false);
    struct partition_life life;
    struct err err = ERR_INIT;
    uint32_t epoch;

    (void)state;
    assert_int_equal(topic_epochs_ensure(a, &err), 0);
    life = life_of(a, 0);
    assert_int_equal(life.epoch, 1);
    assert_true(life.behind);
    assert_int_equal(topic_epochs_keep(a, "p.shop.users", 0, 1, 0, 0, &err), 0);
    life = life_of(b, 0);
    assert_int_equal(life.epoch, 1);
    assert_false(life.behind);
    assert_false(life.mark_known);
    assert_int_equal(topic_epochs_keep(a, "p.shop.users", 0, 1, 50, 0xffffffffffffff00u, &err), 0);
    life = life_of(b, 0);
    assert_true(life.mark_known);
    assert_int_equal(life.next, 50);
    assert_true(life.mark == 0xffffffffffffff00u);
    assert_true(life_of(b, 1).behind);
    assert_int_equal(topic_epochs_keep(b, "p.shop.users", 1, 1, 7, 9, &err), 0);
    /* both see that the topic was made anew: it is raised once */
    assert_int_equal(topic_epochs_raise(a, "p.shop.users", 1, &epoch, &err), 0);
    assert_int_equal(epoch, 2);
    assert_int_equal(topic_epochs_raise(b, "p.shop.users", 1, &epoch, &err), 0);
    assert_int_equal(epoch, 2);
    assert_true(life_of(a, 0).behind); /* and every partition starts at its beginning */
    assert_true(life_of(a, 1).behind);
    assert_int_equal(topic_epochs_keep(a, "p.shop.users", 0, 2, 0, 0, &err), 0);
    assert_false(life_of(b, 0).behind);
    assert_int_equal(topic_epochs_keep(b, "p.shop.users", 0, 1, 90, 1, &err), 0); /* a late one of the old life */
    assert_false(life_of(b, 0).behind);
    topic_epochs_free(a);
    topic_epochs_free(b);
    a = topic_epochs_new(sa, true);
    assert_int_equal(life_of(a, 0).epoch, 3);
    assert_int_equal(life_of(a, 1).epoch, 3);
    topic_epochs_free(a);
    sa->ops->free(sa);
    sb->ops->free(sb);
    sample_remove(folder);
}

static void test_marks(void **state)
{
    struct record a = {
        .timestamp_ms = 5, .key = (const uint8_t *)"k", .key_len = 1, .value = (const uint8_t *)"v", .value_len = 1};
    struct record b = a;

    (void)state;
    assert_true(topic_epochs_mark(&a) == topic_epochs_mark(&b));
    b.timestamp_ms = 6;
    assert_true(topic_epochs_mark(&a) != topic_epochs_mark(&b));
    b = a;
    b.value = NULL;
    b.value_len = 0;
    assert_true(topic_epochs_mark(&a) != topic_epochs_mark(&b));
    b = a;
    b.key = (const uint8_t *)"l";
    assert_true(topic_epochs_mark(&a) != topic_epochs_mark(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lives), cmocka_unit_test(test_marks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
