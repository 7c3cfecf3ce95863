#include "mysql/client_library.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mysql/packet_reader.h"

#ifdef MARIADB_PACKAGE_VERSION_ID
#include <ma_pvio.h>
#endif

enum { DUMP_NON_BLOCK = 1, DUMP_ANNOTATE = 2, COMMAND_MAX = 1 << 26 };

static void put_le(struct buf *b, uint64_t v, size_t width)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < width; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    buf_put(b, bytes, width);
}

/* COM_REGISTER_SLAVE: id, host, user, password, port, rank, source id. The server only shows them. */
static void register_payload(struct buf *b, const struct dump_request *r)
{
    size_t n = strlen(r->label);

    if (n > 60)
        n = 60;
    put_le(b, r->server_id, 4);
    buf_put_u8(b, (uint8_t)n);
    buf_put(b, r->label, n);
    put_le(b, 0, 2); /* user and password: empty */
    put_le(b, 0, 2); /* port */
    put_le(b, 0, 8); /* rank, source id */
}

/* The library's files with trusted authorities differ, and both verify nothing when none is named. */
static const char *system_authorities(void)
{
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (access(files[i], R_OK) == 0)
            return files[i];
    return NULL;
}

/* The authorities' file that the mode needs, or NULL; -1 when there is none to be had. */
static int authorities(const struct connection_options *o, const char **ca, struct err *err)
{
    *ca = o->tls_ca && *o->tls_ca ? o->tls_ca : NULL;
    if (o->tls < TLS_VERIFY_CA)
        return 0;
    if (!*ca)
        *ca = system_authorities();
    if (!*ca)
        return err_set(err, ERR_MYSQL_AUTH,
                       "source.tls.mode %s needs the authority that signed the server's certificate, and this "
                       "machine has no list of known ones: name its file in source.tls.ca.",
                       tls_mode_name(o->tls));
    if (access(*ca, R_OK))
        return err_set(err, ERR_MYSQL_AUTH,
                       "The file source.tls.ca (%s) cannot be read: check the path and its rights.", *ca);
    return 0;
}

/* A rogue server may answer any statement with a request for a file. Besides the option, no handler would open one. */
static int infile_refuse(void **handle, const char *name, void *arg)
{
    (void)name;
    (void)arg;
    *handle = NULL;
    return 1;
}
static int infile_read(void *handle, char *to, unsigned size)
{
    (void)handle;
    (void)to;
    (void)size;
    return -1;
}
static void infile_end(void *handle)
{
    (void)handle;
}
static int infile_error(void *handle, char *to, unsigned size)
{
    (void)handle;
    if (size)
        *to = 0;
    return 2000;
}

static void refuse_local_infile(MYSQL *m)
{
    unsigned off = 0;

    mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_set_local_infile_handler(m, infile_refuse, infile_read, infile_end, infile_error, NULL);
}

/* Who sits on the other side is known: a file of this machine, or a verified certificate. */
static bool peer_is_known(const struct connection_options *o)
{
    return !o->host || !*o->host || o->tls == TLS_VERIFY_IDENTITY;
}

int client_library_socket(MYSQL *m)
{
    return (int)m->net.fd;
}

#ifdef MARIADB_PACKAGE_VERSION_ID /* ---- MariaDB Connector/C ---- */

struct client_stream {
    char unused;
};

bool client_library_falls_back(void)
{
    return true; /* it has no "if the server can": asked for TLS, it insists */
}

