/* Any bytes as the body of a TRANSACTION_PAYLOAD event, of a compressed MariaDB event, of a statement, and of a
 * COMPRESSED column.
 *
 *     Libraries: binlog
 */
#include "binlog/payload.h"
#include "binlog/query.h"
#include "binlog/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct payload p;
    struct query q;
    struct query_label label;
    const uint8_t *event;
    struct buf out;
    size_t len;

    payload_init(&p);
    if (!payload_begin(&p, cursor_of(data, size), 1 << 20, NULL))
        do {
            if (payload_next(&p, &event, &len, NULL))
                break;
        } while (event);
    payload_release(&p);
    buf_init(&out, 1 << 20);
    (void)query_uncompress(cursor_of(data, size), &out, NULL);
    buf_clear(&out);
    (void)value_uncompress(data, size, &out, NULL);
    buf_release(&out);
    if (!query_parse(&q, cursor_of(data, size), size & 1, NULL))
        (void)query_role(q.sql, q.sql_len);
    (void)query_role(data, size);
    query_label(&label, data, size);
    return 0;
}
