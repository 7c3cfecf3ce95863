/* backend: the two places where schemas live, REST and a folder, behind one table of functions. Private to registry/.
 *
 * A backend caches nothing and locks nothing: registry.c does both. The context is opened and closed by its own file.
 */
#ifndef PILLION_REGISTRY_BACKEND_H
#define PILLION_REGISTRY_BACKEND_H

#include "base/err.h"
#include "registry/registry.h"

enum {
    REGISTRY_TEXT_MAX = 4 << 20, /* of a schema, and of any answer */
    REGISTRY_SUBJECT_MAX = 1024
};

struct registry_backend {
    void (*close)(void *context);
    int (*register_schema)(void *context, const char *subject, const char *schema, uint32_t *id, struct err *err);
    /* *schema is the caller's to free. */
    int (*schema)(void *context, uint32_t id, char **schema, struct err *err);
    int (*compatible)(void *context, const char *subject, const char *schema, bool *ok, char *reason, size_t size,
                      struct err *err);
    int (*ping)(void *context, struct err *err);
};

extern const struct registry_backend registry_http;
extern const struct registry_backend registry_folder;

int registry_http_open(void **context, const struct registry_options *options, struct err *err);
/* path: of the folder, which is made when it is not there. */
int registry_folder_open(void **context, const char *path, struct err *err);

#endif
