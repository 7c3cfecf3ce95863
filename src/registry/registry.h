/* registry: schema ids for schema texts, and back; over REST (Confluent-compatible) or in a folder (`file://`).
 *
 * registry_register gives the id of a subject's schema, registering it when it is new. Ids and texts are cached without
 * limit of time (they never change), bounded in count. HTTP: libcurl, retries with growing delay for 5xx, 429 and
 * connection errors, basic auth, TLS with verified identity, redirects never followed to another host, bodies capped. A
 * 409 or 422 is ERR_REGISTRY_REJECTED with the registry's own reason. Folder: one file per id and per subject version,
 * made atomically (write, fsync, link), so that several processes can share it. Source: Confluent Schema Registry API
 * reference. Thread: any, one call at a time inside (mutex). */
#ifndef PILLION_REGISTRY_REGISTRY_H
#define PILLION_REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct registry_options {
    const char *url; /* http(s)://host[:port][/path] or file:///folder */
    const char *username, *password;
    const char *tls_ca;
    int timeout_ms;
    int retries;
    const char *compatibility; /* set on a subject when it is made; NULL: leave the registry's default */
};

struct registry;

int registry_open(struct registry **out, const struct registry_options *options, struct err *err);
void registry_close(struct registry *r);
int registry_register(struct registry *r, const char *subject, const char *schema, uint32_t *id, struct err *err);
/* The text of an id: borrowed from the cache, valid until registry_close. */
int registry_schema(struct registry *r, uint32_t id, const char **schema, struct err *err);
/* Would this schema be accepted? *ok false with the reason in `reason`. */
int registry_compatible(struct registry *r, const char *subject, const char *schema, bool *ok, char *reason,
                        size_t size, struct err *err);
int registry_ping(struct registry *r, struct err *err);

#endif
