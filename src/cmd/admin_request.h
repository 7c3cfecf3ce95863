/* admin_request: asks the admin page of a running daemon, by the address in its configuration. Answers are capped.
 * Errors: ERR_CONFIG when no page is configured or the token is refused, ERR_FILE when nobody answers. */
#ifndef PILLION_CMD_ADMIN_REQUEST_H
#define PILLION_CMD_ADMIN_REQUEST_H

#include "base/buf.h"
#include "base/err.h"
#include "config/options.h"

/* GET path; the body is put into out. */
int admin_request(const struct options *o, const char *path, struct buf *out, struct err *err);

#endif
