/* plan_encode: the hot half of plan.h: one row image to Avro bytes in one pass over its columns. */
#include <inttypes.h>
#include <string.h>

#include "avro/plan_value.h"
#include "avro/varint.h"

/* The columns' NULL bits from `first` on, as one word. */
static inline uint64_t null_word(const uint8_t *nulls, size_t first, size_t n_columns)
{
    size_t n = (n_columns - first + 7) / 8;
    uint64_t word = 0;

    nulls += first / 8;
    for (size_t i = 0; i < n && i < 8; i++)
        word |= (uint64_t)nulls[i] << (8 * i);
    return word;
}

static int truncated(struct err *err)
{
    return err_set(err, ERR_TRUNCATED, "the row image ends before its columns do; the log is damaged there.");
}

/* What the loop below holds in registers while it can, and hands over to plan_put_value for all that is not common. */
struct state {
    const uint8_t *in;
    const uint8_t *end;
    struct sink s;
};

static int put_slowly(struct plan *p, const struct plan_step *step, struct state *st, const struct plan_diffs *diffs,
                      struct err *err)
{
    struct cursor c = {st->in, st->end, false};
    int rc = plan_put_value(p, step, &st->s, diffs, &c, err);

    st->in = c.p;
    return c.failed ? truncated(err) : rc;
}

static inline uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    memcpy(&v, p, n);
    return v;
}

/* The length before a string: nearly always one or two bytes, and a copy of a variable size is a call. */
static inline size_t load_length(const uint8_t *p, unsigned n)
{
    if (n == 1)
        return p[0];
    if (n == 2)
        return (size_t)load_le(p, 2);
    return n == 3 ? (size_t)load_le(p, 3) : (size_t)load_le(p, 4);
}

/* The next n bytes of the image, or the slow way, which finds out that they are missing. */
#define TAKE(n)                                                                                                        \
    do {                                                                                                               \
        if (__builtin_expect((size_t)(end - in) < (n), 0))                                                             \
            goto slowly;                                                                                               \
    } while (0)

/* The length of a string that is whole in the image and has room in the sink. */
#define TAKE_LENGTH()                                                                                                  \
    do {                                                                                                               \
        TAKE(step->length_bytes);                                                                                      \
        len = load_length(in, step->length_bytes);                                                                     \
        if (__builtin_expect((size_t)(end - in) - step->length_bytes < len, 0) ||                                      \
            __builtin_expect((size_t)(limit - at) < len + room, 0))                                                    \
            goto slowly;                                                                                               \
    } while (0)

/* The steps of up to 64 columns, whose NULL bits are `null`. */
static int encode_steps(struct plan *p, const struct plan_step *step, const struct plan_step *last, uint64_t null,
                        struct state *st, const struct plan_diffs *diffs, struct plan_span *keys, struct err *err)
{
    const uint8_t *in = st->in, *const end = st->end;
    uint8_t *at = st->s.at, *limit = st->s.limit;
    const size_t room = st->s.room;
    int64_t number;
    uint64_t index;
    size_t len;

