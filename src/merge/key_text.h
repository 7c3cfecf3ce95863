/* key_text: the canonical text of a key, which is how the gate, the parked rows and people name a row.
 *
 * One column: its text as it is. Several: joined by "," in key order, with "\" before "\" and "," in them. Integers are
 * decimal whatever their width; decimals without trailing zeros, so that 7, 7.00 and an integer 7 are one key; booleans
 * 1 and 0; bytes 0x and hexadecimal; instants and local times their microseconds, dates their days. A NULL column has
 * no key text. Pure. Limit: KEY_TEXT_MAX bytes. Errors: ERR_VALUE, ERR_LIMIT. */
#ifndef PILLION_MERGE_KEY_TEXT_H
#define PILLION_MERGE_KEY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "avro/envelope_reader.h"
#include "base/buf.h"
#include "base/err.h"

enum { KEY_TEXT_MAX = 8192 };

/* Appends the text of n values. *null tells that one of them is NULL; nothing is appended then. */
int key_text_put(struct buf *out, const struct field_value *const values[], size_t n, bool *null, struct err *err);
/* The decimal text of unscaled big-endian two's complement bytes; strip: without trailing zeros behind the point. */
int key_text_decimal(struct buf *out, const uint8_t *bytes, size_t len, int scale, bool strip, struct err *err);

#endif
