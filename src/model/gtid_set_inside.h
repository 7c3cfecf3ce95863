/* gtid_set_inside: what a gtid_set is made of, for gtid_set.c (the algebra) and gtid_set_text.c (the forms) alone. */
#ifndef PILLION_MODEL_GTID_SET_INSIDE_H
#define PILLION_MODEL_GTID_SET_INSIDE_H

#include "model/gtid.h"

/* A number of GTID_FILE inside a set: the file's number above, the offset below. */
enum { FILE_OFFSET_BITS = 40 };

struct interval {
    uint64_t first, last;
};

struct source {
    enum gtid_flavor flavor;
    uint32_t domain, server;
    char *name;
    struct interval *intervals; /* sorted, with a gap between neighbours */
    size_t n, size;
};

struct newest {
    uint32_t domain, server;
    uint64_t number;
};

struct gtid_set {
    struct source *sources; /* sorted by compare_source */
    size_t n, size;
    size_t n_intervals;
    size_t hot;            /* the source that was found last: most streams have one writer */
    struct newest *newest; /* one a domain, sorted by domain */
    size_t n_newest, newest_size;
};

/* What a GTID is inside a set. */
struct place {
    enum gtid_flavor flavor;
    uint32_t domain, server;
    const char *name;
    uint64_t number;
    char base[GTID_SOURCE];
};

/* False for a GTID that cannot be in a set. */
bool gtid_place_of(struct place *p, const struct gtid *g);
/* The source of the place, made when it is not there. NULL with err. */
struct source *gtid_need_source(struct gtid_set *s, const struct place *p, struct err *err);
int gtid_add_interval(struct gtid_set *s, struct source *src, uint64_t first, uint64_t last, struct err *err);
struct newest *gtid_find_newest(const struct gtid_set *s, uint32_t domain);
void gtid_put_newest(struct gtid_set *s, uint32_t domain, uint32_t server, uint64_t number);

#endif
