/* Schema texts, letter by letter where others compare them: the debezium ones are what Confluent's converter makes of
 * Debezium's Connect schemas (AvroData.fromConnectSchema), so a topic can change hands without a new schema version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "avro/schema_text.h"
#include "unit/avro/sample.h"

static struct schema_text text_of(const struct sample_table *t, const struct table_codec_options *options)
{
    struct schema_text text;
    struct err err = ERR_INIT;

    if (schema_text_init(&text, &t->schema, options, &err) != 0)
        fail_msg("%s", err.text);
    return text;
}

static void expect(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("the schema lacks\n%s\nin\n%s", part, text);
}

static void small_table(struct sample_table *t)
{
    static const char *members[] = {"a", "b\"c"};
    struct column *c;

    sample_init(t, "shop", "one");
    sample_add(t, "id", COLUMN_INT, false)->width = 8;
    sample_add(t, "tiny", COLUMN_INT, true)->width = 1;
    c = sample_add(t, "fare", COLUMN_DECIMAL, true);
    c->precision = 10;
    c->scale = 2;
    c = sample_add(t, "state", COLUMN_ENUM, false);
    c->members = members;
    c->n_members = 2;
    sample_add(t, "at", COLUMN_TIMESTAMP, true)->fsp = 6;
    sample_add(t, "made", COLUMN_DATETIME, false)->fsp = 3;
    sample_add(t, "made6", COLUMN_DATETIME, false)->fsp = 6;
    sample_add(t, "took", COLUMN_TIME, false);
    sample_add(t, "flags", COLUMN_BIT, false)->length = 9;
    sample_add(t, "spot", COLUMN_GEOMETRY, true);
    sample_add(t, "spot2", COLUMN_GEOMETRY, false);
    sample_add(t, "v", COLUMN_VECTOR, true);
    sample_add(t, "j", COLUMN_JSON, true);
    sample_key(t, 3);
    sample_key(t, 0);
    sample_seal(t);
}

static void test_debezium(void **state)
{
    struct table_codec_options options = sample_options(AVRO_PROFILE_DEBEZIUM);
    struct schema_text text;
    struct sample_table t;

    (void)state;
    small_table(&t);
    text = text_of(&t, &options);
    assert_string_equal(
        text.key,
        "{\"type\":\"record\",\"name\":\"Key\",\"namespace\":\"prod.shop.all_types\",\"fields\":[{\"name\":\"state\","
        "\"type\":{\"type\":\"string\",\"connect.version\":1,\"connect.parameters\":{\"allowed\":\"a,b\\\"c\"},"
        "\"connect.name\":\"io.debezium.data.Enum\"}},{\"name\":\"id\",\"type\":\"long\"}],"
        "\"connect.name\":\"prod.shop.all_types.Key\"}");
    expect(
        text.value,
        "{\"type\":\"record\",\"name\":\"Envelope\",\"namespace\":\"prod.shop.all_types\",\"fields\":[{\"name\":"
        "\"before\","
        "\"type\":[\"null\",{\"type\":\"record\",\"name\":\"Value\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"
        "{\"name\":\"tiny\",\"type\":[\"null\",{\"type\":\"int\",\"connect.type\":\"int16\"}],\"default\":null},"
        "{\"name\":\"fare\",\"type\":[\"null\",{\"type\":\"bytes\",\"scale\":2,\"precision\":10,\"connect.version\":1,"
        "\"connect.parameters\":{\"scale\":\"2\",\"connect.decimal.precision\":\"10\"},"
        "\"connect.name\":\"org.apache.kafka.connect.data.Decimal\",\"logicalType\":\"decimal\"}],\"default\":null},");
    expect(text.value, "{\"name\":\"at\",\"type\":[\"null\",{\"type\":\"string\",\"connect.version\":1,"
                       "\"connect.name\":\"io.debezium.time.ZonedTimestamp\"}],\"default\":null},"
                       "{\"name\":\"made\",\"type\":{\"type\":\"long\",\"connect.version\":1,"
                       "\"connect.name\":\"io.debezium.time.Timestamp\"}},"
                       "{\"name\":\"made6\",\"type\":{\"type\":\"long\",\"connect.version\":1,"
                       "\"connect.name\":\"io.debezium.time.MicroTimestamp\"}},"
                       "{\"name\":\"took\",\"type\":{\"type\":\"long\",\"connect.version\":1,"
                       "\"connect.name\":\"io.debezium.time.MicroTime\"}},"
                       "{\"name\":\"flags\",\"type\":{\"type\":\"bytes\",\"connect.version\":1,\"connect.parameters\":"
                       "{\"length\":\"9\"},\"connect.name\":\"io.debezium.data.Bits\"}},");
    expect(text.value, "{\"name\":\"spot2\",\"type\":\"io.debezium.data.geometry.Geometry\"}");
    expect(text.value,
           "}],\"connect.name\":\"prod.shop.all_types.Value\"}],\"default\":null},"
           "{\"name\":\"after\",\"type\":[\"null\",\"Value\"],\"default\":null},{\"name\":\"source\",\"type\":"
           "{\"type\":\"record\",\"name\":\"Source\",\"namespace\":\"io.debezium.connector.mysql\",\"fields\":["
           "{\"name\":\"version\",\"type\":\"string\"},");
    expect(text.value,
           "{\"name\":\"query\",\"type\":[\"null\",\"string\"],\"default\":null}],\"connect.version\":1,"
           "\"connect.name\":\"io.debezium.connector.mysql.Source\"}},{\"name\":\"transaction\",\"type\":[\"null\","
           "{\"type\":\"record\",\"name\":\"block\",\"namespace\":\"event\",\"fields\":[{\"name\":\"id\",\"type\":"
           "\"string\"},{\"name\":\"total_order\",\"type\":\"long\"},{\"name\":\"data_collection_order\",\"type\":"
           "\"long\"}],\"connect.version\":1,\"connect.name\":\"event.block\"}],\"default\":null},"
           "{\"name\":\"op\",\"type\":\"string\"},{\"name\":\"ts_ms\",\"type\":[\"null\",\"long\"],\"default\":null},"
           "{\"name\":\"ts_us\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"ts_ns\",\"type\":[\"null\","
           "\"long\"],\"default\":null}],\"connect.version\":2,\"connect.name\":\"prod.shop.all_types.Envelope\"}");
    assert_null(strstr(text.value, "txn_index"));
    schema_text_release(&text);
}

static void test_native(void **state)
{
    struct table_codec_options options = sample_options(AVRO_PROFILE_NATIVE);
    struct schema_text text;
    struct sample_table t;

    (void)state;
    small_table(&t);
    text = text_of(&t, &options);
    assert_string_equal(
        text.key,
        "{\"type\":\"record\",\"name\":\"Key\",\"namespace\":\"prod.shop.all_types\",\"fields\":[{\"name\":\"state\","
        "\"type\":\"string\"},{\"name\":\"id\",\"type\":\"long\"}]}");
    expect(text.value,
           "{\"name\":\"fare\",\"type\":[\"null\",{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":10,"
           "\"scale\":2}],\"default\":null},{\"name\":\"state\",\"type\":\"string\"},"
           "{\"name\":\"at\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}],\"default\":"
           "null},"
           "{\"name\":\"made\",\"type\":{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}},"
           "{\"name\":\"made6\",\"type\":{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}},"
           "{\"name\":\"took\",\"type\":{\"type\":\"long\",\"connect.version\":1,\"connect.name\":"
           "\"io.debezium.time.MicroTime\"}},{\"name\":\"flags\",\"type\":\"bytes\"},");
    expect(text.value, "{\"name\":\"query\",\"type\":[\"null\",\"string\"],\"default\":null},{\"name\":\"txn_index\","
                       "\"type\":\"long\"}]}},");
    schema_text_release(&text);
}

static void test_unsigned_decimal(void **state)
{
    struct table_codec_options options = sample_options(AVRO_PROFILE_NATIVE);
    struct schema_text text;
    struct sample_table t;
    struct column *c;

    (void)state;
    sample_init(&t, "shop", "one");
    c = sample_add(&t, "id", COLUMN_INT, false);
    c->width = 8;
    c->is_unsigned = true;
    options.bigint_unsigned = UNSIGNED_DECIMAL;
    options.connector = "maria-db";
    text = text_of(&t, &options);
    assert_null(text.key);
    expect(text.value,
           "{\"name\":\"id\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":0}}");
    schema_text_release(&text);
    options.profile = AVRO_PROFILE_DEBEZIUM;
    text = text_of(&t, &options);
    expect(text.value, "\"namespace\":\"io.debezium.connector.maria_db\"");
    schema_text_release(&text);
}

static void test_names(void **state)
{
    struct table_codec_options options = sample_options(AVRO_PROFILE_NATIVE);
    struct err err = ERR_INIT;
    struct schema_text text;
    struct sample_table t;

    (void)state;
    sample_init(&t, "shop", "odd");
    sample_add(&t, "a-b", COLUMN_YEAR, false);
    options.topic = "my-prefix.shop.2_odd";
    text = text_of(&t, &options);
    expect(text.value, "\"namespace\":\"my_prefix.shop._2_odd\"");
    expect(text.value, "{\"name\":\"a_b\",\"type\":\"int\"}");
    schema_text_release(&text);
    sample_add(&t, "a b", COLUMN_YEAR, false);
    assert_int_equal(schema_text_init(&text, &t.schema, &options, &err), -1);
    assert_int_equal(err.code, ERR_SCHEMA);
    assert_non_null(strstr(err.text, "\"a-b\" and \"a b\""));
}

static void test_unknown_width(void **state)
{
    struct table_codec_options options = sample_options(AVRO_PROFILE_NATIVE);
    struct err err = ERR_INIT;
    struct schema_text text;
    struct sample_table t;

    (void)state;
    sample_init(&t, "shop", "odd");
    sample_add(&t, "x", COLUMN_INT, false)->width = 5;
    assert_int_equal(schema_text_init(&text, &t.schema, &options, &err), -1);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_debezium), cmocka_unit_test(test_native),        cmocka_unit_test(test_unsigned_decimal),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_unknown_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
