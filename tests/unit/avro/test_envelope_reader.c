/* Envelopes of other writers: Debezium's with its defaults, with other options, with unions the other way round; and
 * hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "avro/envelope_reader.h"
#include "avro/varint.h"
#include "base/buf.h"
#include "base/mem.h"

/* JSON is written with ' for " here, so that it can be read. */
static char *json_of(const char *text)
{
    char *json = xstrdup(text);

    for (char *c = json; *c; c++)
        if (*c == '\'')
            *c = '"';
    return json;
}

/* What Debezium's MySQL connector registers through Confluent's converter. */
static const char envelope_head[] = "{'type':'record','name':'Envelope','namespace':'prod.shop.rides','fields':["
                                    "{'name':'before','type':['null',{'type':'record','name':'Value','fields':[";
static const char envelope_middle[] =
    "],'connect.name':'prod.shop.rides.Value'}],'default':null},"
    "{'name':'after','type':['null','Value'],'default':null},"
    "{'name':'source','type':{'type':'record','name':'Source','namespace':'io.debezium.connector.mysql','fields':["
    "{'name':'version','type':'string'},{'name':'connector','type':'string'},{'name':'name','type':'string'},"
    "{'name':'ts_ms','type':'long'},"
    "{'name':'snapshot','type':[{'type':'string','connect.version':1,'connect.parameters':{'allowed':"
    "'true,first,first_in_data_collection,last_in_data_collection,last,false,incremental'},"
    "'connect.default':'false','connect.name':'io.debezium.data.Enum'},'null'],'default':'false'},"
    "{'name':'db','type':'string'},{'name':'sequence','type':['null','string'],'default':null},"
    "{'name':'ts_us','type':['null','long'],'default':null},{'name':'ts_ns','type':['null','long'],'default':null},"
    "{'name':'table','type':['null','string'],'default':null},{'name':'server_id','type':'long'},"
    "{'name':'gtid','type':['null','string'],'default':null},{'name':'file','type':'string'},"
    "{'name':'pos','type':'long'},{'name':'row','type':'int'},"
    "{'name':'thread','type':['null','long'],'default':null},{'name':'query','type':['null','string'],'default':null}],"
    "'connect.version':1,'connect.name':'io.debezium.connector.mysql.Source'}},";
static const char envelope_tail[] =
    "{'name':'transaction','type':['null',{'type':'record','name':'block','namespace':'event','fields':["
    "{'name':'id','type':'string'},{'name':'total_order','type':'long'},"
    "{'name':'data_collection_order','type':'long'}],'connect.version':1,'connect.name':'event.block'}],'default':null}"
    ","
    "{'name':'op','type':'string'},{'name':'ts_ms','type':['null','long'],'default':null},"
    "{'name':'ts_us','type':['null','long'],'default':null},{'name':'ts_ns','type':['null','long'],'default':null}],"
    "'connect.version':2,'connect.name':'prod.shop.rides.Envelope'}";

/* The reader of an envelope around rows of these fields. */
static struct envelope_reader *reader_of(const char *fields)
{
    struct err err = ERR_INIT;
    char *text = xasprintf("%s%s%s%s", envelope_head, fields, envelope_middle, envelope_tail);
    char *json = json_of(text);
    struct envelope_reader *r = envelope_reader_new(json, strlen(json), &err);

    free(text);
    free(json);
    if (!r)
        fail_msg("%s", err.text);
    return r;
}

