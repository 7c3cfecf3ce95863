/* parked_row: a document of the collection of parked rows, as `parked` and `why` show it. Its format is merge/'s.
 * Ownership: the strings point into the document or into the row. Errors: ERR_STORE_DATA. */
#ifndef PILLION_CMD_PARKED_ROW_H
#define PILLION_CMD_PARKED_ROW_H

#include <bson/bson.h>

#include "base/err.h"

struct parked_row {
    const char *entity;
    const char *key;
    char waiting[512]; /* "users 7, users 9"; cut with "..." */
};

int parked_row_read(struct parked_row *row, const bson_t *doc, struct err *err);
/* {"_id": ...} of a document; free with bson_destroy. */
bson_t *parked_row_id(const bson_t *doc);

#endif
