#include "avro/schema_text.h"

#include <stdlib.h>
#include <string.h>

#include "avro/avro_name.h"
#include "avro/column_type.h"
#include "base/mem.h"

#define SNAPSHOT_VALUES "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"

/* One schema being written. */
struct writer {
    struct buf out;
    const struct table_codec_options *options;
    bool debezium;
    bool geometry_named; /* a record may be defined once only; later uses give its name */
};

static void put(struct writer *w, const char *s)
{
    (void)buf_put_str(&w->out, s);
}

static void put_json_bytes(struct writer *w, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\') {
            (void)buf_put_u8(&w->out, '\\');
            (void)buf_put_u8(&w->out, c);
        } else if (c < 0x20) {
            (void)buf_putf(&w->out, "\\u%04x", c);
        } else {
            (void)buf_put_u8(&w->out, c);
        }
    }
}

/* The properties that Confluent's converter hangs on a type with a Connect name, from `,` on. */
static void put_connect(struct writer *w, const char *name)
{
    (void)buf_putf(&w->out, ",\"connect.version\":1,\"connect.name\":\"%s\"", name);
}

static void put_named(struct writer *w, const char *type, const char *name)
{
    (void)buf_putf(&w->out, "{\"type\":\"%s\"", type);
    put_connect(w, name);
    put(w, "}");
}

static void put_decimal(struct writer *w, unsigned precision, unsigned scale)
{
    if (w->debezium)
        (void)buf_putf(&w->out,
                       "{\"type\":\"bytes\",\"scale\":%u,\"precision\":%u,\"connect.version\":1,\"connect.parameters\":"
                       "{\"scale\":\"%u\",\"connect.decimal.precision\":\"%u\"},"
                       "\"connect.name\":\"org.apache.kafka.connect.data.Decimal\",\"logicalType\":\"decimal\"}",
                       scale, precision, scale, precision);
    else
        (void)buf_putf(&w->out, "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":%u,\"scale\":%u}",
                       precision, scale);
}

static void put_members(struct writer *w, const struct column *column, const char *name)
{
    put(w, "{\"type\":\"string\",\"connect.version\":1,\"connect.parameters\":{\"allowed\":\"");
    for (size_t i = 0; i < column->n_members; i++) {
        if (i > 0)
            put(w, ",");
        put_json_bytes(w, column->members[i]);
    }
    (void)buf_putf(&w->out, "\"},\"connect.name\":\"%s\"}", name);
}

static void put_geometry(struct writer *w)
{
    if (w->geometry_named) {
        put(w, "\"io.debezium.data.geometry.Geometry\"");
        return;
    }
    w->geometry_named = true;
    put(w, "{\"type\":\"record\",\"name\":\"Geometry\",\"namespace\":\"io.debezium.data.geometry\",\"fields\":["
           "{\"name\":\"wkb\",\"type\":\"bytes\"},{\"name\":\"srid\",\"type\":[\"null\",\"int\"],\"default\":null}],"
           "\"connect.doc\":\"Geometry\"");
    put_connect(w, "io.debezium.data.geometry.Geometry");
    put(w, "}");
}

static void put_small_int(struct writer *w)
{
    put(w, w->debezium ? "{\"type\":\"int\",\"connect.type\":\"int16\"}" : "\"int\"");
}

static void put_logical(struct writer *w, const char *type, const char *logical, const char *connect)
{
    if (w->debezium)
        put_named(w, type, connect);
    else
        (void)buf_putf(&w->out, "{\"type\":\"%s\",\"logicalType\":\"%s\"}", type, logical);
}

