/* Any bytes as a rows event of a table with a column of each type.
 *
 *     Libraries: binlog model
 */
#include <stdlib.h>

#include "base/arena.h"
#include "binlog/event.h"
#include "binlog/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One letter a column, latin1 and utf8mb4 text, an ENUM and a SET; names, signs and charsets as FULL metadata has them.
 */
static const uint8_t body[] = {1,
                               0,
                               0,
                               0,
                               0,
                               0,
                               1,
                               0,
                               1,
                               'd',
                               0,
                               1,
                               't',
                               0,
                               20,
                               WIRE_TINY,
                               WIRE_LONGLONG,
                               WIRE_FLOAT,
                               WIRE_DOUBLE,
                               WIRE_YEAR,
                               WIRE_DATE,
                               WIRE_TIME2,
                               WIRE_DATETIME2,
                               WIRE_TIMESTAMP2,
                               WIRE_NEWDECIMAL,
                               WIRE_BIT,
                               WIRE_VARCHAR,
                               WIRE_BLOB,
                               WIRE_STRING,
                               WIRE_STRING,
                               WIRE_STRING,
                               WIRE_JSON,
                               WIRE_GEOMETRY,
                               WIRE_MARIA_BLOB_COMPRESSED,
                               WIRE_JSON,
                               /* metadata */ 22,
                               4,
                               8,
                               2,
                               6,
                               3,
                               20,
                               5,
                               3,
                               1,
                               44,
                               1,
                               2,
                               WIRE_STRING,
                               40,
                               WIRE_ENUM,
                               1,
                               WIRE_SET,
                               1,
                               4,
                               4,
                               2,
                               4,
                               /* NULL bits */ 0xff,
                               0xff,
                               0x0f,
                               /* signs */ 1,
                               1,
                               0x40,
                               /* charsets */ 2,
                               3,
                               8,
                               1,
                               45,
                               /* ENUM and SET charset */ 10,
                               1,
                               45,
                               /* names */ 4,
                               40,
                               1,
                               'a',
                               1,
                               'b',
                               1,
                               'c',
                               1,
                               'd',
                               1,
                               'e',
                               1,
                               'f',
                               1,
                               'g',
                               1,
                               'h',
                               1,
                               'i',
                               1,
                               'j',
                               1,
                               'k',
                               1,
                               'l',
                               1,
                               'm',
                               1,
                               'n',
                               1,
                               'o',
                               1,
                               'p',
                               1,
                               'q',
                               1,
                               'r',
                               1,
                               's',
                               1,
                               't',
                               /* members */ 5,
                               5,
                               2,
                               1,
                               'x',
                               1,
                               'y',
                               6,
                               5,
                               2,
                               1,
                               'x',
                               1,
                               'y'};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t types[] = {EVENT_WRITE_ROWS,    EVENT_UPDATE_ROWS,    EVENT_DELETE_ROWS,
                                    EVENT_WRITE_ROWS_V1, EVENT_UPDATE_ROWS_V1, EVENT_PARTIAL_UPDATE_ROWS};
    static struct table_map *map;
    struct value before[20], after[20];
    struct row_image image;
    struct arena arena;
    struct rows r;

    if (!map) {
        if (table_map_parse(&map, cursor_of(body, sizeof body), 6, NULL))
            abort();
    }
    if (!size || rows_begin(&r, cursor_of(data + 1, size - 1), types[data[0] % sizeof types], map, NULL))
        return 0;
    arena_init(&arena, 1 << 22);
    for (; rows_left(&r); r.row++) {
        struct cursor left = r.data;

        arena_clear(&arena);
        if (r.before_present && (row_image_begin(&image, &r, r.before_present, NULL) ||
                                 row_image_values(&image, &r, NULL, before, &arena, NULL)))
            break;
        if (r.after_present && (row_image_begin(&image, &r, r.after_present, NULL) ||
                                row_image_values(&image, &r, r.before_present ? before : NULL, after, &arena, NULL)))
            break;
        if (left.p == r.data.p)
            break;
    }
    arena_release(&arena);
    return 0;
}
