/* folder_store: an object_store in a local folder, for first use and for tests.
 *
 * put_if_absent writes and syncs a temporary file and links it to its name (link(2) fails when the name exists), then
 * syncs the folder: an object is whole or absent, whatever happens. Names may not leave the folder. Thread: one owner.
 */
#ifndef PILLION_SINK_FOLDER_STORE_H
#define PILLION_SINK_FOLDER_STORE_H

#include "sink/object_store.h"

int folder_store_open(struct object_store **out, const char *path, struct err *err);

#endif
