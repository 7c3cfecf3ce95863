/* admin_http: the operator's page over HTTP (libmicrohttpd): /metrics (Prometheus text), /healthz, /readyz, /status
 * (JSON) and a small page at /.
 *
 * It knows nothing of capture and merge: whoever starts it gives callbacks, which are called on its own thread and must
 * not block. GET and HEAD only. With a token, /metrics, /status and / want `Authorization: Bearer TOKEN` (compared in
 * constant time); an address that is not loopback needs one; without one a Host that is a name other than localhost is
 * refused (DNS rebinding). Limits: 32 connections, 15 s each without progress, 32 KiB of request. Errors: ERR_CONFIG
 * with the remedy (address in use, no token). */
#ifndef PILLION_ADMIN_ADMIN_HTTP_H
#define PILLION_ADMIN_ADMIN_HTTP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct admin_http;

struct admin_http_options {
    const char *listen; /* ADDRESS:PORT; port 0 takes a free one */
    const char *token;  /* NULL: none */
    bool (*healthy)(void *arg);
    bool (*ready)(void *arg);
    void (*status)(void *arg, struct buf *out); /* JSON */
    void *arg;
};

int admin_http_start(struct admin_http **out, const struct admin_http_options *options, struct err *err);
unsigned admin_http_port(const struct admin_http *h);
void admin_http_stop(struct admin_http *h); /* NULL is allowed */

#endif
