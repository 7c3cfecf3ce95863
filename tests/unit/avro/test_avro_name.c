#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "avro/avro_name.h"

static void check(char *got, const char *want)
{
    assert_string_equal(got, want);
    free(got);
}

static void test_fields(void **state)
{
    (void)state;
    check(avro_name_field("id"), "id");
    check(avro_name_field("Größe (cm)"), "Gr__e__cm_");
    check(avro_name_field("a.b-c"), "a_b_c");
    check(avro_name_field("2nd"), "_2nd");
    check(avro_name_field("日本"), "__");
    check(avro_name_field(""), "_");
    check(avro_name_field("_x9"), "_x9");
}

static void test_full_names(void **state)
{
    (void)state;
    check(avro_name_full("prod.shop.rides"), "prod.shop.rides");
    check(avro_name_full("my-prefix.shop-1.2025_rides"), "my_prefix.shop_1._2025_rides");
    check(avro_name_full("a..b."), "a._.b._");
    check(avro_name_full("1.2"), "_1._2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_full_names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
