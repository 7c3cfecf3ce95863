/* wiring: the options of config/ turned into the option structs of the modules; nothing else knows both.
 *
 * Ownership: a wiring owns the options and the small arrays that the structs point into; it must outlive what was made
 * from it. Thread: filled by one, then read by any. */
#ifndef PILLION_CMD_WIRING_H
#define PILLION_CMD_WIRING_H

#include "capture/capture.h"
#include "config/options.h"
#include "contract/contract.h"
#include "merge/merger.h"

struct wiring {
    struct options options;
    struct kafka_property *properties;
    struct capture_key_rule *keys;
    char **key_columns;
    size_t n_key_columns;
    char *checkpoint_topic;
};

/* Loads options as options_load and options_finish do, and sets up the log. What is left in argv is the command's own.
 */
int wiring_init(struct wiring *w, int *argc, char **argv, struct err *err);
void wiring_release(struct wiring *w);

struct connection_options wiring_connection(const struct wiring *w);
struct kafka_options wiring_kafka(const struct wiring *w);
struct registry_options wiring_registry(const struct wiring *w);
struct document_store_options wiring_documents(const struct wiring *w);
struct object_store_options wiring_objects(const struct wiring *w);
struct capture_options wiring_capture(const struct wiring *w);
struct merger_options wiring_merger(const struct wiring *w, const struct contract_set *contracts);
/* Loads the contracts; findings are logged. */
int wiring_contracts(const struct wiring *w, struct contract_set **out, struct err *err);

#endif
