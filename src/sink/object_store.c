#include "sink/object_store.h"

#include <string.h>

#include "sink/folder_store.h"
#include "sink/s3_store.h"

int object_store_open(struct object_store **out, const struct object_store_options *options, struct err *err)
{
    const char *url = options->url ? options->url : "";

    *out = NULL;
    if (!strncmp(url, "file://", 7))
        return folder_store_open(out, url + 7, err);
    if (!strncmp(url, "s3://", 5))
        return s3_store_open(out, options, err);
    return err_set(err, ERR_CONFIG, "objects.url must begin with s3:// or file://; give one of these.");
}
