/* avro_json: decoded field values as JSON text, for `decode`, `why`, logs of quarantined records and tests.
 *
 * Numbers stay numbers; decimals and times are strings ("12.50", "2026-11-21", "2026-11-21T00:58:54.000001Z", local
 * ones without Z, TIME as "-838:59:59.000000"); bytes are base64; JSON columns are put in as they are when they are
 * valid, else as a string; infinite floats and NaN are null. Text that is not UTF-8 is shown with U+FFFD, for this is a
 * view, not a copy. Appending past the buffer's cap sets its overflow, which the caller looks at. Errors: ERR_LIMIT (a
 * decimal of more than AVRO_DECIMAL_MAX bytes). Thread: any. */
#ifndef PILLION_AVRO_AVRO_JSON_H
#define PILLION_AVRO_AVRO_JSON_H

#include "avro/envelope_reader.h"
#include "base/buf.h"

enum { AVRO_DECIMAL_MAX = 128 };

void avro_json_text(struct buf *out, const uint8_t *text, size_t len);    /* a JSON string */
void avro_json_base64(struct buf *out, const uint8_t *bytes, size_t len); /* a JSON string */
/* Unscaled big-endian two's complement and scale as plain decimal text, without quotes. */
int avro_json_decimal(struct buf *out, const uint8_t *bytes, size_t len, int scale, struct err *err);
int avro_json_value(struct buf *out, const struct field_value *v, struct err *err);
/* An object of n fields. */
int avro_json_row(struct buf *out, const char *const names[], const struct field_value *values, size_t n,
                  struct err *err);

#endif
