#include "avro/plan.h"

#include <stdlib.h>
#include <string.h>

#include "avro/varint.h"
#include "base/mem.h"

enum {
    STEP_ROOM = 48, /* the longest value that is no string, with its union branch and what is written beyond its end */
    SCRATCH_MAX = 1 << 30
};

/* The members of an ENUM as Avro strings, one after the other; place 0 is the empty string. */
static int pool_members(struct plan *p, struct plan_step *step, struct plan_member *members, struct err *err)
{
    const struct column *column = step->column;

    step->members = members;
    step->n_members = column->n_members + 1;
    for (size_t i = 0; i < step->n_members; i++) {
        const char *text = i == 0 ? "" : column->members[i - 1];
        uint8_t head[VARINT_ROOM];
        size_t n = (size_t)(varint_put(head, (int64_t)strlen(text)) - head);

        members[i] = (struct plan_member){(uint32_t)p->pool.len, (uint32_t)(n + strlen(text))};
        if (buf_put(&p->pool, head, n) < 0 || buf_put_str(&p->pool, text) < 0)
            return err_set(err, ERR_LIMIT, "the members of the ENUM are longer than %zu bytes.", p->pool.cap);
    }
    return 0;
}

static int compile(struct plan *p, struct plan_step *step, const struct column *column, const struct wire_column *wire,
                   const struct table_codec_options *options, struct plan_member **members, struct err *err)
{
    enum column_type type;

    if (column_type_of(column, options, &type, err) < 0)
        return -1;
    *step = (struct plan_step){.type = (uint8_t)type,
                               .length_bytes = wire->length_bytes,
                               .nullable = column->nullable,
                               .key_slot = column->key_part,
                               .json_slot = type == TYPE_JSON ? (int)p->n_json++ : -1,
                               .column = column,
                               .wire = wire};
    if (type == TYPE_TEXT) {
        step->charset = charset_of_collation(column->collation);
        if (!step->charset)
            return err_set(err, ERR_UNSUPPORTED, "column %s has collation %u, which Pillion does not know.",
                           column->name, column->collation);
        step->utf8 = charset_is_utf8(step->charset);
    }
    step->plain = !wire->compressed && (type == TYPE_BYTES || step->utf8);
    if (type == TYPE_DECIMAL)
        step->decimal = quick_decimal_of(wire->precision, wire->scale);
    if (type == TYPE_SET)
        step->n_members = column->n_members;
    if (type == TYPE_ENUM) {
        if (pool_members(p, step, *members, err) < 0)
            return err_prefix(err, "column %s", column->name);
        *members += step->n_members;
    }
    return 0;
}

int plan_init(struct plan *p, const struct table_map *table, const struct table_codec_options *options, struct err *err)
{
    const struct table_schema *schema = table->schema;
    struct plan_member *members;
    size_t n_members = 1;

    *p = (struct plan){.n_steps = schema->n_columns, .n_key = schema->n_key, .zero_dates = options->zero_dates};
    p->epoch_for_not_null = options->profile == AVRO_PROFILE_DEBEZIUM;
    p->fixed_room = schema->n_columns * STEP_ROOM + VARINT_ROOM;
    p->steps = xcalloc(schema->n_columns ? schema->n_columns : 1, sizeof *p->steps);
    p->not_null = xcalloc(schema->n_columns / 64 + 1, sizeof *p->not_null);
    buf_init(&p->pool, UINT32_MAX);
    buf_init(&p->scratch, SCRATCH_MAX);
    buf_init(&p->unpacked, SCRATCH_MAX);
    p->json = xcalloc(schema->n_columns ? schema->n_columns : 1, sizeof *p->json);
    for (size_t i = 0; i < schema->n_columns; i++)
        n_members += schema->columns[i].n_members + 1;
    p->members = members = xcalloc(n_members, sizeof *p->members);
    if (table->n_columns != schema->n_columns) {
        err_set(err, ERR_BUG, "the table map has %zu columns and its shape %zu.", table->n_columns, schema->n_columns);
        goto failed;
    }
    for (size_t i = 0; i < schema->n_columns; i++) {
        if (compile(p, &p->steps[i], &schema->columns[i], &table->columns[i], options, &members, err) < 0)
            goto failed;
        if (!schema->columns[i].nullable)
            p->not_null[i / 64] |= UINT64_C(1) << (i % 64);
    }
    return 0;
failed:
    plan_release(p);
    return -1;
}

void plan_release(struct plan *p)
{
    free(p->steps);
    free(p->not_null);
    free(p->members);
    buf_release(&p->pool);
    buf_release(&p->scratch);
    buf_release(&p->unpacked);
    free(p->json);
    *p = (struct plan){0};
}
