/* event_json: a change event as one line of JSON, for `decode`. Bytes that are no text are base64. Thread: any. */
#ifndef PILLION_CMD_EVENT_JSON_H
#define PILLION_CMD_EVENT_JSON_H

#include "base/buf.h"
#include "model/change_event.h"

/* Appends a JSON string with its quotes; the text must be UTF-8. */
void event_json_string(struct buf *out, const char *text, size_t len);
/* Appends the event and a line break. */
void event_json_write(struct buf *out, const struct change_event *e);

#endif
