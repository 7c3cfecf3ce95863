/* charset: text of any MySQL or MariaDB collation to UTF-8.
 *
 * charset_of_collation maps a collation id to its charset; utf8mb3, utf8mb4 and ascii pass through after validation
 * (fast path), latin1 is MySQL's cp1252 with its five holes mapped to themselves, the rest go through iconv. Bytes that
 * are no text of the charset are an error with their offset: never '?' (FIELD B14). Thread: converters are per caller.
 */
#ifndef PILLION_BINLOG_CHARSET_H
#define PILLION_BINLOG_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct charset; /* one row of the charset table, with its converter's name */

const struct charset *charset_of_collation(uint16_t collation); /* NULL: unknown */
const char *charset_name(const struct charset *cs);             /* MySQL's name: "latin1" */
bool charset_is_binary(const struct charset *cs);
bool charset_is_utf8(const struct charset *cs); /* bytes can be copied after utf8_valid */
/* The offset of the first byte that is not UTF-8, or len. */
size_t utf8_valid(const uint8_t *s, size_t len);
/* Appends the text as UTF-8. */
int charset_to_utf8(const struct charset *cs, const uint8_t *s, size_t len, struct buf *out, struct err *err);

#endif
