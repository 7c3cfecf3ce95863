/* Text to UTF-8: what is no text is an error with its place, never a question mark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "binlog/charset.h"

static void assert_text(uint16_t collation, const char *bytes, size_t len, const char *text)
{
    struct buf out;
    struct err err = ERR_INIT;

    buf_init(&out, 1000);
    if (charset_to_utf8(charset_of_collation(collation), (const uint8_t *)bytes, len, &out, &err))
        fail_msg("%s", err.text);
    assert_string_equal(buf_cstr(&out), text);
    buf_release(&out);
}

static void assert_bad(uint16_t collation, const char *bytes, size_t len, unsigned at)
{
    struct buf out;
    struct err err = ERR_INIT;
    char word[32];

    buf_init(&out, 1000);
    if (!charset_to_utf8(charset_of_collation(collation), (const uint8_t *)bytes, len, &out, &err))
        fail_msg("collation %u took bad bytes", collation);
    assert_int_equal(err.code, ERR_VALUE);
    snprintf(word, sizeof word, "Byte %u ", at);
    if (strncmp(err.text, word, strlen(word)))
        fail_msg("expected %s, got: %s", word, err.text);
    buf_release(&out);
}

static void conversions(void **state)
{
    (void)state;
    assert_text(8, "\x80\x81\x8d\x8f\x90\x9d\xe4", 7, "€\xc2\x81\xc2\x8d\xc2\x8f\xc2\x90\xc2\x9dä");
    assert_text(45, "ü€😀", 9, "ü€😀");
    assert_text(54, "\x00\xfc\xd8\x3d\xde\x00", 6, "ü😀");
    assert_text(56, "\xfc\x00\x3d\xd8\x00\xde", 6, "ü😀");
    assert_text(60, "\x00\x01\xf6\x00", 4, "😀");
    assert_text(13, "\x5c\x81\x5f\x83\x5c\xb1~", 7, "\\\\ソｱ~"); /* the second byte of SO is a backslash */
    assert_text(248,
                "\x81\x30\x81\x30\xba\xba"
                "a",
                7, "\xc2\x80汉a");
    assert_text(1, "\xa1\x45\xa4\x40", 4, "•一");
    assert_text(63, "\xff\x00", 1, "\xff");
    assert_text(11, "", 0, "");
}

static void bad_bytes(void **state)
{
    (void)state;
    assert_bad(11, "ab\x80", 3, 2);
    assert_bad(45, "ab\xff", 3, 2);
    assert_bad(45, "abcdefgh\xc3", 9, 8);
    assert_bad(45, "\xc0\x80", 2, 0);     /* overlong */
    assert_bad(45, "\xed\xa0\x80", 3, 0); /* half a surrogate pair */
    assert_bad(45, "\xf4\x90\x80\x80", 4, 0);
    assert_bad(54, "\x00\x61\xd8\x00", 4, 2);
    assert_bad(54, "\xdc\x00\x00\x61", 4, 0);
    assert_bad(54, "\x00\x61\x00", 3, 2);
    assert_bad(60, "\x00\x11\x00\x00", 4, 0);
    assert_bad(10, "\x80", 1, 0);
    assert_bad(12, "a\xa4", 2, 1);
}

static void collations(void **state)
{
    unsigned known = 0;

    (void)state;
    assert_null(charset_of_collation(0));
    assert_null(charset_of_collation(17));
    assert_null(charset_of_collation(4000));
    assert_string_equal(charset_name(charset_of_collation(255)), "utf8mb4"); /* utf8mb4_0900_ai_ci */
    assert_string_equal(charset_name(charset_of_collation(33)), "utf8mb3");
    assert_string_equal(charset_name(charset_of_collation(1032)), "latin1");  /* latin1_swedish_nopad_ci */
    assert_string_equal(charset_name(charset_of_collation(2304)), "utf8mb4"); /* uca1400 */
    assert_string_equal(charset_name(charset_of_collation(2048)), "utf8mb3");
    assert_true(charset_is_binary(charset_of_collation(63)));
    for (unsigned i = 0; i < 65536; i++) {
        const struct charset *cs = charset_of_collation((uint16_t)i);

        if (!cs)
            continue;
        assert_non_null(charset_name(cs));
        known++;
    }
    assert_true(known > 1500);
}

static void caps(void **state)
{
    struct buf out;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&out, 4);
    assert_int_equal(charset_to_utf8(charset_of_collation(45), (const uint8_t *)"12345", 5, &out, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(utf8_valid((const uint8_t *)"12345678\xc3\xa4x\xe2\x82", 13), 11);
    assert_int_equal(utf8_valid(NULL, 0), 0);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conversions), cmocka_unit_test(bad_bytes),
                                       cmocka_unit_test(collations), cmocka_unit_test(caps)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
