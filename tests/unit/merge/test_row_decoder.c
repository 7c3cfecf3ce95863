/* Records of Debezium's shape to rows: key, references, document; and what goes to quarantine. */
#include "base/mem.h"
#include "merge/row_decoder.h"
#include "sample.h"

struct fixture {
    char folder[64];
    struct contract_set *contracts;
    struct registry *registry;
    struct sample_ids ids;
    struct row_decoder *decoder;
    struct buf key, value;
};

static void begin(struct fixture *f)
{
    struct registry_options o = {0};
    struct err err = ERR_INIT;
    char *url;

    memset(f, 0, sizeof *f);
    url = xasprintf("file://%s", sample_folder(f->folder));
    o.url = url;
    assert_int_equal(registry_open(&f->registry, &o, &err), 0);
    free(url);
    f->ids = sample_register(f->registry);
    f->contracts = sample_contracts("{property: onParentDelete, value: hold}");
    f->decoder = row_decoder_new(f->registry, f->contracts);
    buf_init(&f->key, 4096);
    buf_init(&f->value, 4096);
}

static void end(struct fixture *f)
{
    row_decoder_free(f->decoder);
    contract_set_free(f->contracts);
    registry_close(f->registry);
    buf_release(&f->key);
    buf_release(&f->value);
    sample_remove(f->folder);
}

static int decode(struct fixture *f, size_t entity, bool with_key, bool with_value, struct row **out, struct err *err)
{
    struct record r = {.topic = "t", .partition = 1, .offset = 42};

    *err = (struct err)ERR_INIT;
    if (with_key) {
        r.key = f->key.data;
        r.key_len = f->key.len;
    }
    if (with_value) {
        r.value = f->value.data;
        r.value_len = f->value.len;
    }
    return row_decode(f->decoder, entity, &r, 3, out, err);
}

static void expect_json(const bson_t *b, const char *words)
{
    char *json = bson_as_relaxed_extended_json(b, NULL);

    if (!strstr(json, words))
        fail_msg("%s lacks %s", json, words);
    bson_free(json);
}

static void test_rows(void **state)
{
    struct fixture f;
    struct row *r;
    struct err err;

    (void)state;
    begin(&f);
    sample_key(&f.key, &f.ids, 5);
    sample_ride(&f.value, &f.ids, 5, 7, 8, "u");
    if (decode(&f, RIDES, true, true, &r, &err))
        fail_msg("%s", err.text);
    assert_string_equal(r->key, "5");
    assert_int_equal(r->version, document_version(3, 42));
    assert_false(r->deleted);
    assert_false(r->fresh);
    assert_int_equal(r->n_refs, 2);
    assert_string_equal(r->refs[0].key, "7");
    assert_string_equal(r->refs[1].key, "8");
    expect_json(&r->ref_ids[0], "{ \"_id\" : 7 }");
    expect_json(&r->id, "{ \"_id\" : 5 }");
    expect_json(&r->body,
                "{ \"fare\" : { \"$numberDecimal\" : \"12.50\" }, \"client_id\" : 7, \"driver_id\" : 8, \"_pillion\"");
    expect_json(&r->body, "\"refs\" : [ \"client_id|7\" ]");
    row_free(r);
    sample_ride(&f.value, &f.ids, 5, 7, -1, "c");
    assert_int_equal(decode(&f, RIDES, true, true, &r, &err), 0);
    assert_true(r->fresh);
    assert_int_equal(r->n_refs, 1);
    row_free(r);
    sample_ride(&f.value, &f.ids, 5, 7, -1, "d");
    for (int with_value = 0; with_value < 2; with_value++) {
        assert_int_equal(decode(&f, RIDES, true, with_value, &r, &err), 0);
        assert_true(r->deleted);
        assert_int_equal(r->n_refs, 0);
        expect_json(&r->body, with_value ? "\"op\" : \"d\"" : "\"op\" : \"x\"");
        row_free(r);
    }
    sample_truncate(&f.value, f.ids.rides, "rides");
    if (decode(&f, RIDES, false, true, &r, &err))
        fail_msg("%s", err.text);
    assert_true(r->truncate && r->deleted && !r->key);
    assert_int_equal(r->version, document_version(3, 42));
    expect_json(&r->body, "\"offset\" : 42, \"partition\" : 1, \"op\" : \"t\"");
    expect_json(&r->body, "\"gtid\" : \"0-1-5\", \"deleted\" : true");
    row_free(r);
    end(&f);
}

static void refuse(struct fixture *f, size_t entity, bool with_key, bool with_value, const char *words)
{
    struct row *r;
    struct err err;

    assert_int_equal(decode(f, entity, with_key, with_value, &r, &err), -1);
    assert_int_equal(err_class(&err), ERR_CLASS_DATA);
    if (!strstr(err.text, words))
        fail_msg("wanted \"%s\", got \"%s\"", words, err.text);
}

static void test_refused(void **state)
{
    struct fixture f;
    struct row *r;
    struct err err;
    size_t whole;

    (void)state;
    begin(&f);
    sample_key(&f.key, &f.ids, 5);
    refuse(&f, RIDES, false, false, "The record has none");
    refuse(&f, RIDES, false, true, "The record has none");
    sample_ride(&f.value, &f.ids, 5, -1, -1, "c");
    refuse(&f, RIDES, true, true, "required by the contract");
    sample_user(&f.value, &f.ids, 5, "x", "c");
    refuse(&f, RIDES, true, true, "has no column client_id");
    sample_wire(&f.value, f.ids.key);
    refuse(&f, RIDES, true, true, "schema");
    sample_user(&f.value, &f.ids, 5, "\xff\xfe", "c");
    refuse(&f, USERS, true, true, "UTF-8");
    sample_user(&f.value, &f.ids, 5, "x", "t");
    refuse(&f, USERS, true, true, "TRUNCATE");
    sample_truncate(&f.value, f.ids.users, "users");
    refuse(&f, USERS, true, true, "TRUNCATE");
    sample_user(&f.value, &f.ids, 5, "x", "m");
    refuse(&f, USERS, true, true, "none of c, u, d, r, t");
    sample_ride(&f.value, &f.ids, 5, 7, 8, "c");
    whole = f.value.len;
    for (f.value.len = 0; f.value.len < whole; f.value.len++) { /* every prefix */
        assert_int_equal(decode(&f, RIDES, true, true, &r, &err), -1);
        assert_int_equal(err_class(&err), ERR_CLASS_DATA);
    }
    end(&f);
}

/* MariaDB's system-versioned tables: what was row 5 before has keys of its own. */
static void test_key_beyond_the_contract(void **state)
{
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"Key\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"
        "{\"name\":\"row_end\",\"type\":\"long\"}]}";
    struct fixture f;
    struct err err = ERR_INIT;
    uint32_t id;

    (void)state;
    begin(&f);
    assert_int_equal(registry_register(f.registry, "versioned-key", schema, &id, &err), 0);
    sample_wire(&f.key, id);
    sample_long(&f.key, 5);
    sample_long(&f.key, 99);
    sample_user(&f.value, &f.ids, 5, "ann", "c");
    refuse(&f, USERS, true, true, "the column row_end");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_key_beyond_the_contract)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
