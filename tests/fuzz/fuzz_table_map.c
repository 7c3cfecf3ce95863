/* Any bytes as the body of a TABLE_MAP event, of both vendors.
 *
 *     Libraries: binlog model
 */
#include "binlog/table_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table_map *map;

    if (!table_map_parse(&map, cursor_of(data, size), 6, NULL))
        table_map_free(map);
    if (!table_map_parse_mariadb(&map, cursor_of(data, size), 6, NULL))
        table_map_free(map);
    return 0;
}
