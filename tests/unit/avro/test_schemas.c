/* The files in schemas/ are what the code registers and writes. After a change that is meant, `avro_test_schemas
 * --write` writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "avro/raw_record.h"
#include "avro/schema_text.h"
#include "unit/avro/sample.h"

static const char folder[] = FIXTURES "/../../schemas/";
static bool writing;

/* Compares by content and order; white space in the file is for people. */
static void check_file(const char *name, const char *want)
{
    char *path = xasprintf("%s%s", folder, name);
    json_t *file, *code = json_loads(want, 0, NULL);
    json_error_t why;
    char *a, *b;

    assert_non_null(code);
    if (writing) {
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_int_equal(json_dumpf(code, f, JSON_INDENT(2)), 0);
        assert_int_equal(fputc('\n', f), '\n');
        assert_int_equal(fclose(f), 0);
    }
    file = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!file)
        fail_msg("%s: %s", path, why.text);
    a = json_dumps(file, JSON_COMPACT);
    b = json_dumps(code, JSON_COMPACT);
    if (strcmp(a, b) != 0)
        fail_msg("%s is not what the code makes; look at the difference, then run this test with --write\n%s\n%s", name,
                 a, b);
    free(a);
    free(b);
    json_decref(file);
    json_decref(code);
    free(path);
}

static struct column *string_column(struct sample_table *t, const char *name, uint32_t length, bool nullable)
{
    struct column *c = sample_add(t, name, COLUMN_STRING, nullable);

    c->length = length * 4;
    c->collation = SAMPLE_UTF8MB4;
    return c;
}

static void id_column(struct sample_table *t, const char *name, bool nullable)
{
    struct column *c = sample_add(t, name, COLUMN_INT, nullable);

    c->width = 8;
    c->is_unsigned = true;
}

static void decimal_column(struct sample_table *t, const char *name, uint16_t precision, uint16_t scale)
{
    struct column *c = sample_add(t, name, COLUMN_DECIMAL, true);

    c->precision = precision;
    c->scale = scale;
}

static void check_table(const struct sample_table *t)
{
    struct table_codec_options options = sample_options(AVRO_PROFILE_NATIVE);
    struct schema_text text;
    struct err err = ERR_INIT;
    char *topic = xasprintf("pillion.%s.%s", t->schema.database, t->schema.table);
    char *name;

    options.topic = topic;
    options.server_name = "pillion";
    if (schema_text_init(&text, &t->schema, &options, &err) != 0)
        fail_msg("%s", err.text);
    name = xasprintf("%s-key.avsc", topic);
    check_file(name, text.key);
    free(name);
    name = xasprintf("%s-value.avsc", topic);
    check_file(name, text.value);
    free(name);
    free(topic);
    schema_text_release(&text);
}

/* The tables of the shipped contracts, as contracts/users.odcs.yaml and contracts/rides.odcs.yaml give them. */
static void test_users(void **state)
{
    static const char *types[] = {"client", "driver"};
    struct sample_table t;
    struct column *c;

    (void)state;
    sample_init(&t, "shop", "users");
    id_column(&t, "id", false);
    c = sample_add(&t, "type", COLUMN_ENUM, false);
    c->members = types;
    c->n_members = 2;
    string_column(&t, "name", 100, false);
    string_column(&t, "phone", 20, true);
    decimal_column(&t, "rating", 3, 2);
    sample_add(&t, "active", COLUMN_INT, false)->width = 1;
    sample_add(&t, "created_at", COLUMN_TIMESTAMP, false)->fsp = 6;
    sample_add(&t, "updated_at", COLUMN_DATETIME, true)->fsp = 3;
    sample_key(&t, 0);
    check_table(&t);
}

static void test_rides(void **state)
{
    static const char *states[] = {"requested", "accepted", "started", "finished", "cancelled"};
    struct sample_table t;
    struct column *c;

    (void)state;
    sample_init(&t, "shop", "rides");
    id_column(&t, "id", false);
    id_column(&t, "client_id", false);
    id_column(&t, "driver_id", true);
    c = sample_add(&t, "status", COLUMN_ENUM, false);
    c->members = states;
    c->n_members = 5;
    string_column(&t, "pickup", 120, false);
    string_column(&t, "dropoff", 120, true);
    decimal_column(&t, "distance_km", 8, 3);
    decimal_column(&t, "fare", 10, 2);
    string_column(&t, "currency", 3, false);
    sample_add(&t, "requested_at", COLUMN_TIMESTAMP, false)->fsp = 6;
    sample_add(&t, "finished_at", COLUMN_DATETIME, true);
    sample_add(&t, "details", COLUMN_JSON, true);
    sample_key(&t, 0);
    check_table(&t);
}

static void test_source(void **state)
{
    (void)state;
    for (int debezium = 0; debezium < 2; debezium++) {
        struct table_codec_options options = sample_options(debezium ? AVRO_PROFILE_DEBEZIUM : AVRO_PROFILE_NATIVE);
        char *text = schema_text_source(&options);

        check_file(debezium ? "source.debezium.avsc" : "source.avsc", text);
        free(text);
    }
}

static void test_bronze(void **state)
{
    (void)state;
    check_file("bronze.avsc", raw_record_schema);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_rides),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_bronze),
    };

    writing = argc > 1 && strcmp(argv[1], "--write") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
