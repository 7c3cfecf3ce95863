#include "model/position.h"

#include <string.h>

void position_init(struct position *p)
{
    memset(p, 0, sizeof *p);
    p->gtids = gtid_set_new();
}

void position_release(struct position *p)
{
    gtid_set_free(p->gtids);
    memset(p, 0, sizeof *p);
}

void position_copy(struct position *to, const struct position *from)
{
    struct gtid_set *gtids;

    if (to == from)
        return;
    gtids = from->gtids ? gtid_set_copy(from->gtids) : gtid_set_new();
    gtid_set_free(to->gtids);
    *to = *from;
    to->gtids = gtids;
}