static void put_type(struct writer *w, const struct column *column, enum column_type type)
{
    switch (type) {
    case TYPE_I8:
    case TYPE_U8:
    case TYPE_I16:
        put_small_int(w);
        break;
    case TYPE_U16:
    case TYPE_I24:
    case TYPE_U24:
    case TYPE_I32:
        put(w, "\"int\"");
        break;
    case TYPE_U32:
    case TYPE_I64:
    case TYPE_U64_LONG:
        put(w, "\"long\"");
        break;
    case TYPE_U64_DECIMAL:
        put_decimal(w, 20, 0);
        break;
    case TYPE_FLOAT:
        put(w, "\"float\"");
        break;
    case TYPE_DOUBLE:
        put(w, "\"double\"");
        break;
    case TYPE_DECIMAL:
        put_decimal(w, column->precision, column->scale);
        break;
    case TYPE_BOOLEAN:
        put(w, "\"boolean\"");
        break;
    case TYPE_BITS_LE:
        (void)buf_putf(&w->out,
                       "{\"type\":\"bytes\",\"connect.version\":1,\"connect.parameters\":{\"length\":\"%u\"},"
                       "\"connect.name\":\"io.debezium.data.Bits\"}",
                       column->length);
        break;
    case TYPE_TEXT:
        put(w, "\"string\"");
        break;
    case TYPE_BITS_BE:
    case TYPE_BYTES:
    case TYPE_BYTES_PADDED:
    case TYPE_GEOMETRY_BYTES:
        put(w, "\"bytes\"");
        break;
    case TYPE_DATE:
        put_logical(w, "int", "date", "io.debezium.time.Date");
        break;
    case TYPE_TIME:
        put_named(w, "long", "io.debezium.time.MicroTime");
        break;
    case TYPE_DATETIME_MICROS:
        put_logical(w, "long", "local-timestamp-micros", "io.debezium.time.MicroTimestamp");
        break;
    case TYPE_DATETIME_MILLIS:
        put_named(w, "long", "io.debezium.time.Timestamp");
        break;
    case TYPE_TIMESTAMP_MICROS:
        put_logical(w, "long", "timestamp-micros", "");
        break;
    case TYPE_TIMESTAMP_ISO:
        put_named(w, "string", "io.debezium.time.ZonedTimestamp");
        break;
    case TYPE_YEAR:
        if (w->debezium)
            put_named(w, "int", "io.debezium.time.Year");
        else
            put(w, "\"int\"");
        break;
    case TYPE_ENUM:
        if (w->debezium)
            put_members(w, column, "io.debezium.data.Enum");
        else
            put(w, "\"string\"");
        break;
    case TYPE_SET:
        if (w->debezium)
            put_members(w, column, "io.debezium.data.EnumSet");
        else
            put(w, "\"string\"");
        break;
    case TYPE_JSON:
        put_named(w, "string", "io.debezium.data.Json");
        break;
    case TYPE_GEOMETRY_RECORD:
        put_geometry(w);
        break;
    case TYPE_VECTOR:
        put(w, "{\"type\":\"array\",\"items\":\"float\"");
        put_connect(w, "io.debezium.data.FloatVector");
        put(w, "}");
        break;
    }
}

static int put_column(struct writer *w, const struct column *column, const char *name, struct err *err)
{
    enum column_type type;

    if (column_type_of(column, w->options, &type, err) < 0)
        return -1;
    (void)buf_putf(&w->out, "{\"name\":\"%s\",\"type\":", name);
    if (column->nullable)
        put(w, "[\"null\",");
    put_type(w, column, type);
    put(w, column->nullable ? "],\"default\":null}" : "}");
    return 0;
}

static void put_field(struct writer *w, const char *name, const char *type)
{
    (void)buf_putf(&w->out, "{\"name\":\"%s\",\"type\":\"%s\"}", name, type);
}

static void put_optional(struct writer *w, const char *name, const char *type)
{
    (void)buf_putf(&w->out, "{\"name\":\"%s\",\"type\":[\"null\",\"%s\"],\"default\":null}", name, type);
}

