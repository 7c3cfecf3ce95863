/* value: one column's bytes in a row image turned into neutral forms, for the boxed reader (rows.c) and the Avro
 * encoder.
 *
 * Each function reads exactly the column's bytes from the cursor and leaves the cursor after them; on bad bytes it sets
 * the cursor's `failed` or gives -1 with err. Integers are little-endian on the wire, NEWDECIMAL, TIME2, DATETIME2,
 * TIMESTAMP2 and BIT big-endian (sources: MySQL strings/decimal.cc decimal2bin, sql-common/my_time.cc *_from_binary).
 * Hot ones are inline. Civil times: dates are days since 1970-01-01, datetimes microseconds since 1970-01-01 00:00 in
 * no zone. */
#ifndef PILLION_BINLOG_VALUE_H
#define PILLION_BINLOG_VALUE_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"
#include "binlog/table_map.h"

/* 1, 2, 3, 4, 8 bytes, sign-extended unless is_unsigned. */
static inline int64_t value_int(struct cursor *c, size_t width, bool is_unsigned)
{
    uint64_t v = cursor_le(c, width);
    unsigned shift = (unsigned)(64 - 8 * width);

    return is_unsigned ? (int64_t)v : (int64_t)(v << shift) >> shift;
}

/* Bytes with a little-endian length of `length_bytes` before them. NULL on failure. */
static inline const uint8_t *value_lenc(struct cursor *c, size_t length_bytes, size_t *len)
{
    *len = (size_t)cursor_le(c, length_bytes);
    return cursor_bytes(c, *len);
}

enum civil_state {
    CIVIL_OK,
    CIVIL_ZERO /* 0000-00-00 */,
    CIVIL_PARTIAL /* month or day is 0 */,
    CIVIL_BAD /* no such day */
};
struct civil { /* as written in the row, whatever its sense */
    int year, month, day, hour, minute, second, micros;
    bool negative; /* TIME only; hour goes to 838 */
};

enum civil_state value_date(struct cursor *c, struct civil *out); /* DATE, NEWDATE */
enum civil_state value_datetime(struct cursor *c, const struct wire_column *w,
                                struct civil *out);                                /* DATETIME2, old DATETIME */
void value_time(struct cursor *c, const struct wire_column *w, struct civil *out); /* TIME2, old TIME */
/* TIMESTAMP2, old TIMESTAMP: microseconds since the epoch; 0 means '0000-00-00' and sets *zero. */
int64_t value_timestamp(struct cursor *c, const struct wire_column *w, bool *zero);
int64_t civil_days(int year, int month, int day);          /* since 1970-01-01, proleptic Gregorian */
int64_t civil_micros(const struct civil *t);               /* of a datetime */
int64_t civil_time_micros(const struct civil *t);          /* of a TIME, signed */
void civil_from_micros(int64_t micros, struct civil *out); /* the reverse of civil_micros */
size_t civil_format(const struct civil *t, enum column_kind kind, int fsp, char out[48]);

/* NEWDECIMAL. As text ("-12.340"), NUL-ended, at most 70 bytes; or as the big-endian two's complement unscaled integer
 * that Avro's decimal wants, at most 28 bytes, shortest form. Both return the length, 0 on failure (cursor failed). */
size_t value_decimal_text(struct cursor *c, const struct wire_column *w, char out[72]);
size_t decimal_size(unsigned precision, unsigned scale); /* bytes on the wire */
size_t value_decimal_bytes(struct cursor *c, const struct wire_column *w, uint8_t out[32]);

uint64_t value_bit(struct cursor *c, const struct wire_column *w);
float value_float(struct cursor *c);
double value_double(struct cursor *c);

/* What a MariaDB COMPRESSED column holds (wire_column.compressed), unpacked and appended to out. Source: MariaDB
 * sql/field_comp.cc. Errors: ERR_MALFORMED, ERR_LIMIT when out's cap is too small. */
int value_uncompress(const uint8_t *bytes, size_t len, struct buf *out, struct err *err);

/* Walks over one column's bytes. Sets the cursor's `failed` when they end too early or the type is unknown. */
void value_skip(struct cursor *c, const struct wire_column *w);

#endif
