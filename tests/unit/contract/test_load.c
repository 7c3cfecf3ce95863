/* Loading whole documents: keys, references in both notations and at both levels, settings, findings with places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "contract/contract.h"

#define HEAD "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\n"
#define USERS                                                                                                          \
    "  - {id: users_tbl, name: users, physicalName: shop.users, properties: [{id: pk, name: id, logicalType: "         \
    "integer, "                                                                                                        \
    "primaryKey: true}, {name: mail}]}\n"

struct seen {
    int errors, warnings, line, column;
    char text[512];
};

static void collect(void *arg, const struct contract_finding *f)
{
    struct seen *s = arg;

    if (f->is_error ? s->errors++ == 0 : s->warnings++ == 0 && !s->errors) {
        s->line = f->line;
        s->column = f->column;
        snprintf(s->text, sizeof s->text, "%s", f->text);
    }
}

static struct contract_set *load(const char *text, struct seen *seen)
{
    struct contract_set *s = NULL;
    struct err err = ERR_INIT;
    int rc;

    *seen = (struct seen){0};
    rc = contract_set_load_bytes(&s, "a.yaml", text, strlen(text), collect, seen, &err);
    assert_int_equal(rc, seen->errors ? -1 : 0);
    assert_int_equal(err.code, seen->errors ? ERR_CONTRACT : ERR_NONE);
    return rc == 0 ? s : NULL;
}

static void refused(const char *text, const char *words, int line)
{
    struct seen seen;
    struct contract_set *s = load(text, &seen);

    assert_null(s);
    if (!strstr(seen.text, words))
        fail_msg("wanted \"%s\", got \"%s\"", words, seen.text);
    if (line)
        assert_int_equal(seen.line, line);
}

static const struct entity *entity(const struct contract_set *s, const char *name)
{
    for (size_t i = 0; i < s->n_entities; i++)
        if (!strcmp(s->entities[i].name, name))
            return &s->entities[i];
    fail_msg("no entity %s", name);
    return NULL;
}

static void test_reference_notations(void **state)
{
    static const char *const to[] = {
        "users.id",        "schema/users_tbl/properties/pk",         "/schema/users_tbl/properties/pk",
        "a.yaml#users.id", "a.yaml#/schema/users_tbl/properties/pk", "./a.yaml#schema/users_tbl/properties/pk"};
    (void)state;
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        char text[2048];
        struct seen seen;
        struct contract_set *s;
        const struct entity *rides;

        snprintf(text, sizeof text,
                 HEAD "schema:\n" USERS "  - name: rides\n    properties:\n      - {name: id, primaryKey: true}\n"
                      "      - name: client\n        physicalName: client_id\n        required: true\n"
                      "        relationships:\n          - to: \"%s\"\n",
                 to[i]);
        s = load(text, &seen);
        if (!s)
            fail_msg("%s: %s", to[i], seen.text);
        rides = entity(s, "rides");
        assert_int_equal(rides->n_relationships, 1);
        assert_string_equal(rides->relationships[0].child_columns[0], "client_id");
        assert_string_equal(rides->relationships[0].name, "rides.client_id -> users.id");
        assert_true(rides->relationships[0].required);
        assert_int_equal(rides->relationships[0].known, KNOWN_EVER);
        assert_int_equal(rides->relationships[0].on_parent_delete, PARENT_DELETE_KEEP);
        assert_true(entity(s, "users")->is_parent);
        assert_false(rides->is_parent);
        assert_int_equal(rides->rank, 1);
        assert_int_equal(s->by_rank[0], contract_set_find(s, "shop", "users"));
        assert_int_equal(contract_set_find(s, "other", "users"), -1);
        assert_true(contract_set_find(s, "other", "rides") >= 0);
        contract_set_free(s);
    }
}

static void test_composite_in_key_order(void **state)
{
    struct seen seen;
    struct contract_set *s;
    const struct relationship *r;

    (void)state;
    s = load(HEAD
             "schema:\n"
             "  - name: stock\n    properties:\n"
             "      - {name: product, primaryKey: true, primaryKeyPosition: 2}\n"
             "      - {name: shop, primaryKey: true, primaryKeyPosition: 1}\n"
             "  - name: items\n    properties: [{name: id, primaryKey: true}, {name: p}, {name: s}]\n"
             "    relationships:\n"
             "      - type: foreignKey\n        from: [items.p, items.s]\n        to: [stock.product, stock.shop]\n"
             "        customProperties:\n"
             "          - {property: known, value: current}\n          - {property: onParentDelete, value: hold}\n"
             "          - {property: required, value: true}\n          - {property: label, value: has}\n",
             &seen);
    assert_non_null(s);
    assert_int_equal(seen.warnings, 0);
    r = &entity(s, "items")->relationships[0];
    assert_int_equal(r->n_columns, 2);
    assert_string_equal(r->child_columns[0], "s");
    assert_string_equal(r->child_columns[1], "p");
    assert_string_equal(r->parent_columns[0], "shop");
    assert_int_equal(r->known, KNOWN_CURRENT);
    assert_int_equal(r->on_parent_delete, PARENT_DELETE_HOLD);
    assert_true(r->required);
    contract_set_free(s);
}

static void test_nested_properties(void **state)
{
    struct seen seen;
    struct contract_set *s;

    (void)state;
    s = load(HEAD
             "schema:\n" USERS "  - name: accounts\n    properties:\n      - {name: id, primaryKey: true}\n"
             "      - name: holder\n        id: h\n        logicalType: object\n        properties:\n"
             "          - name: user\n            logicalType: integer\n            relationships: [{to: users.id}]\n"
             "    relationships:\n      - {from: schema/accounts/properties/h/properties/user, to: users.id}\n",
             &seen);
    assert_null(s); /* the same relationship twice */
    assert_non_null(strstr(seen.text, "stands twice"));
    assert_int_equal(seen.errors, 1);
}

