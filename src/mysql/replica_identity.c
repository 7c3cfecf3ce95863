#include "mysql/replica_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAD_SYNTAX = 1064, DENIED = 1227 };

static uint64_t fnv1a(const char *s, uint64_t h)
{
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    return h ^ h >> 32;
}

void replica_identity_make(struct replica_identity *id, const char *capture_name, uint32_t server_id)
{
    const char *name = capture_name && *capture_name ? capture_name : "pillion";
    uint64_t a = fnv1a(name, 0xcbf29ce484222325u), b = fnv1a(name, a ^ 0x9e3779b97f4a7c15u);

    id->server_id = server_id ? server_id : (uint32_t)(1u << 30 | (a & 0x3fffffff));
    /* Version 8 of RFC 9562: digits of one's own choice. */
    snprintf(id->uuid, sizeof id->uuid, "%08x-%04x-8%03x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(0x8000 | (b >> 50 & 0x3fff)),
             (unsigned long long)(b & 0xffffffffffff));
    snprintf(id->label, sizeof id->label, "pillion-%.50s", name);
}

struct seen {
    const struct replica_identity *id;
    bool taken;
    char host[128];
};

/* Server_Id, Host, Port, Source_Id and, on MySQL, Replica_UUID. */
static int replica_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct seen *s = arg;
    bool mine;

    (void)lengths;
    if (n < 4 || !v[0] || strtoul(v[0], NULL, 10) != s->id->server_id)
        return 0;
    mine = n >= 5 && v[4] && *v[4] ? strcmp(v[4], s->id->uuid) == 0 : v[1] && strcmp(v[1], s->id->label) == 0;
    if (mine)
        return 0; /* what is left of this capture's last stream */
    s->taken = true;
    snprintf(s->host, sizeof s->host, "%s", v[1] ? v[1] : "");
    return 0;
}

int replica_identity_check(const struct replica_identity *id, struct connection *c, bool *visible, struct err *err)
{
    struct seen seen = {.id = id};
    int rc;

    *visible = true;
    if (id->server_id == connection_facts(c)->server_id)
        return err_set(err, ERR_MYSQL_SERVER_ID,
                       "The server id %u is the source server's own; give Pillion another one (source.server_id), "
                       "different from every "
                       "server and replica.",
                       id->server_id);
    rc = connection_query(c, "SHOW REPLICAS", replica_row, &seen, err);
    if (rc && connection_last_error(c) == BAD_SYNTAX)
        rc = connection_query(c, "SHOW SLAVE HOSTS", replica_row, &seen, err);
    if (rc) {
        if (connection_last_error(c) != DENIED)
            return -1;
        *visible = false;
    }
    if (err)
        err_clear(err);
    if (seen.taken)
        return err_set(err, ERR_MYSQL_SERVER_ID,
                       "The server id %u is in use by another replica%s%s; give Pillion another one "
                       "(source.server_id), or stop that "
                       "replica.",
                       id->server_id, *seen.host ? " at " : "", seen.host);
    return 0;
}