    for (; step < last; step++, null >>= 1) {
        size_t from = (size_t)(at - st->s.out->data);

        if (step->nullable) {
            if (null & 1) {
                *at++ = 0;
                goto written;
            }
            *at++ = 2;
        }
        switch ((enum column_type)step->type) {
        case TYPE_I8:
            TAKE(1);
            number = (int8_t)*in++;
            break;
        case TYPE_U8:
            TAKE(1);
            number = *in++;
            break;
        case TYPE_I16:
            TAKE(2);
            number = (int16_t)load_le(in, 2);
            in += 2;
            break;
        case TYPE_U16:
            TAKE(2);
            number = (int64_t)load_le(in, 2);
            in += 2;
            break;
        case TYPE_I32:
            TAKE(4);
            number = (int32_t)load_le(in, 4);
            in += 4;
            break;
        case TYPE_U32:
            TAKE(4);
            number = (int64_t)load_le(in, 4);
            in += 4;
            break;
        case TYPE_I64:
            TAKE(8);
            number = (int64_t)load_le(in, 8);
            in += 8;
            break;
        case TYPE_U64_LONG:
            TAKE(8);
            number = (int64_t)load_le(in, 8);
            if (__builtin_expect(number < 0, 0))
                goto slowly;
            in += 8;
            break;
        case TYPE_DOUBLE:
            TAKE(8);
            memcpy(at, in, 8);
            at += 8;
            in += 8;
            goto written;
        case TYPE_DECIMAL:
            if (step->decimal.n_groups == 0)
                goto slowly;
            TAKE(step->decimal.size);
            if (!quick_decimal(in, &step->decimal, &number))
                goto slowly;
            in += step->decimal.size;
            at = quick_put_decimal(at, number);
            goto written;
        case TYPE_DATETIME_MICROS:
        case TYPE_DATETIME_MILLIS:
            TAKE(step->length_bytes);
            if (step->wire->type != WIRE_DATETIME2 || !quick_datetime(in, step->wire->fsp, &p->month, &number))
                goto slowly;
            in += step->length_bytes;
            if (step->type == TYPE_DATETIME_MILLIS)
                number /= 1000;
            break;
        case TYPE_TIMESTAMP_MICROS:
            TAKE(step->length_bytes);
            if (step->wire->type != WIRE_TIMESTAMP2 || !quick_timestamp(in, step->wire->fsp, &number))
                goto slowly;
            in += step->length_bytes;
            break;
        case TYPE_ENUM:
            TAKE(step->length_bytes);
            index = load_length(in, step->length_bytes);
            if (__builtin_expect(index >= step->n_members, 0) ||
                __builtin_expect((size_t)(limit - at) < step->members[index].len + room, 0))
                goto slowly;
            in += step->length_bytes;
            memcpy(at, p->pool.data + step->members[index].at, step->members[index].len);
            at += step->members[index].len;
            goto written;
        case TYPE_TEXT:
            if (__builtin_expect(!step->plain, 0))
                goto slowly;
            TAKE_LENGTH();
            in += step->length_bytes;
            at = varint_put(at, (int64_t)len);
            if (!copy_is_ascii(at, in, len) && utf8_valid(in, len) != len) {
                plan_bad_text(step, in, len, err);
                goto failed;
            }
            at += len;
            in += len;
            goto written;
        case TYPE_BYTES:
            if (__builtin_expect(!step->plain, 0))
                goto slowly;
            TAKE_LENGTH();
            in += step->length_bytes;
            at = varint_put(at, (int64_t)len);
            memcpy(at, in, len);
            at += len;
            in += len;
            goto written;
        default:
            goto slowly;
        }
        at = varint_put(at, number);
        goto written;
    slowly:
        st->in = in;
        st->s.at = at;
        if (put_slowly(p, step, st, diffs, err) < 0)
            goto failed;
        in = st->in;
        at = st->s.at;
        limit = st->s.limit;
    written:
        if (step->key_slot >= 0)
            keys[step->key_slot] = (struct plan_span){from, (size_t)(at - st->s.out->data) - from};
    }
    st->in = in;
    st->s.at = at;
    return 0;
failed:
    return err_prefix(err, "column %s", step->column->name);
}

int plan_encode(struct plan *p, struct cursor *data, const uint8_t *nulls, const struct plan_diffs *diffs,
                struct buf *out, struct plan_span *keys, struct err *err)
{
    struct state st = {.in = data->p, .end = data->end, .s = {.out = out, .room = p->fixed_room}};

    st.s.at = buf_room(out, p->fixed_room);
    if (!st.s.at)
        return plan_too_long(err, out);
    st.s.limit = out->data + out->size;
    for (size_t i = 0; i < p->n_json; i++)
        p->json[i].len = 0;
    for (size_t first = 0; first < p->n_steps; first += 64) {
        uint64_t null = null_word(nulls, first, p->n_steps);
        uint64_t wrong = null & p->not_null[first / 64];
        size_t last = p->n_steps - first > 64 ? first + 64 : p->n_steps;

        if (__builtin_expect(wrong != 0, 0))
            return err_set(err, ERR_MALFORMED,
                           "the row image has NULL in column %s, which is NOT NULL; the log is damaged there.",
                           p->steps[first + (size_t)__builtin_ctzll(wrong)].column->name);
        if (encode_steps(p, &p->steps[first], &p->steps[last], null, &st, diffs, keys, err) < 0)
            return -1;
    }
    out->len = (size_t)(st.s.at - out->data);
    data->p = st.in;
    return 0;
}