static void put_record_end(struct writer *w, const char *namespace, const char *name, int version)
{
    put(w, "]");
    if (w->debezium) {
        if (version > 0)
            (void)buf_putf(&w->out, ",\"connect.version\":%d", version);
        (void)buf_putf(&w->out, ",\"connect.name\":\"%s.%s\"", namespace, name);
    }
    put(w, "}");
}

static void put_source(struct writer *w)
{
    static const char *const head[] = {"version", "connector", "name"};
    char *namespace = NULL;

    if (w->debezium) {
        char *full = xasprintf("io.debezium.connector.%s", w->options->connector);

        namespace = avro_name_full(full);
        free(full);
    } else {
        namespace = xstrdup("pillion");
    }
    (void)buf_putf(&w->out, "{\"type\":\"record\",\"name\":\"Source\",\"namespace\":\"%s\",\"fields\":[", namespace);
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
        put_field(w, head[i], "string");
        put(w, ",");
    }
    put_field(w, "ts_ms", "long");
    if (w->debezium)
        put(w, ",{\"name\":\"snapshot\",\"type\":[{\"type\":\"string\",\"connect.version\":1,\"connect.parameters\":"
               "{\"allowed\":\"" SNAPSHOT_VALUES "\"},\"connect.default\":\"false\",\"connect.name\":"
               "\"io.debezium.data.Enum\"},\"null\"],\"default\":\"false\"},");
    else
        put(w, ",{\"name\":\"snapshot\",\"type\":[\"string\",\"null\"],\"default\":\"false\"},");
    put_field(w, "db", "string");
    put(w, ",");
    put_optional(w, "sequence", "string");
    put(w, ",");
    put_optional(w, "ts_us", "long");
    put(w, ",");
    put_optional(w, "ts_ns", "long");
    put(w, ",");
    put_optional(w, "table", "string");
    put(w, ",");
    put_field(w, "server_id", "long");
    put(w, ",");
    put_optional(w, "gtid", "string");
    put(w, ",");
    put_field(w, "file", "string");
    put(w, ",");
    put_field(w, "pos", "long");
    put(w, ",");
    put_field(w, "row", "int");
    put(w, ",");
    put_optional(w, "thread", "long");
    put(w, ",");
    put_optional(w, "query", "string");
    if (!w->debezium) {
        put(w, ",");
        put_field(w, "txn_index", "long");
    }
    put_record_end(w, namespace, "Source", 1);
    free(namespace);
}

static void put_transaction(struct writer *w)
{
    const char *namespace = w->debezium ? "event" : "pillion";
    const char *name = w->debezium ? "block" : "Transaction";

    (void)buf_putf(&w->out, "{\"type\":\"record\",\"name\":\"%s\",\"namespace\":\"%s\",\"fields\":[", name, namespace);
    put_field(w, "id", "string");
    put(w, ",");
    put_field(w, "total_order", "long");
    put(w, ",");
    put_field(w, "data_collection_order", "long");
    put_record_end(w, namespace, name, 1);
}

/* The Avro names of all columns; two that fall together would make a schema that no reader takes. */
static char **field_names(const struct table_schema *table, struct err *err)
{
    char **names = xcalloc(table->n_columns ? table->n_columns : 1, sizeof *names);
    bool changed = false;

    for (size_t i = 0; i < table->n_columns; i++) {
        names[i] = avro_name_field(table->columns[i].name);
        changed = changed || strcmp(names[i], table->columns[i].name) != 0;
    }
    for (size_t i = 1; changed && i < table->n_columns; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(names[i], names[k]) != 0)
                continue;
            err_set(
                err, ERR_SCHEMA,
                "columns \"%s\" and \"%s\" both become the Avro field %s; rename one of them or leave the table out.",
                table->columns[k].name, table->columns[i].name, names[i]);
            for (size_t j = 0; j < table->n_columns; j++)
                free(names[j]);
            free(names);
            return NULL;
        }
    }
    return names;
}

