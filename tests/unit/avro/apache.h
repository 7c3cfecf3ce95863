/* apache: Apache's avro-c as the judge of our bytes: a record read by its generic reader with our schema. */
#ifndef PILLION_TESTS_AVRO_APACHE_H
#define PILLION_TESTS_AVRO_APACHE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <avro.h>
#include <cmocka.h>

#include "base/err.h"

static inline void check(int rc, const struct err *err)
{
    if (rc != 0)
        fail_msg("%s", err->text);
}

/* Apache's reader on one message behind the five bytes of the wire format. */
struct apache {
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
};

static inline void apache_init(struct apache *a, const char *schema)
{
    if (avro_schema_from_json_length(schema, strlen(schema), &a->schema) != 0)
        fail_msg("avro-c refuses the schema: %s\n%s", avro_strerror(), schema);
    a->class = avro_generic_class_from_schema(a->schema);
    assert_non_null(a->class);
    assert_int_equal(avro_generic_value_new(a->class, &a->value), 0);
}

static inline void apache_release(struct apache *a)
{
    avro_value_decref(&a->value);
    avro_value_iface_decref(a->class);
    avro_schema_decref(a->schema);
}

static inline void apache_read(struct apache *a, const uint8_t *message, size_t len)
{
    avro_reader_t reader = avro_reader_memory((const char *)message + 5, (int64_t)len - 5);
    char rest;

    assert_int_equal(message[0], 0);
    if (avro_value_read(reader, &a->value) != 0)
        fail_msg("avro-c cannot read the record: %s", avro_strerror());
    if (avro_read(reader, &rest, 1) == 0)
        fail_msg("bytes are left over behind the record");
    avro_reader_free(reader);
}

static inline avro_value_t field(const avro_value_t *record, const char *name)
{
    avro_value_t out, branch = {0};

    if (avro_value_get_by_name(record, name, &out, NULL) != 0)
        fail_msg("no field %s", name);
    if (avro_value_get_type(&out) == AVRO_UNION) {
        assert_int_equal(avro_value_get_current_branch(&out, &branch), 0);
        return branch;
    }
    return out;
}

static inline int64_t number(const avro_value_t *v)
{
    int64_t l = 0;
    int32_t i = 0;

    if (avro_value_get_type(v) == AVRO_INT32) {
        assert_int_equal(avro_value_get_int(v, &i), 0);
        return i;
    }
    assert_int_equal(avro_value_get_type(v), AVRO_INT64);
    assert_int_equal(avro_value_get_long(v, &l), 0);
    return l;
}

static inline void check_text(const avro_value_t *v, const void *text, size_t len)
{
    const char *s;
    size_t size = 0;

    assert_int_equal(avro_value_get_type(v), AVRO_STRING);
    assert_int_equal(avro_value_get_string(v, &s, &size), 0);
    assert_int_equal(size - 1, len);
    assert_memory_equal(s, text, len);
}

static inline void check_bytes(const avro_value_t *v, const void *bytes, size_t len)
{
    const void *s;
    size_t size = 0;

    assert_int_equal(avro_value_get_type(v), AVRO_BYTES);
    assert_int_equal(avro_value_get_bytes(v, &s, &size), 0);
    assert_int_equal(size, len);
    if (len)
        assert_memory_equal(s, bytes, len);
}

#endif