static void test_findings(void **state)
{
    (void)state;
    refused(HEAD "schma: []\n", "did you mean \"schema\"", 6);
    refused(HEAD "schema:\n  - name: a\n    propertys: []\n", "did you mean \"properties\"", 8);
    refused(HEAD "schema:\n  - name: a\n    properties: [{name: id, primaryKey: yes}]\n", "must be true or false", 8);
    refused(HEAD "schema:\n" USERS
                 "  - name: a\n    properties:\n      - name: id\n        relationships: [{to: nobody.id}]\n",
            "in none of the contracts", 11);
    refused(HEAD "schema:\n" USERS
                 "  - name: a\n    properties:\n      - name: id\n        relationships: [{to: users.uid}]\n",
            "does not have", 11);
    refused(HEAD "schema:\n" USERS
                 "  - name: a\n    properties:\n      - name: id\n        relationships: [{to: users.mail}]\n",
            "not in the primary key", 11);
    refused(HEAD
            "schema:\n" USERS
            "  - name: a\n    properties:\n      - name: id\n        relationships: [{from: a.id, to: users.id}]\n",
            "not allowed at a property", 11);
    refused(HEAD "schema:\n" USERS
                 "  - name: a\n    properties: [{name: id}]\n    relationships:\n      - to: users.id\n",
            "needs \"from\"", 11);
    refused(
        HEAD
        "schema:\n" USERS
        "  - name: a\n    properties: [{name: id}]\n    relationships:\n      - {from: [a.id, a.id], to: users.id}\n",
        "2 columns", 11);
    refused(HEAD "schema:\n" USERS "  - name: a\n    properties:\n      - name: id\n"
                 "        relationships: [{to: users.id, customProperties: [{property: known, value: maybe}]}]\n",
            "must be ever, current", 11);
    refused(HEAD "schema:\n" USERS "  - name: a\n    properties:\n      - name: id\n        relationships: [{to: "
                 "'https://e.com/a.yaml#users.id'}]\n",
            "not fetched", 11);
    refused(HEAD "schema:\n" USERS
                 "  - name: a\n    properties:\n      - name: id\n        relationships: [{to: id}]\n",
            "no reference", 11);
    refused(HEAD "schema:\n" USERS USERS, "is also in", 8);
    refused("kind: DataContract\nid: x\nversion: 1\nstatus: a\napiVersion: v2.2.2\nschema: []\n", "apiVersion must be",
            5);
    refused(HEAD, "needs \"schema\"", 1);
    refused("", "empty", 1);
    refused("a: [1\n", "did not find", 0);
    refused(HEAD "id: y\n", "stands twice", 6);
}

