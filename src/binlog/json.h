/* json: MySQL's binary JSON (JSONB of sql-common/json_binary.h) to JSON text, as SELECT would print it.
 *
 * Object keys stay in stored order; decimals, dates, times and opaque values are rendered as the server renders them
 * (opaque: "base64:typeNN:..."). Limits: depth 100 (the server's), offsets checked against the value's bounds. Errors:
 * ERR_MALFORMED, ERR_TRUNCATED, ERR_LIMIT. MariaDB stores JSON as text: that never comes here. */
#ifndef PILLION_BINLOG_JSON_H
#define PILLION_BINLOG_JSON_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"

int json_to_text(struct cursor bytes, struct buf *out, struct err *err);

/* The value of a JSON column in a PARTIAL_UPDATE_ROWS event: a list of diffs (replace, insert, remove at a path),
 * applied to the text that json_to_text made of the value before. Source: sql/json_diff.h of MySQL 8.0
 * (Json_diff_vector::write_binary). */
int json_apply_diffs(const char *before, size_t len, struct cursor diffs, struct buf *out, struct err *err);

#endif
