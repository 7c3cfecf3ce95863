/* row_reader: a record of columns decoded field by field, by the schema that its writer used; what envelope_reader and
 * key_reader share.
 *
 * Numbers and texts become what they mean (schema_tree's node_meaning). Values that are records, arrays or maps are
 * rendered as JSON text in the reader's own buffer, valid until the next read. Errors: ERR_MALFORMED (bytes left over,
 * a time out of range), ERR_TRUNCATED, ERR_LIMIT, with the field's name. Thread: one owner. Internal to avro/. */
#ifndef PILLION_AVRO_ROW_READER_H
#define PILLION_AVRO_ROW_READER_H

#include "avro/schema_tree.h"

struct row_reader {
    const struct node *record; /* borrowed from the tree */
    struct buf nested;
};

void row_reader_init(struct row_reader *r, const struct node *record);
void row_reader_release(struct row_reader *r);
int row_reader_read(struct row_reader *r, struct cursor bytes, struct field_value *out, struct err *err);

#endif
