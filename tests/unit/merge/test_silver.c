/* Types, keys and their text, and what a document says of itself. */
#include "merge/key_text.h"
#include "merge/silver.h"
#include "sample.h"

static char *put(const struct field_value *v)
{
    bson_t b = BSON_INITIALIZER;
    struct err err = ERR_INIT;
    char *json;

    if (silver_put(&b, "x", v, &err))
        fail_msg("%s", err.text);
    json = bson_as_canonical_extended_json(&b, NULL);
    bson_destroy(&b);
    return json;
}

static void expect(struct field_value v, const char *want)
{
    char *json = put(&v);

    assert_string_equal(json, want);
    bson_free(json);
}

static struct field_value data(enum field_kind kind, const char *bytes, size_t len, int scale)
{
    return (struct field_value){.kind = kind, .scale = scale, .as.data = {(const uint8_t *)bytes, len}};
}

static void test_types(void **state)
{
    (void)state;
    expect((struct field_value){.kind = FIELD_NULL}, "{ \"x\" : null }");
    expect((struct field_value){.kind = FIELD_BOOL, .as.b = true}, "{ \"x\" : true }");
    expect((struct field_value){.kind = FIELD_INT, .as.i = -5}, "{ \"x\" : { \"$numberInt\" : \"-5\" } }");
    expect((struct field_value){.kind = FIELD_LONG, .as.i = 5}, "{ \"x\" : { \"$numberLong\" : \"5\" } }");
    expect((struct field_value){.kind = FIELD_DOUBLE, .as.d = 1.5}, "{ \"x\" : { \"$numberDouble\" : \"1.5\" } }");
    expect(data(FIELD_DECIMAL, "\x04\xe2", 2, 2), "{ \"x\" : { \"$numberDecimal\" : \"12.50\" } }");
    expect(data(FIELD_DECIMAL, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", 16, 0),
           "{ \"x\" : \"1339673755198158349044581307228491536\" }"); /* 37 digits: more than Decimal128 has */
    expect(data(FIELD_STRING, "\xc3\xa9", 2, 0), "{ \"x\" : \"\xc3\xa9\" }");
    expect(data(FIELD_BYTES, "\x01\x02", 2, 0),
           "{ \"x\" : { \"$binary\" : { \"base64\" : \"AQI=\", \"subType\" : \"00\" } } }");
    expect((struct field_value){.kind = FIELD_DATE, .as.i = -1},
           "{ \"x\" : { \"$date\" : { \"$numberLong\" : \"-86400000\" } } }");
    expect((struct field_value){.kind = FIELD_TIMESTAMP_US, .as.i = 1500},
           "{ \"x\" : { \"$date\" : { \"$numberLong\" : \"1\" } } }");
    expect((struct field_value){.kind = FIELD_LOCAL_TIMESTAMP_US, .as.i = -1},
           "{ \"x\" : { \"$date\" : { \"$numberLong\" : \"-1\" } } }");
    expect((struct field_value){.kind = FIELD_TIME_US, .as.i = -3020399000001}, "{ \"x\" : \"-838:59:59.000001\" }");
}

static void test_bad_text(void **state)
{
    struct field_value v = data(FIELD_STRING, "\xff", 1, 0);
    bson_t b = BSON_INITIALIZER;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(silver_put(&b, "x", &v, &err), -1);
    assert_int_equal(err.code, ERR_VALUE);
    bson_destroy(&b);
}

/* The text of a key is the same from the values and from the _id that was made of them. */
static void round_trip(const struct field_value *values, size_t n)
{
    static const char *const names[] = {"a", "b", "c"};
    const struct field_value *list[3];
    struct buf text, back;
    struct err err = ERR_INIT;
    bson_t id = BSON_INITIALIZER;
    bson_iter_t it;
    bool null;

    buf_init(&text, 4096);
    buf_init(&back, 4096);
    for (size_t i = 0; i < n; i++)
        list[i] = &values[i];
    assert_int_equal(key_text_put(&text, list, n, &null, &err), 0);
    assert_int_equal(silver_id(&id, names, list, n, &err), 0);
    assert_true(bson_iter_init_find(&it, &id, "_id"));
    assert_int_equal(silver_key_text(&back, &it, &err), 0);
    assert_string_equal(buf_cstr(&back), buf_cstr(&text));
    bson_destroy(&id);
    buf_release(&text);
    buf_release(&back);
}

static void test_keys(void **state)
{
    (void)state;
    round_trip(&(struct field_value){.kind = FIELD_INT, .as.i = 7}, 1);
    round_trip((struct field_value[]){data(FIELD_DECIMAL, "\x02\xbc", 2, 2)}, 1);
    round_trip((struct field_value[]){data(FIELD_DECIMAL, "\x04\xe2", 2, 2)}, 1);
    round_trip((struct field_value[]){data(FIELD_DECIMAL, "\x00\xff\xff\xff\xff\xff\xff\xff\xff", 9, 0)}, 1);
    round_trip((struct field_value[]){data(FIELD_STRING, "a,b\\|", 5, 0)}, 1);
    round_trip((struct field_value[]){data(FIELD_STRING, "a,b\\|", 5, 0), {.kind = FIELD_LONG, .as.i = -1}}, 2);
    round_trip((struct field_value[]){data(FIELD_BYTES, "\x00\x10", 2, 0)}, 1);
    round_trip(&(struct field_value){.kind = FIELD_DATE, .as.i = 20000}, 1);
    round_trip(&(struct field_value){.kind = FIELD_TIMESTAMP_US, .as.i = 1700000000000001}, 1);
    round_trip(&(struct field_value){.kind = FIELD_BOOL, .as.b = true}, 1);
    round_trip(&(struct field_value){.kind = FIELD_DOUBLE, .as.d = 0.1}, 1);
}

static void test_origin_and_state(void **state)
{
    struct contract_set *s = sample_contracts("{property: onParentDelete, value: cascade}");
    struct silver_origin o = {.version = 99,
                              .epoch = 1,
                              .offset = 98,
                              .partition = 2,
                              .op = 'u',
                              .ts_us = 5000000,
                              .gtid = "0-1-2x",
                              .gtid_len = 5};
    struct gate_ref refs[] = {{0, USERS, "7"}, {1, USERS, "8"}};
    bson_t b = BSON_INITIALIZER, placeholder = BSON_INITIALIZER, sub;
    int64_t version;
    bool cascaded;
    char *json;

    (void)state;
    silver_put_origin(&b, &o, false, &s->entities[RIDES], refs, 2);
    json = bson_as_relaxed_extended_json(&b, NULL);
    assert_non_null(strstr(json, "\"gtid\" : \"0-1-2\""));
    assert_non_null(strstr(json, "\"refs\" : [ \"client_id|7\" ]")); /* the other relationship keeps */
    bson_free(json);
    assert_int_equal(silver_state(&b, &version, &cascaded), GATE_VISIBLE);
    assert_int_equal(version, 99);
    bson_reinit(&b);
    silver_put_origin(&b, &o, true, &s->entities[RIDES], refs, 2);
    assert_int_equal(silver_state(&b, &version, &cascaded), GATE_DELETED);
    bson_append_document_begin(&placeholder, "_pillion", -1, &sub);
    bson_append_int64(&sub, "v", -1, 5);
    bson_append_bool(&sub, "deleted", -1, true);
    bson_append_bool(&sub, "pending", -1, true);
    bson_append_document_end(&placeholder, &sub);
    assert_int_equal(silver_state(&placeholder, &version, &cascaded), GATE_WAITING);
    assert_int_equal(version, 5);
    bson_destroy(&b);
    bson_destroy(&placeholder);
    contract_set_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types), cmocka_unit_test(test_bad_text),
                                       cmocka_unit_test(test_keys), cmocka_unit_test(test_origin_and_state)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