static void test_ranks_and_cycles(void **state)
{
    struct seen seen;
    struct contract_set *s;

    (void)state;
    s = load(HEAD
             "schema:\n"
             "  - name: d\n    properties: [{name: id, primaryKey: true}, {name: b, relationships: [{to: b.id}]}]\n"
             "  - name: b\n    properties: [{name: id, primaryKey: true}, {name: c, relationships: [{to: c.id}]}, "
             "{name: a, relationships: [{to: a.id}]}]\n"
             "  - name: c\n    properties: [{name: id, primaryKey: true}, {name: b, relationships: [{to: b.id}]}]\n"
             "  - name: a\n    properties: [{name: id, primaryKey: true}, {name: boss, relationships: [{to: a.id}]}]\n",
             &seen);
    assert_non_null(s);
    assert_int_equal(entity(s, "a")->rank, 0);
    assert_int_equal(entity(s, "b")->rank, 1);
    assert_int_equal(entity(s, "c")->rank, 1);
    assert_int_equal(entity(s, "d")->rank, 2);
    assert_string_equal(s->entities[s->by_rank[0]].name, "a");
    assert_string_equal(s->entities[s->by_rank[3]].name, "d");
    contract_set_free(s);
}

static void test_warnings(void **state)
{
    struct seen seen;
    struct contract_set *s;

    (void)state;
    s = load(HEAD "schema:\n" USERS
                  "  - name: a\n    properties: [{name: id, primaryKey: true}, {name: u, logicalType: string, "
                  "relationships: [{to: users.id, customProperties: [{property: known, value: current}]}]}]\n",
             &seen);
    assert_null(s); /* string against integer */
    assert_non_null(strstr(seen.text, "never match"));
    assert_int_equal(seen.errors, 1);
    assert_int_equal(seen.warnings, 1);
    s = load(HEAD "schema: [{name: log, properties: [{name: line}]}]\n", &seen);
    assert_non_null(s);
    assert_int_equal(seen.warnings, 1);
    assert_int_equal(s->entities[0].n_key, 0);
    contract_set_free(s);
}

static void test_shipped_contracts(void **state)
{
    struct contract_set *s;
    struct err err = ERR_INIT;
    struct seen seen = {0};

    (void)state;
    if (contract_set_load(&s, FIXTURES "/../../contracts", collect, &seen, &err))
        fail_msg("%s", err.text);
    assert_int_equal(s->n_entities, 2);
    assert_int_equal(seen.warnings, 0);
    assert_true(entity(s, "rides")->relationships[0].required);
    assert_false(entity(s, "rides")->relationships[1].required);
    assert_int_equal(contract_set_find(s, "shop", "rides") >= 0, 1);
    contract_set_free(s);
}

static void test_folders(void **state)
{
    char folder[] = "/tmp/pillion-contract-XXXXXX";
    struct contract_set *s;
    struct err err = ERR_INIT;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(contract_set_load(&s, folder, NULL, NULL, &err), -1);
    assert_non_null(strstr(err.text, "holds no contract"));
    rmdir(folder);
    assert_int_equal(contract_set_load(&s, folder, NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_CONTRACT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_notations), cmocka_unit_test(test_composite_in_key_order),
        cmocka_unit_test(test_nested_properties),   cmocka_unit_test(test_findings),
        cmocka_unit_test(test_ranks_and_cycles),    cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_shipped_contracts),   cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
