#include "cmd/event_json.h"

#include <inttypes.h>
#include <math.h>

void event_json_string(struct buf *out, const char *text, size_t len)
{
    const uint8_t *s = (const uint8_t *)text;

    buf_put_u8(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"' || s[i] == '\\') {
            buf_put_u8(out, '\\');
            buf_put_u8(out, s[i]);
        } else if (s[i] == '\n') {
            buf_put_str(out, "\\n");
        } else if (s[i] < 0x20 || s[i] == 0x7f) {
            buf_putf(out, "\\u%04x", s[i]);
        } else {
            buf_put_u8(out, s[i]);
        }
    }
    buf_put_u8(out, '"');
}

static void put_base64(struct buf *out, const uint8_t *s, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    buf_put_u8(out, '"');
    for (size_t i = 0; i < len; i += 3) {
        unsigned v =
            (unsigned)s[i] << 16 | (i + 1 < len ? (unsigned)s[i + 1] << 8 : 0u) | (i + 2 < len ? s[i + 2] : 0u);

        buf_put_u8(out, (uint8_t)digits[v >> 18]);
        buf_put_u8(out, (uint8_t)digits[v >> 12 & 63]);
        buf_put_u8(out, i + 1 < len ? (uint8_t)digits[v >> 6 & 63] : '=');
        buf_put_u8(out, i + 2 < len ? (uint8_t)digits[v & 63] : '=');
    }
    buf_put_u8(out, '"');
}

static void put_value(struct buf *out, const struct value *v, enum column_kind kind)
{
    switch (v->kind) {
    case VALUE_NULL:
    case VALUE_ABSENT:
        buf_put_str(out, "null");
        break;
    case VALUE_INT:
        buf_putf(out, "%" PRId64, v->as.i);
        break;
    case VALUE_UINT:
        buf_putf(out, "%" PRIu64, v->as.u);
        break;
    case VALUE_FLOAT:
    case VALUE_DOUBLE:
        if (isfinite(v->as.d))
            buf_putf(out, v->kind == VALUE_FLOAT ? "%.9g" : "%.17g", v->as.d);
        else
            buf_put_str(out, "null");
        break;
    case VALUE_TEXT:
        if (kind == COLUMN_JSON && v->as.data.len)
            buf_put(out, v->as.data.bytes, v->as.data.len);
        else
            event_json_string(out, (const char *)v->as.data.bytes, v->as.data.len);
        break;
    case VALUE_BYTES:
        put_base64(out, v->as.data.bytes, v->as.data.len);
        break;
    }
}

static void put_image(struct buf *out, const char *name, const struct table_schema *t, const struct value *values)
{
    bool first = true;

    buf_putf(out, ",\"%s\":", name);
    if (!values) {
        buf_put_str(out, "null");
        return;
    }
    buf_put_u8(out, '{');
    for (size_t i = 0; i < t->n_columns; i++) {
        const char *column = t->columns[i].name;

        if (values[i].kind == VALUE_ABSENT) /* not in the row image: not the same as null */
            continue;
        if (!first)
            buf_put_u8(out, ',');
        first = false;
        event_json_string(out, column, strlen(column));
        buf_put_u8(out, ':');
        put_value(out, &values[i], t->columns[i].kind);
    }
    buf_put_u8(out, '}');
}

void event_json_write(struct buf *out, const struct change_event *e)
{
    const struct change_source *s = e->source;

    buf_putf(out, "{\"op\":\"%c\",\"db\":", (char)e->op);
    event_json_string(out, e->table->database, strlen(e->table->database));
    buf_put_str(out, ",\"table\":");
    event_json_string(out, e->table->table, strlen(e->table->table));
    buf_putf(out, ",\"gtid\":\"%s\",\"index\":%" PRIu64 ",\"file\":", s->gtid_text, e->txn_index);
    event_json_string(out, s->file, strlen(s->file));
    buf_putf(out, ",\"pos\":%" PRIu64 ",\"row\":%" PRIu32 ",\"ts_us\":%" PRId64 ",\"server_id\":%" PRIu32, s->offset,
             e->row, s->commit_us, s->server_id);
    put_image(out, "before", e->table, e->before);
    put_image(out, "after", e->table, e->after);
    buf_put_str(out, "}\n");
}