static int put_key(struct writer *w, const struct table_schema *table, char *const *names, const char *namespace,
                   struct err *err)
{
    (void)buf_putf(&w->out, "{\"type\":\"record\",\"name\":\"Key\",\"namespace\":\"%s\",\"fields\":[", namespace);
    for (size_t i = 0; i < table->n_key; i++) {
        size_t column = table->key[i];

        if (i > 0)
            put(w, ",");
        if (put_column(w, &table->columns[column], names[column], err) < 0)
            return -1;
    }
    put_record_end(w, namespace, "Key", 0);
    return 0;
}

static int put_envelope(struct writer *w, const struct table_schema *table, char *const *names, const char *namespace,
                        struct err *err)
{
    (void)buf_putf(
        &w->out,
        "{\"type\":\"record\",\"name\":\"Envelope\",\"namespace\":\"%s\",\"fields\":[{\"name\":\"before\",\"type\":"
        "[\"null\",{\"type\":\"record\",\"name\":\"Value\",\"fields\":[",
        namespace);
    for (size_t i = 0; i < table->n_columns; i++) {
        if (i > 0)
            put(w, ",");
        if (put_column(w, &table->columns[i], names[i], err) < 0)
            return -1;
    }
    put_record_end(w, namespace, "Value", 0);
    put(w, "],\"default\":null},{\"name\":\"after\",\"type\":[\"null\",\"Value\"],\"default\":null},"
           "{\"name\":\"source\",\"type\":");
    put_source(w);
    put(w, "},{\"name\":\"transaction\",\"type\":[\"null\",");
    put_transaction(w);
    put(w, "],\"default\":null},");
    put_field(w, "op", "string");
    put(w, ",");
    put_optional(w, "ts_ms", "long");
    put(w, ",");
    put_optional(w, "ts_us", "long");
    put(w, ",");
    put_optional(w, "ts_ns", "long");
    put_record_end(w, namespace, "Envelope", 2);
    return 0;
}

static struct writer writer_of(const struct table_codec_options *options)
{
    struct writer w = {.options = options, .debezium = options->profile == AVRO_PROFILE_DEBEZIUM};

    buf_init(&w.out, SCHEMA_TEXT_MAX);
    return w;
}

static int take(struct writer *w, char **out, struct err *err)
{
    if (!w->out.overflow)
        (void)buf_put_u8(&w->out, 0);
    if (w->out.overflow)
        return err_set(err, ERR_LIMIT,
                       "the Avro schema would be longer than %d bytes; leave the table out of the capture.",
                       (int)SCHEMA_TEXT_MAX);
    *out = xmemdup(w->out.data, w->out.len);
    return 0;
}

int schema_text_init(struct schema_text *t, const struct table_schema *table, const struct table_codec_options *options,
                     struct err *err)
{
    struct writer key = writer_of(options);
    struct writer value = writer_of(options);
    char *namespace = avro_name_full(options->topic);
    char **names = field_names(table, err);
    int rc = -1;

    *t = (struct schema_text){0};
    if (!names)
        goto out;
    if (put_envelope(&value, table, names, namespace, err) < 0 || take(&value, &t->value, err) < 0)
        goto out;
    if (table->n_key > 0 && (put_key(&key, table, names, namespace, err) < 0 || take(&key, &t->key, err) < 0))
        goto out;
    rc = 0;
out:
    if (rc < 0)
        schema_text_release(t);
    for (size_t i = 0; names && i < table->n_columns; i++)
        free(names[i]);
    free(names);
    free(namespace);
    buf_release(&key.out);
    buf_release(&value.out);
    return rc;
}

void schema_text_release(struct schema_text *t)
{
    free(t->key);
    free(t->value);
    *t = (struct schema_text){0};
}

char *schema_text_source(const struct table_codec_options *options)
{
    struct writer w = writer_of(options);
    char *text;

    put_source(&w);
    text = xstrdup(buf_cstr(&w.out));
    buf_release(&w.out);
    return text;
}
