/* test_replica_identity: ids that are stable, different, and valid on both vendors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "mysql/event_source.h"
#include "mysql/replica_identity.h"

static void derives_stable_ids(void **state)
{
    struct replica_identity a, b, c;

    (void)state;
    replica_identity_make(&a, "shop", 0);
    replica_identity_make(&b, "shop", 0);
    replica_identity_make(&c, "shop", 42);
    assert_int_equal(a.server_id, b.server_id);
    assert_string_equal(a.uuid, b.uuid);
    assert_int_equal(a.server_id, event_source_server_id("shop"));
    assert_int_equal(c.server_id, 42);
    assert_string_equal(a.uuid, c.uuid);
    assert_string_equal(a.label, "pillion-shop");
    /* Another derivation would make every running capture a stranger to its own old stream. */
    assert_int_equal(a.server_id, 1683126801u);
    assert_true(a.server_id >= 1u << 30 && a.server_id < 1u << 31);
}

static void ids_of_names_differ(void **state)
{
    uint32_t seen[500];
    char name[80], uuid[37] = "";

    (void)state;
    for (int i = 0; i < 500; i++) {
        struct replica_identity id;

        snprintf(name, sizeof name, "capture%d", i);
        replica_identity_make(&id, name, 0);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(seen[j], id.server_id);
        assert_string_not_equal(uuid, id.uuid);
        snprintf(uuid, sizeof uuid, "%s", id.uuid);
        seen[i] = id.server_id;
        assert_int_equal(strlen(id.uuid), 36);
        assert_int_equal(strspn(id.uuid, "0123456789abcdef-"), 36);
        assert_int_equal(id.uuid[14], '8');
    }
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    {
        struct replica_identity id;

        replica_identity_make(&id, name, 0);
        assert_true(strlen(id.label) <= 60);
        replica_identity_make(&id, NULL, 0);
        assert_int_not_equal(id.server_id, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derives_stable_ids),
        cmocka_unit_test(ids_of_names_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