int client_library_secure(MYSQL *m, const struct connection_options *o, bool encrypt, struct err *err)
{
    my_bool enforce = o->tls >= TLS_REQUIRED || (o->tls == TLS_PREFERRED && encrypt);
    /* From 3.4 on it checks the chain and the name together or nothing at all, so verify-ca is as strict as
     * verify-identity. */
    my_bool verify = o->tls == TLS_VERIFY_IDENTITY || (o->tls == TLS_VERIFY_CA && MARIADB_PACKAGE_VERSION_ID >= 30400);
    const char *ca;

    refuse_local_infile(m);
    if (authorities(o, &ca, err))
        return -1;
    if (o->tls >= TLS_VERIFY_CA && getenv("MARIADB_TLS_DISABLE_PEER_VERIFICATION"))
        return err_set(err, ERR_MYSQL_AUTH,
                       "The environment variable MARIADB_TLS_DISABLE_PEER_VERIFICATION turns off what source.tls.mode "
                       "%s asks for: unset it.",
                       tls_mode_name(o->tls));
    mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    /* "Enforce" alone logs in without TLS when the server offers none, and so would let anybody on the way take it out.
     * A fingerprint, even an empty one that is not compared, makes 3.3 insist. */
    if (o->tls >= TLS_REQUIRED && MARIADB_PACKAGE_VERSION_ID < 30400)
        mysql_optionsv(m, MARIADB_OPT_TLS_PEER_FP, "");
    if (enforce) {
        /* A named authority makes it verify the chain, so the unverified modes name none. */
        if (o->tls >= TLS_VERIFY_CA)
            mysql_options(m, MYSQL_OPT_SSL_CA, ca);
        if (o->tls_cert && *o->tls_cert)
            mysql_options(m, MYSQL_OPT_SSL_CERT, o->tls_cert);
        if (o->tls_key && *o->tls_key)
            mysql_options(m, MYSQL_OPT_SSL_KEY, o->tls_key);
    }
    if (!peer_is_known(o))
        mysql_optionsv(
            m, MARIADB_OPT_RESTRICTED_AUTH,
            "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519,parsec,auth_gssapi_client");
    return 0;
}

static int command(MYSQL *m, int code, const struct buf *b, bool wait)
{
    return m->methods->db_command(m, (enum enum_server_command)code, (const char *)b->data, b->len, !wait, NULL) ? -1
                                                                                                                 : 0;
}

int client_library_dump(MYSQL *m, const struct dump_request *r, bool encrypted, struct client_stream **out)
{
    unsigned flags = (r->until_now ? DUMP_NON_BLOCK : 0u) | (r->annotate ? DUMP_ANNOTATE : 0u);
    struct buf b;
    int rc;

    (void)encrypted;
    *out = NULL;
    buf_init(&b, COMMAND_MAX);
    register_payload(&b, r);
    rc = command(m, 21, &b, true); /* COM_REGISTER_SLAVE */
    buf_clear(&b);
    if (!rc && r->gtid_set) {
        put_le(&b, flags | 4u /* BINLOG_THROUGH_GTID */, 2);
        put_le(&b, r->server_id, 4);
        put_le(&b, strlen(r->file), 4);
        buf_put_str(&b, r->file);
        put_le(&b, r->offset, 8);
        put_le(&b, r->gtid_set_len, 4);
        buf_put(&b, r->gtid_set, r->gtid_set_len);
        rc = command(m, 30, &b, false); /* COM_BINLOG_DUMP_GTID */
    } else if (!rc) {
        put_le(&b, r->offset, 4);
        put_le(&b, flags, 2);
        put_le(&b, r->server_id, 4);
        buf_put_str(&b, r->file);
        rc = command(m, 18, &b, false); /* COM_BINLOG_DUMP */
    }
    buf_release(&b);
    return rc;
}

void client_library_dump_free(MYSQL *m, struct client_stream *s)
{
    (void)m;
    free(s);
}

int client_library_packet(MYSQL *m, struct client_stream *s, const uint8_t **packet, size_t *len)
{
    unsigned long n = mysql_net_read_packet(m);

    (void)s;
    if (n == packet_error)
        return -1;
    *packet = m->net.read_pos;
    *len = n;
    return n == 0 || (*packet[0] == 0xfe && n < 9) ? 0 : 1;
}