static void put_long(struct buf *b, int64_t v)
{
    uint8_t bytes[VARINT_ROOM];

    (void)buf_put(b, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

static void put_text(struct buf *b, const char *s)
{
    put_long(b, (int64_t)strlen(s));
    (void)buf_put_str(b, s);
}

static void put_source(struct buf *b)
{
    put_text(b, "3.5.0.Final");
    put_text(b, "mysql");
    put_text(b, "prod");
    put_long(b, 1763686734000);
    put_long(b, 0); /* snapshot: the string is the first branch */
    put_text(b, "false");
    put_text(b, "shop");
    put_long(b, 0);
    put_long(b, 1);
    put_long(b, 1763686734000001);
    put_long(b, 1);
    put_long(b, 1763686734000001000);
    put_long(b, 1);
    put_text(b, "rides");
    put_long(b, 223344);
    put_long(b, 1);
    put_text(b, "3e11fa47-71ca-11e1-9e33-c80aa9429562:42");
    put_text(b, "binlog.000002");
    put_long(b, 4567);
    put_long(b, 3);
    put_long(b, 0);
    put_long(b, 0);
}

static void put_rest(struct buf *b, const char *op)
{
    put_source(b);
    put_long(b, 0); /* transaction */
    put_text(b, op);
    for (int i = 0; i < 3; i++) {
        put_long(b, 1);
        put_long(b, 1763686735000);
    }
}

/* Every kind of field that Debezium's converters make; `state` has a default, which turns its union round. */
static const char ride_fields[] =
    "{'name':'id','type':'long'},"
    "{'name':'small','type':{'type':'int','connect.type':'int16'}},"
    "{'name':'state','type':[{'type':'string','connect.version':1,'connect.parameters':{'allowed':'a,b'},"
    "'connect.default':'a','connect.name':'io.debezium.data.Enum'},'null'],'default':'a'},"
    "{'name':'fare','type':['null',{'type':'bytes','scale':2,'precision':10,'connect.version':1,'connect.parameters':"
    "{'scale':'2','connect.decimal.precision':'10'},'connect.name':'org.apache.kafka.connect.data.Decimal',"
    "'logicalType':'decimal'}],'default':null},"
    "{'name':'day','type':{'type':'int','connect.version':1,'connect.name':'io.debezium.time.Date'}},"
    "{'name':'ms','type':{'type':'long','connect.version':1,'connect.name':'io.debezium.time.Timestamp'}},"
    "{'name':'us','type':{'type':'long','connect.version':1,'connect.name':'io.debezium.time.MicroTimestamp'}},"
    "{'name':'ns','type':{'type':'long','connect.version':1,'connect.name':'io.debezium.time.NanoTimestamp'}},"
    "{'name':'at','type':['null',{'type':'string','connect.version':1,'connect.name':"
    "'io.debezium.time.ZonedTimestamp'}],'default':null},"
    "{'name':'duration','type':{'type':'long','connect.version':1,'connect.name':'io.debezium.time.MicroTime'}},"
    "{'name':'year','type':{'type':'int','connect.version':1,'connect.name':'io.debezium.time.Year'}},"
    "{'name':'details','type':['null',{'type':'string','connect.version':1,'connect.name':'io.debezium.data.Json'}],"
    "'default':null},"
    "{'name':'spot','type':['null',{'type':'record','name':'Geometry','namespace':'io.debezium.data.geometry','fields':"
    "["
    "{'name':'wkb','type':'bytes'},{'name':'srid','type':['null','int'],'default':null}],'connect.doc':'Geometry',"
    "'connect.version':1,'connect.name':'io.debezium.data.geometry.Geometry'}],'default':null},"
    "{'name':'spot2','type':['null','io.debezium.data.geometry.Geometry'],'default':null},"
    "{'name':'ok','type':'boolean'},{'name':'f','type':'float'},{'name':'d','type':'double'},"
    "{'name':'any','type':['null',{'type':'record','name':'VariableScaleDecimal','namespace':'io.debezium.data',"
    "'fields':[{'name':'scale','type':'int'},{'name':'value','type':'bytes'}],'connect.version':1,"
    "'connect.name':'io.debezium.data.VariableScaleDecimal'}],'default':null}";

static void put_ride(struct buf *b)
{
    float f = 1.5f;
    double d = -2.25;

    put_long(b, 77);
    put_long(b, -5);
    put_long(b, 0);
    put_text(b, "b");
    put_long(b, 1);
    put_long(b, 2);
    (void)buf_put(b, "\x04\xe2", 2); /* 12.50 */
    put_long(b, 20000);
    put_long(b, -1);
    put_long(b, 1700000000000001);
    put_long(b, 1700000000000001999);
    put_long(b, 1);
    put_text(b, "2026-11-21T02:58:54.123+02:00");
    put_long(b, -3600000001);
    put_long(b, 2026);
    put_long(b, 1);
    put_text(b, "{\"a\":1}");
    put_long(b, 1);
    put_text(b, "ab");
    put_long(b, 1);
    put_long(b, 4326);
    put_long(b, 1);
    put_text(b, "c");
    put_long(b, 0);
    (void)buf_put_u8(b, 1);
    (void)buf_put(b, &f, 4);
    (void)buf_put(b, &d, 8);
    put_long(b, 1);
    put_long(b, 3);
    put_long(b, 1);
    (void)buf_put_u8(b, 7);
}

static void check_number(const struct field_value *v, enum field_kind kind, int64_t want)
{
    assert_int_equal(v->kind, kind);
    assert_int_equal(v->as.i, want);
}

static void check_text(const struct field_value *v, enum field_kind kind, const char *want)
{
    assert_int_equal(v->kind, kind);
    assert_int_equal(v->as.data.len, strlen(want));
    assert_memory_equal(v->as.data.bytes, want, strlen(want));
}

static void test_debezium(void **state)
{
    struct envelope_reader *r = reader_of(ride_fields);
    struct field_value v[32];
    struct err err = ERR_INIT;
    struct envelope e;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 16);
    put_long(&b, 0);
    put_long(&b, 1);
    put_ride(&b);
    put_rest(&b, "c");
    if (envelope_read(r, cursor_of(b.data, b.len), &e, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(e.op, 'c');
    assert_false(e.has_before);
    assert_true(e.has_after);
    assert_memory_equal(e.source.database, "shop", e.source.database_len);
    assert_memory_equal(e.source.table, "rides", e.source.table_len);
    assert_int_equal(e.source.gtid_len, 39);
    assert_int_equal(e.source.index, UINT64_MAX);
    assert_memory_equal(e.source.file, "binlog.000002", e.source.file_len);
    assert_int_equal(e.source.pos, 4567);
    assert_int_equal(e.source.row, 3);
    assert_int_equal(e.source.ts_us, 1763686734000001);
    if (envelope_read_row(r, e.after, v, &err) != 0)
        fail_msg("%s", err.text);
    check_number(&v[0], FIELD_LONG, 77);
    check_number(&v[1], FIELD_INT, -5);
    check_text(&v[2], FIELD_STRING, "b");
    check_text(&v[3], FIELD_DECIMAL, "\x04\xe2");
    assert_int_equal(v[3].scale, 2);
    check_number(&v[4], FIELD_DATE, 20000);
    check_number(&v[5], FIELD_LOCAL_TIMESTAMP_US, -1000);
    check_number(&v[6], FIELD_LOCAL_TIMESTAMP_US, 1700000000000001);
    check_number(&v[7], FIELD_LOCAL_TIMESTAMP_US, 1700000000000001);
    check_number(&v[8], FIELD_TIMESTAMP_US, 1795222734123000);
    check_number(&v[9], FIELD_TIME_US, -3600000001);
    check_number(&v[10], FIELD_INT, 2026);
    check_text(&v[11], FIELD_JSON, "{\"a\":1}");
    check_text(&v[12], FIELD_JSON, "{\"wkb\":\"YWI=\",\"srid\":4326}");
    check_text(&v[13], FIELD_JSON, "{\"wkb\":\"Yw==\",\"srid\":null}");
    assert_int_equal(v[14].kind, FIELD_BOOL);
    assert_true(v[14].as.b);
    assert_int_equal(v[15].kind, FIELD_FLOAT);
    assert_true(v[15].as.d == 1.5);
    assert_true(v[16].as.d == -2.25);
    check_text(&v[17], FIELD_DECIMAL, "\7");
    assert_int_equal(v[17].scale, 3);
    assert_int_equal(envelope_find_field(r, "fare"), 3);
    assert_int_equal(envelope_find_field(r, "none"), -1);
    buf_release(&b);
    envelope_reader_free(r);
}

/* A delete with its before image; the record cut at every byte, and every byte changed: an error or a value, never
 * more. */
static void test_damage(void **state)
{
    struct envelope_reader *r = reader_of(ride_fields);
    struct field_value v[32];
    struct err err = ERR_INIT;
    struct envelope e;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 16);
    put_long(&b, 1);
    put_ride(&b);
    put_long(&b, 0);
    put_rest(&b, "d");
    assert_int_equal(envelope_read(r, cursor_of(b.data, b.len), &e, &err), 0);
    assert_true(e.has_before);
    assert_false(e.has_after);
    for (size_t len = 0; len < b.len; len++) {
        uint8_t *cut = xmemdup(b.data, len ? len : 1);

        assert_int_equal(envelope_read(r, cursor_of(cut, len), &e, &err), -1);
        assert_true(err.code == ERR_TRUNCATED || err.code == ERR_MALFORMED);
        free(cut);
    }
    for (size_t i = 0; i < b.len * 8; i++) {
        uint8_t *bad = xmemdup(b.data, b.len);

        bad[i / 8] ^= (uint8_t)(1u << i % 8);
        if (envelope_read(r, cursor_of(bad, b.len), &e, &err) == 0 && e.has_before)
            (void)envelope_read_row(r, e.before, v, &err);
        free(bad);
    }
    (void)buf_put_u8(&b, 0);
    assert_int_equal(envelope_read(r, cursor_of(b.data, b.len), &e, &err), -1);
    assert_non_null(strstr(err.text, "left over"));
    buf_release(&b);
    envelope_reader_free(r);
}

static void test_bad_op(void **state)
{
    struct envelope_reader *r = reader_of("{'name':'id','type':'long'}");
    static const char *const ops[] = {"x", "", "cc", "c"}; /* the last has no row */
    struct err err = ERR_INIT;
    struct envelope e;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < 4; i++) {
        buf_clear(&b);
        put_long(&b, 0);
        put_long(&b, 0);
        put_rest(&b, ops[i]);
        assert_int_equal(envelope_read(r, cursor_of(b.data, b.len), &e, &err), -1);
        assert_int_equal(err.code, ERR_MALFORMED);
    }
    buf_release(&b);
    envelope_reader_free(r);
}

static void test_no_envelopes(void **state)
{
    static const char *const schemas[] = {
        "'string'",
        "{'type':'record','name':'R','fields':[{'name':'id','type':'long'}]}",
        "{'type':'record','name':'R','fields':[{'name':'op','type':'string'},{'name':'after','type':'long'}]}",
        ("{'type':'record','name':'R','fields':[{'name':'op','type':'long'},"
         "{'name':'after','type':{'type':'record','name':'A','fields':[]}}]}"),
        "{'type':'record','name':'R','fields':[{'name':'a','type':'Unknown'}]}",
        "{'type':'record','name':'R','fields':[{'name':'a','type':[]}]}",
        "{'type':'record','name':'R','fields':7}",
        "{'type':'enum','name':'E','symbols':[]}",
        "{'type':'fixed','name':'F','size':-1}",
        "{'type':'array'}",
        "[['null']]",
        "{",
        "7",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        struct err err = ERR_INIT;
        char *json = json_of(schemas[i]);

        assert_null(envelope_reader_new(json, strlen(json), &err));
        assert_int_equal(err.code, ERR_SCHEMA);
        free(json);
    }
}

static void test_no_keys(void **state)
{
    static const char *const schemas[] = {"\"string\"", "{\"type\":\"map\",\"values\":\"int\"}", "{\"name\":\"R\"}",
                                          "[]"};

    (void)state;
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        struct err err = ERR_INIT;

        assert_null(key_reader_new(schemas[i], strlen(schemas[i]), &err));
        assert_int_equal(err.code, ERR_SCHEMA);
    }
}

