/* Any bytes as a binary JSON document, and the rest as diffs against its text.
 *
 *     Libraries: binlog
 */
#include "binlog/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text, changed;
    size_t document = size ? data[0] : 0;

    if (size) {
        data++;
        size--;
    }
    if (document > size)
        document = size;
    buf_init(&text, 1 << 20);
    buf_init(&changed, 1 << 20);
    if (!json_to_text(cursor_of(data, document), &text, NULL))
        (void)json_apply_diffs((const char *)text.data, text.len, cursor_of(data + document, size - document), &changed,
                               NULL);
    buf_release(&text);
    buf_release(&changed);
    return 0;
}
