/* s3_store: an object_store in a bucket of S3 or what speaks its protocol, by libcurl and its SigV4 signer.
 *
 * With an endpoint, path-style addresses (http://host:port/bucket/name); without, AWS's virtual-hosted ones. libcurl
 * signs what it is given and does not canonicalise, so names are percent-encoded (RFC 3986 unreserved characters stay)
 * and query parameters sorted here. Writes carry `If-None-Match: *` and Content-MD5 is left to SigV4's payload hash.
 * Redirects are never followed. Passing: connection errors, 5xx, 429, 409 ConditionalRequestConflict: ERR_STORE. 403
 * and 404 NoSuchBucket: ERR_STORE_CONFIG. An answer body is capped. Thread: one owner. */
#ifndef PILLION_SINK_S3_STORE_H
#define PILLION_SINK_S3_STORE_H

#include "sink/object_store.h"

int s3_store_open(struct object_store **out, const struct object_store_options *options, struct err *err);

#endif
