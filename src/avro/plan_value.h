/* plan_value: one value of a row image to Avro, every type and every form of it; the way that plan_encode takes when
 * its own short cuts do not fit. Internal to avro/: see plan.h for ownership, errors and limits. */
#ifndef PILLION_AVRO_PLAN_VALUE_H
#define PILLION_AVRO_PLAN_VALUE_H

#include "avro/plan.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The encoder copies little-endian integers and floats as they lie; port its loads and stores first."
#endif

/* Where the bytes of one image go. `at` runs ahead of out->len until the image is done. */
struct sink {
    struct buf *out;
    uint8_t *at;
    uint8_t *limit;
    size_t room; /* always kept free beyond what sink_need asks for */
};

int sink_grow(struct sink *s, size_t n); /* -1 past the cap */
static inline int sink_need(struct sink *s, size_t n)
{
    if (__builtin_expect((size_t)(s->limit - s->at) >= s->room && (size_t)(s->limit - s->at) - s->room >= n, 1))
        return 0;
    return sink_grow(s, n);
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Copies n bytes and tells whether all are ASCII, so that short texts are looked at once. */
static inline bool copy_is_ascii(uint8_t *to, const uint8_t *from, size_t n)
{
    uint64_t all = 0;

    if (n >= 8) {
        for (size_t i = 0; i + 8 <= n; i += 8) {
            uint64_t v = load64(from + i);

            all |= v;
            memcpy(to + i, &v, sizeof v);
        }
        uint64_t last = load64(from + n - 8);

        all |= last;
        memcpy(to + n - 8, &last, sizeof last);
    } else if (n >= 4) {
        uint32_t first = load32(from);
        uint32_t last = load32(from + n - 4);

        all = first | last;
        memcpy(to, &first, sizeof first);
        memcpy(to + n - 4, &last, sizeof last);
    } else {
        for (size_t i = 0; i < n; i++) {
            to[i] = from[i];
            all |= from[i];
        }
    }
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

int plan_too_long(struct err *err, const struct buf *out);
int plan_bad_text(const struct plan_step *step, const uint8_t *bytes, size_t len, struct err *err);

/* One value that is not NULL. The union's branch was written before. When the bytes end too early the cursor has failed
 * and the result may be 0. */
int plan_put_value(struct plan *p, const struct plan_step *step, struct sink *s, const struct plan_diffs *diffs,
                   struct cursor *c, struct err *err);

#endif