static void test_deep_schema(void **state)
{
    struct err err = ERR_INIT;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100; i++)
        (void)buf_put_str(&b, "{\"type\":\"array\",\"items\":");
    (void)buf_put_str(&b, "\"int\"");
    for (int i = 0; i < 100; i++)
        (void)buf_put_str(&b, "}");
    assert_null(envelope_reader_new((const char *)b.data, b.len, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    buf_release(&b);
}

/* A type that holds itself, and an array of nulls: little input that asks for much work. */
static void test_endless_values(void **state)
{
    static const char self[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\",\"type\":\"R\"}]}";
    static const char nulls[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":"
                                "\"array\",\"items\":\"null\"}}]}";
    static const uint8_t many[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0};
    struct err err = ERR_INIT;
    struct field_value v[2];
    struct key_reader *r = key_reader_new(self, strlen(self), &err);

    (void)state;
    assert_non_null(r);
    assert_int_equal(key_read(r, cursor_of("", 0), v, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    key_reader_free(r);
    r = key_reader_new(nulls, strlen(nulls), &err);
    assert_int_equal(key_read(r, cursor_of(many, sizeof many), v, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    key_reader_free(r);
}

/* The same array where it is only walked over: nothing is written that a buffer could cap. */
static void test_endless_skip(void **state)
{
    static const uint8_t many[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0};
    struct envelope_reader *r = reader_of("{'name':'a','type':{'type':'array','items':'null'}}");
    struct err err = ERR_INIT;
    struct envelope e;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 10);
    put_long(&b, 1);
    (void)buf_put(&b, many, sizeof many);
    assert_int_equal(envelope_read(r, cursor_of(b.data, b.len), &e, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    buf_release(&b);
    envelope_reader_free(r);
}

static void test_key(void **state)
{
    static const char schema[] = "{\"type\":\"record\",\"name\":\"Key\",\"namespace\":\"p.d.t\",\"fields\":["
                                 "{\"name\":\"tenant\",\"type\":\"string\"},{\"name\":\"id\",\"type\":\"long\"}],"
                                 "\"connect.name\":\"p.d.t.Key\"}";
    struct err err = ERR_INIT;
    struct key_reader *r = key_reader_new(schema, strlen(schema), &err);
    struct field_value v[2];

    (void)state;
    assert_non_null(r);
    assert_int_equal(key_n_fields(r), 2);
    assert_string_equal(key_field_name(r, 0), "tenant");
    assert_int_equal(key_read(r, cursor_of("\4zh\6", 4), v, &err), 0);
    check_text(&v[0], FIELD_STRING, "zh");
    check_number(&v[1], FIELD_LONG, 3);
    assert_int_equal(key_read(r, cursor_of("\4zh\6\0", 5), v, &err), -1);
    key_reader_free(r);
}

/* Writers may use enums, fixed decimals, maps, nested namespaces and blocks with sizes. */
static void test_other_writers(void **state)
{
    struct err err = ERR_INIT;
    char *schema = json_of("{'type':'record','name':'a.b.Key','fields':["
                           "{'name':'e','type':{'type':'enum','name':'Color','symbols':['red','green']}},"
                           "{'name':'e2','type':['Color','null']},"
                           "{'name':'d','type':{'type':'fixed','name':'D','size':2,'logicalType':'decimal',"
                           "'precision':4,'scale':1}},"
                           "{'name':'m','type':{'type':'map','values':'int'}},"
                           "{'name':'t','type':{'type':'int','logicalType':'time-millis'}},"
                           "{'name':'ts','type':{'type':'long','logicalType':'timestamp-millis'}},"
                           "{'name':'odd','type':{'type':'int','logicalType':'timestamp-millis'}}]}");
    struct key_reader *r = key_reader_new(schema, strlen(schema), &err);
    struct field_value v[8];
    struct buf b;

    (void)state;
    if (!r)
        fail_msg("%s", err.text);
    buf_init(&b, 1 << 10);
    put_long(&b, 1);
    put_long(&b, 0);
    put_long(&b, 0);
    (void)buf_put(&b, "\xff\x9c", 2);
    put_long(&b, -1);
    put_long(&b, 3);
    put_text(&b, "k");
    put_long(&b, 9);
    put_long(&b, 0);
    put_long(&b, 1500);
    put_long(&b, -1);
    put_long(&b, 4);
    if (key_read(r, cursor_of(b.data, b.len), v, &err) != 0)
        fail_msg("%s", err.text);
    check_text(&v[0], FIELD_STRING, "green");
    check_text(&v[1], FIELD_STRING, "red");
    check_text(&v[2], FIELD_DECIMAL, "\xff\x9c");
    check_text(&v[3], FIELD_JSON, "{\"k\":9}");
    check_number(&v[4], FIELD_TIME_US, 1500000);
    check_number(&v[5], FIELD_TIMESTAMP_US, -1000);
    check_number(&v[6], FIELD_INT, 4);
    buf_release(&b);
    free(schema);
    key_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_debezium),       cmocka_unit_test(test_damage),       cmocka_unit_test(test_bad_op),
        cmocka_unit_test(test_no_envelopes),   cmocka_unit_test(test_no_keys),      cmocka_unit_test(test_deep_schema),
        cmocka_unit_test(test_endless_values), cmocka_unit_test(test_endless_skip), cmocka_unit_test(test_key),
        cmocka_unit_test(test_other_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
