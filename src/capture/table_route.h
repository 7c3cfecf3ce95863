/* table_route: from a table map to where its rows go: the filter's decision, topic, codec, schema ids; and a row's way
 * through them.
 *
 * Made once per table map (the decoder parses equal ones once), found again by its address: the route keeps the table
 * map, so an address cannot come to mean another. A new shape of a table is a new table map, thus a new route on the
 * same topic: its schemas are registered as the next version. Routes are forgotten all together when there are more
 * than TABLE_ROUTES_MAX. Identity (C2): in the envelope (profile native); in the header `pillion.id` of tombstones and
 * of all records of profile debezium. Thread: the stream thread. Errors: table_codec.h's, registry.h's
 * (ERR_REGISTRY_REJECTED names subject, reason and remedy), topic_book.h's, each with the table's name. */
#ifndef PILLION_CAPTURE_TABLE_ROUTE_H
#define PILLION_CAPTURE_TABLE_ROUTE_H

#include "capture/capture.h"
#include "capture/publisher.h"
#include "capture/table_filter.h"
#include "capture/topic_book.h"

enum { TABLE_ROUTES_MAX = 4096 };

struct table_route;
struct table_routes;

struct table_routes_options {
    const struct capture_options *capture; /* all borrowed */
    const struct table_filter *filter;
    struct topic_book *topics;
    struct registry *registry;
    struct publisher *publisher;
};

struct table_routes *table_routes_new(const struct table_routes_options *options);
void table_routes_free(struct table_routes *r);

/* The route of a table map; flavor: whose GTIDs the stream has (the schemas name the vendor). */
int table_routes_find(struct table_routes *r, const struct table_map *map, enum gtid_flavor flavor,
                      struct table_route **out, struct err *err);
/* The newest route of a table by name, or NULL: none of its rows came yet. */
struct table_route *table_routes_by_name(struct table_routes *r, const char *database, const char *table);
bool table_route_captured(const struct table_route *t);
const char *table_route_name(const struct table_route *t); /* "database.table" */
/* Publishes the rows of one event. *n: how many rows there were. */
int table_route_rows(struct table_route *t, const struct change_source *source, struct rows *rows, uint64_t first_index,
                     uint64_t *n, struct err *err);
/* The same with a codec that the caller has made. */
int table_route_send_truncate(const struct capture_options *capture, struct publisher *publisher,
                              struct producer_topic *topic, struct table_codec *codec,
                              const struct change_source *source, uint64_t index, struct err *err);
/* Publishes a truncate event to every partition of the topic, since each holds a part of the keys. */
int table_route_truncate(struct table_route *t, const struct change_source *source, uint64_t index, struct err *err);

#endif
