/* Damaged events end in an error or in a clean result, never in a read outside of them: each recorded event cut,
 * and with single bits turned over (small recordings everywhere, large ones at places spread over them). The sanitizers
 * watch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/binlog/recordings.h"

enum { CUTS = 1801, TURNS = 3001 }; /* a recording, spread over its bytes */

static size_t recording_bytes(const struct recording *r)
{
    size_t bytes = 0;

    for (size_t e = 0; e < r->n; e++)
        bytes += r->events[e].len;
    return bytes;
}

static bool opens_transaction(const struct recorded *e)
{
    uint8_t type = e->bytes[4];

    return type == EVENT_GTID || type == EVENT_ANONYMOUS_GTID || type == EVENT_GTID_TAGGED || type == EVENT_MARIA_GTID;
}

/* A decoder that stands before the event `at`. */
static struct decoder *decoder_before(const struct recording *r, size_t at, struct buf *sink)
{
    struct decoder *d = decoder_new(NULL);
    struct err err = ERR_INIT;
    size_t from = at;

    if (at && dump_event(sink, d, r->events[0].bytes, r->events[0].len, &err))
        fail_msg("%s", err.text);
    while (from > 1 && !opens_transaction(&r->events[from]))
        from--;
    for (; from && from < at; from++)
        if (dump_event(sink, d, r->events[from].bytes, r->events[from].len, &err))
            fail_msg("%s", err.text);
    return d;
}

/* Exactly as many bytes as are claimed, so that a read beyond them is seen. */
static int feed_exact(struct decoder *d, const uint8_t *bytes, size_t len, struct buf *sink, struct err *err)
{
    uint8_t *copy = malloc(len ? len : 1);
    int rc;

    memcpy(copy, bytes, len);
    buf_clear(sink);
    rc = dump_event(sink, d, copy, len, err);
    free(copy);
    return rc;
}

static void cut_events(void **state)
{
    struct buf sink;

    (void)state;
    buf_init(&sink, 1 << 30);
    for (size_t i = 0; i < RECORDINGS; i++) {
        struct recording r;
        size_t step, len = 0;

        recording_load(&r, recordings[i]);
        recording_strip(&r);
        step = recording_bytes(&r) / CUTS + 1;
        for (size_t e = 0; e < r.n; e++) {
            for (; len < r.events[e].len; len += step) {
                /* With the size as it was, and made to fit. */
                for (int fit = 0; fit < 2; fit++) {
                    struct decoder *d;
                    struct err err = ERR_INIT;
                    uint8_t *copy;
                    struct recorded cut;
                    int rc;

                    if (fit && len < 19)
                        continue;
                    copy = malloc(len + 1);
                    memcpy(copy, r.events[e].bytes, len);
                    cut = (struct recorded){copy, len};
                    if (fit)
                        recorded_set_size(&cut);
                    d = decoder_before(&r, e, &sink);
                    rc = feed_exact(d, copy, len, &sink, &err);
                    if (!fit)
                        assert_int_equal(rc, -1);
                    assert_int_equal(rc == -1, err.code != ERR_NONE);
                    assert_true(err.code != ERR_BUG);
                    decoder_free(d);
                    free(copy);
                }
            }
            len -= r.events[e].len;
        }
        recording_free(&r);
    }
    buf_release(&sink);
}

static void turn_bits(void **state)
{
    struct buf sink;

    (void)state;
    buf_init(&sink, 1 << 30);
    for (size_t i = 0; i < RECORDINGS; i++) {
        struct recording r;
        size_t step, bit = 0;

        recording_load(&r, recordings[i]);
        recording_strip(&r);
        step = recording_bytes(&r) * 8 / TURNS + 1;
        for (size_t e = 0; e < r.n; e++) {
            for (; bit < r.events[e].len * 8; bit += step) {
                struct decoder *d = decoder_before(&r, e, &sink);
                struct err err = ERR_INIT;
                int rc;

                r.events[e].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                rc = feed_exact(d, r.events[e].bytes, r.events[e].len, &sink, &err);
                r.events[e].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_equal(rc == -1, err.code != ERR_NONE);
                if (err.code == ERR_BUG)
                    fail_msg("%s, event %zu, bit %zu: %s", recordings[i], e, bit, err.text);
                decoder_free(d);
            }
            bit -= r.events[e].len * 8;
        }
        recording_free(&r);
    }
    buf_release(&sink);
}

static void checksums_see_every_bit(void **state)
{
    struct recording r;
    struct buf sink;

    (void)state;
    buf_init(&sink, 1 << 30);
    recording_load(&r, "mysql_statements");
    assert_true(r.crc);
    for (size_t e = 0; e < 8; e++) {
        for (size_t bit = 0; bit < r.events[e].len * 8; bit++) {
            struct decoder *d = decoder_before(&r, e, &sink);
            struct err err = ERR_INIT;

            r.events[e].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            /* Of the format description: the bit "in use" is no part of the checksum, and the bit that says that there
             * are checksums turns them off. */
            if (e || (bit != 17 * 8 && bit != (r.events[0].len - 5) * 8))
                if (!feed_exact(d, r.events[e].bytes, r.events[e].len, &sink, &err) &&
                    r.events[e].bytes[4] != EVENT_ROTATE)
                    fail_msg("event %zu, bit %zu was not seen", e, bit);
            r.events[e].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            decoder_free(d);
        }
    }
    recording_free(&r);
    buf_release(&sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_events),
        cmocka_unit_test(turn_bits),
        cmocka_unit_test(checksums_see_every_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
