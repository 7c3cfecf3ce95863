/* test_operator: `why` and `parked` on a SQLite file with rows that are visible, deleted, held back, parked, or not
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/command.h"
#include "merge/parked.h"
#include "sink/document_store.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/pillion-operator.XXXXXX";

static void put(struct document_store *s, const char *collection, const char *id, const char *document)
{
    struct document_write w = {.kind = WRITE_UPSERT, .collection = collection, .version = 5};
    struct err err = ERR_INIT;
    bson_t *i = bson_new_from_json((const uint8_t *)id, -1, NULL);
    bson_t *d = bson_new_from_json((const uint8_t *)document, -1, NULL);

    assert_non_null(i);
    assert_non_null(d);
    w.id = i;
    w.document = d;
    if (s->ops->ensure(s, collection, NULL, 0, &err) < 0 || s->ops->write(s, &w, 1, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(w.result, WRITE_APPLIED);
    bson_destroy(i);
    bson_destroy(d);
}

static int make_store(void **state)
{
    struct document_store *s = NULL;
    struct document_store_options options = {0};
    struct err err = ERR_INIT;
    char url[128];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(url, sizeof url, "sqlite://%s/documents.sqlite", folder);
    options.url = url;
    if (document_store_open(&s, &options, &err) < 0)
        fail_msg("%s", err.text);
    put(s, "users", "{\"_id\": 7}",
        "{\"name\": \"a\", \"_pillion\": {\"v\": {\"$numberLong\": \"5\"}, \"deleted\": false}}");
    put(s, "users", "{\"_id\": 8}", "{\"_pillion\": {\"v\": {\"$numberLong\": \"5\"}, \"deleted\": true}}");
    put(s, "rides", "{\"_id\": 1}",
        "{\"_pillion\": {\"v\": {\"$numberLong\": \"5\"}, \"deleted\": true, \"pending\": true}}");
    put(s, PARKED_COLLECTION, "{\"_id\": \"rides|5\"}",
        "{\"entity\": \"rides\", \"key\": \"5\", \"waiting\": [\"users|9\"], \"reason\": \"late\", \"refs\":"
        " [{\"r\": \"client_id\", \"e\": \"users\", \"k\": \"7\", \"id\": 7}, {\"r\": \"driver_id\", \"e\": \"users\","
        " \"k\": \"9\", \"id\": 9}], \"id\": 5, \"_pillion\": {\"v\": {\"$numberLong\": \"5\"}}}");
    s->ops->free(s);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_store(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Runs a command; what it prints is in out. */
static int run(int (*command)(int, char **), char *out, size_t size, const char *a, const char *b, const char *c)
{
    char data[128], contracts[600], words[3][64] = {"", "", ""}, name[] = "test", listen[] = "--admin.listen=off";
    char *argv[8] = {name, data, contracts, listen};
    const char *const given[] = {a, b, c};
    int argc = 4, rc, saved = dup(STDOUT_FILENO);
    FILE *f = tmpfile();
    size_t n;

    assert_non_null(f);
    snprintf(data, sizeof data, "--data_dir=%s", folder);
    snprintf(contracts, sizeof contracts, "--contracts=%s/../../contracts", FIXTURES);
    for (int i = 0; i < 3 && given[i]; i++) {
        snprintf(words[i], sizeof words[i], "%s", given[i]);
        argv[argc++] = words[i];
    }
    fflush(stdout);
    dup2(fileno(f), STDOUT_FILENO);
    rc = command(argc, argv);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(f);
    n = fread(out, 1, size - 1, f);
    out[n] = 0;
    fclose(f);
    return rc;
}

static void why_tells_each_state(void **state)
{
    static const struct {
        const char *table, *key;
        int code;
        const char *text;
    } cases[] = {
        {"users", "7", 0, "users 7 is visible.\n"},
        {"users", "8", 1, "users 8 is deleted (a tombstone, which still resolves).\n"},
        {"users", "9", 1,
         "users 9 is not in silver.\nIt is not parked either: no event of it was merged yet, or it never was in the "
         "source.\n"},
        {"rides", "1", 1, "rides 1 is in silver, but held back.\n"},
        {"rides", "5", 1,
         "rides 5 is not in silver.\nIt is parked, and waits for: users 9\n  reason: late\n  users 7 is visible\n"
         "  users 9 is not in silver\n"},
        {"cars", "5", 2, ""},
    };
    char out[4096];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run(cmd_why, out, sizeof out, cases[i].table, cases[i].key, NULL), cases[i].code);
        assert_string_equal(out, cases[i].text);
    }
}

static void parked_lists(void **state)
{
    char out[4096];

    (void)state;
    assert_int_equal(run(cmd_parked, out, sizeof out, "ls", NULL, NULL), 0);
    assert_string_equal(out, "rides 5 waits for users 9\n1 parked\n");
    assert_int_equal(run(cmd_parked, out, sizeof out, "ls", "users", NULL), 0);
    assert_string_equal(out, "0 parked of users\n");
    assert_int_equal(run(cmd_parked, out, sizeof out, "ls", "rides", "--json"), 0);
    assert_non_null(strstr(out, "\"waiting\" : [ \"users|9\" ]"));
    assert_int_equal(run(cmd_parked, out, sizeof out, "ls", "--limit=0", NULL), 0);
    assert_string_equal(out, "rides 5 waits for users 9\n1 parked\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(why_tells_each_state),
        cmocka_unit_test(parked_lists),
    };

    unsetenv("PILLION_CONFIG");
    return cmocka_run_group_tests(tests, make_store, remove_store);
}
