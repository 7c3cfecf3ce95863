#include "contract/contract.h"

#include <stdlib.h>
#include <string.h>

void contract_set_free(struct contract_set *s)
{
    if (!s)
        return;
    free(s->entities);
    arena_release(&s->arena);
    free(s);
}

int contract_set_find(const struct contract_set *s, const char *database, const char *table)
{
    int any = -1;

    for (size_t i = 0; i < s->n_entities; i++) {
        const struct entity *e = &s->entities[i];

        if (strcmp(e->table, table) != 0)
            continue;
        if (!strcmp(e->database, database))
            return (int)i;
        if (!*e->database)
            any = (int)i;
    }
    return any;
}