bool client_library_packet_ready(MYSQL *m)
{
    const MARIADB_PVIO *p = m->net.pvio;
    size_t have;
    const uint8_t *at;

    if (!p || !p->cache || p->cache + p->cache_size <= p->cache_pos)
        return false;
    at = p->cache_pos;
    have = (size_t)(p->cache + p->cache_size - p->cache_pos);
    return have >= 4 && have - 4 >= ((size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16);
}

#else /* ---- Oracle's libmysqlclient ---- */

struct client_stream {
    MYSQL_RPL rpl;
    char *file;
    uint8_t *gtid_set;
};

bool client_library_falls_back(void)
{
    return false;
}

int client_library_secure(MYSQL *m, const struct connection_options *o, bool encrypt, struct err *err)
{
    static const enum mysql_ssl_mode modes[] = {[TLS_OFF] = SSL_MODE_DISABLED,
                                                [TLS_PREFERRED] = SSL_MODE_PREFERRED,
                                                [TLS_REQUIRED] = SSL_MODE_REQUIRED,
                                                [TLS_VERIFY_CA] = SSL_MODE_VERIFY_CA,
                                                [TLS_VERIFY_IDENTITY] = SSL_MODE_VERIFY_IDENTITY};
    unsigned mode = modes[o->tls];
    bool cleartext = peer_is_known(o), fetch_key = o->tls <= TLS_PREFERRED;
    const char *ca;

    refuse_local_infile(m);
    if (authorities(o, &ca, err))
        return -1;
    if (o->tls == TLS_PREFERRED && !encrypt)
        mode = SSL_MODE_DISABLED;
    if (o->tls >= TLS_VERIFY_CA)
        mysql_options(m, MYSQL_OPT_SSL_CA, ca);
    if (o->tls != TLS_OFF && o->tls_cert && *o->tls_cert)
        mysql_options(m, MYSQL_OPT_SSL_CERT, o->tls_cert);
    if (o->tls != TLS_OFF && o->tls_key && *o->tls_key)
        mysql_options(m, MYSQL_OPT_SSL_KEY, o->tls_key);
    /* After the files: naming one sets the mode anew. */
    mysql_options(m, MYSQL_OPT_SSL_MODE, &mode);
    mysql_options(m, MYSQL_ENABLE_CLEARTEXT_PLUGIN, &cleartext);
    mysql_options(m, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &fetch_key);
    return 0;
}

/* The library has no call for COM_REGISTER_SLAVE; on a plain socket the command is sent and its answer read past it. A
 * server that refuses says so again, and better, to the dump. */
static void register_replica(MYSQL *m, const struct dump_request *r)
{
    struct packet_reader reader;
    const uint8_t *packet;
    struct buf b;
    size_t len;

    buf_init(&b, 256);
    put_le(&b, 0, 4);
    buf_put_u8(&b, 21);
    register_payload(&b, r);
    b.data[0] = (uint8_t)(b.len - 4);
    if (send(client_library_socket(m), b.data, b.len, MSG_NOSIGNAL) == (ssize_t)b.len) {
        packet_reader_init(&reader, client_library_socket(m), 1, 1 << 16);
        (void)packet_reader_next(&reader, 10000, &packet, &len, NULL);
        packet_reader_release(&reader);
    }
    buf_release(&b);
}

int client_library_dump(MYSQL *m, const struct dump_request *r, bool encrypted, struct client_stream **out)
{
    struct client_stream *s = xcalloc(1, sizeof *s);
    unsigned flags = (r->until_now ? DUMP_NON_BLOCK : 0u) | (r->annotate ? DUMP_ANNOTATE : 0u);

    *out = s;
    if (!encrypted)
        register_replica(m, r);
    s->file = xstrdup(r->file);
    s->rpl.file_name = s->file;
    s->rpl.file_name_length = strlen(s->file);
    s->rpl.start_position = r->offset;
    s->rpl.server_id = r->server_id;
    s->rpl.flags = flags;
    if (r->gtid_set) {
        s->gtid_set = xmemdup(r->gtid_set, r->gtid_set_len);
        s->rpl.flags |= MYSQL_RPL_GTID;
        s->rpl.gtid_set_encoded_size = r->gtid_set_len;
        s->rpl.gtid_set_arg = s->gtid_set;
    }
    return mysql_binlog_open(m, &s->rpl) ? -1 : 0;
}

void client_library_dump_free(MYSQL *m, struct client_stream *s)
{
    (void)m;
    if (!s)
        return;
    free(s->file);
    free(s->gtid_set);
    free(s);
}

int client_library_packet(MYSQL *m, struct client_stream *s, const uint8_t **packet, size_t *len)
{
    if (mysql_binlog_fetch(m, &s->rpl))
        return -1;
    *packet = s->rpl.buffer;
    *len = s->rpl.size;
    return s->rpl.size ? 1 : 0;
}

bool client_library_packet_ready(MYSQL *m)
{
    (void)m;
    return false; /* what the TLS layer has decrypted cannot be seen */
}

#endif
