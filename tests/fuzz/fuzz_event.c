/* Any bytes as a stream of events: four bytes of magic and a format description come first, so that the fuzzer gets on.
 *
 *     Libraries: binlog model
 *     Corpus: tests/fixtures/binlog
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "binlog/decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct item *item, struct arena *arena)
{
    struct rows *r = &item->rows;
    size_t n = r->table->n_columns;
    struct value *before = calloc(n, sizeof *before), *after = calloc(n, sizeof *after);
    struct row_image image;

    while (before && after && rows_left(r)) {
        const uint8_t *p = r->data.p;

        arena_clear(arena);
        if (r->before_present && (row_image_begin(&image, r, r->before_present, NULL) ||
                                  row_image_values(&image, r, NULL, before, arena, NULL)))
            break;
        if (r->after_present && (row_image_begin(&image, r, r->after_present, NULL) ||
                                 row_image_values(&image, r, r->before_present ? before : NULL, after, arena, NULL)))
            break;
        if (r->data.p == p)
            break;
        r->row++;
    }
    free(before);
    free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t description[19 + 57 + 171 + 5] = {0, 0, 0, 0, EVENT_FORMAT_DESCRIPTION};
    size_t types = size && data[0] & 1 ? 171 : 42, len = 19 + 57 + types + 5;
    struct decoder_options options = {.payload_max = 1 << 20, .xa_at_prepare = true};
    struct decoder *d = decoder_new(&options);
    struct arena arena;
    struct item item;

    if (size) {
        data++;
        size--;
    }
    description[9] = (uint8_t)len;
    description[19] = 4;
    description[19 + 56] = 19;
    memset(description + 19 + 57, 8, types);
    arena_init(&arena, 1 << 22);
    if (!decoder_feed(d, description, len, NULL))
        (void)decoder_next(d, &item, NULL);
    while (size >= EVENT_HEADER) {
        /* The size of the event stands in its header; what is left belongs to the next one. */
        size_t event = (size_t)data[9] | (size_t)data[10] << 8;
        uint8_t *copy;

        if (event < EVENT_HEADER || event > size)
            event = size;
        copy = malloc(event);
        if (!copy)
            break;
        memcpy(copy, data, event);
        memcpy(copy + 9, (uint8_t[4]){(uint8_t)event, (uint8_t)(event >> 8), (uint8_t)(event >> 16), 0}, 4);
        data += event;
        size -= event;
        if (!decoder_feed(d, copy, event, NULL)) {
            do {
                if (decoder_next(d, &item, NULL))
                    break;
                if (item.kind == ITEM_ROWS)
                    walk(&item, &arena);
            } while (item.kind != ITEM_NONE);
        }
        free(copy);
    }
    arena_release(&arena);
    decoder_free(d);
    return 0;
}
