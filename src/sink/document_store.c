#include "sink/document_store.h"

#include <string.h>

#include "sink/mongodb_store.h"
#include "sink/sqlite_store.h"

int document_store_open(struct document_store **out, const struct document_store_options *options, struct err *err)
{
    const char *url = options->url ? options->url : "";

    *out = NULL;
    if (!strncmp(url, "sqlite://", 9))
        return sqlite_store_open(out, url + 9, err);
    if (!strncmp(url, "mongodb://", 10) || !strncmp(url, "mongodb+srv://", 14))
        return mongodb_store_open(out, options, err);
    return err_set(err, ERR_CONFIG,
                   "documents.url must begin with mongodb://, mongodb+srv:// or sqlite://; give one of these.");
}
