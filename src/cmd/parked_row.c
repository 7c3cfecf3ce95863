#include "cmd/parked_row.h"

#include <stdio.h>
#include <string.h>

#include "merge/parked.h"

int parked_row_read(struct parked_row *row, const bson_t *doc, struct err *err)
{
    bson_iter_t it, at;
    size_t n = 0;

    *row = (struct parked_row){.entity = "", .key = ""};
    if (bson_iter_init_find(&it, doc, "entity") && BSON_ITER_HOLDS_UTF8(&it))
        row->entity = bson_iter_utf8(&it, NULL);
    if (bson_iter_init_find(&it, doc, "key") && BSON_ITER_HOLDS_UTF8(&it))
        row->key = bson_iter_utf8(&it, NULL);
    if (!*row->entity || !bson_iter_init_find(&it, doc, "waiting") || !BSON_ITER_HOLDS_ARRAY(&it) ||
        !bson_iter_recurse(&it, &at))
        return err_set(err, ERR_STORE_DATA,
                       "A document of " PARKED_COLLECTION " is no parked row; was it changed by hand?");
    while (bson_iter_next(&at)) {
        const char *text = BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL) : "?";
        const char *bar = strchr(text, '|');
        size_t room = sizeof row->waiting - n;
        int k = snprintf(row->waiting + n, room, "%s%.*s%s%s", n ? ", " : "",
                         (int)(bar ? bar - text : (long)strlen(text)), text, bar ? " " : "", bar ? bar + 1 : "");

        if (k < 0 || (size_t)k >= room) {
            memcpy(row->waiting + sizeof row->waiting - sizeof "...", "...", sizeof "...");
            break;
        }
        n += (size_t)k;
    }
    return 0;
}

bson_t *parked_row_id(const bson_t *doc)
{
    bson_t *id = bson_new();
    bson_iter_t it;

    if (bson_iter_init_find(&it, doc, "_id"))
        bson_append_iter(id, "_id", 3, &it);
    return id;
}
