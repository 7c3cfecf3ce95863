#include "sink/s3_store.h"

#include <curl/curl.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { LIST_PAGE = 1000, LIST_BYTES = 8 << 20, ERROR_BYTES = 64 << 10, URL_BYTES = 8192, TIMEOUT_MS = 30000 };

struct s3_store {
    struct object_store base;
    CURL *curl;
    char *address; /* http(s)://host[:port]/bucket or https://bucket.host */
    char *bucket;
    char *prefix; /* "" or "a/b/" */
    char *signer; /* aws:amz:region:s3 */
    char *user;   /* key:secret */
    char *token_header;
    char *ca;
    long timeout_ms;
};

struct answer {
    long status;
    struct buf *body;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static struct s3_store *self(struct object_store *s)
{
    return (struct s3_store *)(void *)s;
}

static void encode(struct buf *out, const char *s, bool keep_slash)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-_.~", c) ||
            (c == '/' && keep_slash)) {
            buf_put_u8(out, c);
        } else {
            buf_put_u8(out, '%');
            buf_put_u8(out, (uint8_t)hex[c >> 4]);
            buf_put_u8(out, (uint8_t)hex[c & 15]);
        }
    }
}

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
    return buf_put(arg, bytes, size * n) < 0 ? 0 : size * n;
}

/* <Tag>text</Tag> from `from` on, with XML's five entities undone. False when there is none before `end`. */
static bool xml_text(const char *from, const char *end, const char *tag, char *out, size_t size, const char **after)
{
    char open[64], close[64];
    const char *a, *b;
    size_t n = 0;

    snprintf(open, sizeof open, "<%s>", tag);
    snprintf(close, sizeof close, "</%s>", tag);
    a = strstr(from, open);
    if (!a || a >= end)
        return false;
    a += strlen(open);
    b = strstr(a, close);
    if (!b || b >= end)
        return false;
    if (after)
        *after = b + strlen(close);
    while (a < b && n + 1 < size) {
        static const struct {
            const char *name;
            char c;
        } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
        size_t step = 1;
        char c = *a;

        for (size_t i = 0; c == '&' && i < sizeof entities / sizeof *entities; i++) {
            if (!strncmp(a, entities[i].name, strlen(entities[i].name))) {
                c = entities[i].c;
                step = strlen(entities[i].name);
                break;
            }
        }
        out[n++] = c;
        a += step;
    }
    out[n] = 0;
    return true;
}

static int refuse(struct s3_store *s, const char *doing, const struct answer *a, struct err *err)
{
    const char *body = buf_cstr(a->body);
    char code[80] = "", text[200] = "";

    xml_text(body, body + strlen(body), "Code", code, sizeof code, NULL);
    xml_text(body, body + strlen(body), "Message", text, sizeof text, NULL);
    if (a->status == 404 && !strcmp(code, "NoSuchBucket"))
        return err_set(err, ERR_STORE_CONFIG, "The bucket %s does not exist; create it, or correct objects.url.",
                       s->bucket);
    if (a->status == 401 || a->status == 403)
        return err_set(
            err, ERR_STORE_CONFIG,
            "S3 refuses %s in bucket %s (%s: %s); check objects.access_key, its secret, the region and the policy.",
            doing, s->bucket, code, text);
    if (a->status >= 500 || a->status == 429 || a->status == 409 || a->status == 408)
        return err_set(err, ERR_STORE, "S3: %s in bucket %s failed for now (status %ld %s).", doing, s->bucket,
                       a->status, code);
    if (a->status >= 300 && a->status < 400)
        return err_set(err, ERR_STORE_CONFIG,
                       "S3 sends bucket %s to another address (status %ld); set objects.endpoint and objects.region to "
                       "the bucket's own.",
                       s->bucket, a->status);
    return err_set(err, ERR_STORE_CONFIG, "S3 refuses %s in bucket %s (status %ld %s: %s).", doing, s->bucket,
                   a->status, code, text);
}

/* The header of the body's hash: SigV4 for S3 covers it, and libcurl takes it over into what it signs. */
static struct curl_slist *add_hash(struct curl_slist *headers, const void *body, size_t len)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char text[96] = "x-amz-content-sha256: ";
    size_t n = strlen(text);

    SHA256(body, len, hash);
    for (size_t i = 0; i < sizeof hash; i++, n += 2)
        snprintf(text + n, sizeof text - n, "%02x", hash[i]);
    return curl_slist_append(headers, text);
}

/* One request. query: sorted and encoded, or NULL. body NULL: a GET. */
static int request(struct s3_store *s, const char *method, const char *name, const char *query, const void *body,
                   size_t len, const char *extra_header, struct answer *a, struct err *err)
{
    struct curl_slist *headers = NULL;
    struct buf url;
    CURLcode rc;
    char why[CURL_ERROR_SIZE] = "";

    buf_init(&url, URL_BYTES);
    buf_put_str(&url, s->address);
    buf_put_str(&url, "/");
    if (name) {
        encode(&url, s->prefix, true);
        encode(&url, name, true);
    }
    if (query)
        buf_putf(&url, "?%s", query);
    if (url.overflow) {
        buf_release(&url);
        return err_set(err, ERR_LIMIT, "The object name '%.100s...' is too long for S3.", name ? name : "");
    }
    buf_clear(a->body);
    curl_easy_reset(s->curl);
    curl_easy_setopt(s->curl, CURLOPT_URL, buf_cstr(&url));
    curl_easy_setopt(s->curl, CURLOPT_AWS_SIGV4, s->signer);
    curl_easy_setopt(s->curl, CURLOPT_USERPWD, s->user);
    curl_easy_setopt(s->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(s->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->curl, CURLOPT_PATH_AS_IS, 1L);
    /* "Expect:" cannot be switched off by an empty header, for libcurl 7.88 would sign that. */
    curl_easy_setopt(s->curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
    curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
    curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, s->timeout_ms);
    curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, a->body);
    curl_easy_setopt(s->curl, CURLOPT_USERAGENT, "pillion/" PILLION_VERSION);
    if (s->ca)
        curl_easy_setopt(s->curl, CURLOPT_CAINFO, s->ca);
    if (body) {
        headers = curl_slist_append(headers, "Content-Type: application/octet-stream");
        curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
        curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(s->curl, CURLOPT_CUSTOMREQUEST, method);
    headers = add_hash(headers, body ? body : "", body ? len : 0);
    if (extra_header)
        headers = curl_slist_append(headers, extra_header);
    if (s->token_header)
        headers = curl_slist_append(headers, s->token_header);
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, headers);
    rc = curl_easy_perform(s->curl);
    if (rc == CURLE_OK)
        curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &a->status);
    curl_slist_free_all(headers);
    buf_release(&url);
    if (rc == CURLE_WRITE_ERROR)
        return err_set(err, ERR_LIMIT, "An answer of S3 is larger than the %zu bytes that are read.", a->body->cap);
    if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE || rc == CURLE_URL_MALFORMAT)
        return err_set(err, ERR_STORE_CONFIG,
                       "S3 at %s cannot be trusted or addressed: %s; check objects.endpoint and objects.tls.ca.",
                       s->address, why[0] ? why : curl_easy_strerror(rc));
    if (rc != CURLE_OK)
        return err_set(err, ERR_STORE, "S3 at %s cannot be reached: %s.", s->address,
                       why[0] ? why : curl_easy_strerror(rc));
    return 0;
}

static int op_put(struct object_store *base, const char *name, const void *bytes, size_t len, bool *created,
                  struct err *err)
{
    struct s3_store *s = self(base);
    struct buf body;
    struct answer a = {0, &body};
    int rc;

    *created = false;
    buf_init(&body, ERROR_BYTES);
    rc = request(s, "PUT", name, NULL, len ? bytes : "", len, "If-None-Match: *", &a, err);
    if (!rc) {
        if (a.status == 200 && !strstr(buf_cstr(&body), "<Error>"))
            *created = true;
        else if (a.status == 200)
            rc = err_set(err, ERR_STORE, "S3 answered a write in bucket %s with status 200 and an error inside.",
                         s->bucket);
        else if (a.status != 412)
            rc = refuse(s, "a write", &a, err);
    }
    buf_release(&body);
    return rc;
}

static int op_get(struct object_store *base, const char *name, struct buf *out, bool *found, struct err *err)
{
    struct s3_store *s = self(base);
    struct answer a = {0, out};
    int rc = request(s, "GET", name, NULL, NULL, 0, NULL, &a, err);

    *found = false;
    if (rc)
        return rc;
    if (a.status == 200) {
        *found = true;
        return 0;
    }
    if (a.status == 404 && !strstr(buf_cstr(out), "NoSuchBucket")) {
        buf_clear(out);
        return 0;
    }
    return refuse(s, "a read", &a, err);
}

/* Undoes the percent-encoding that encoding-type=url asked for. */
static void decode_in_place(char *s)
{
    char *to = s;

    for (; *s; s++) {
        unsigned v;

        if (*s == '%' && sscanf(s + 1, "%2x", &v) == 1) {
            *to++ = (char)v;
            s += 2;
        } else {
            *to++ = *s == '+' ? ' ' : *s;
        }
    }
    *to = 0;
}

static int list_page(struct s3_store *s, const char *body, char *last, size_t last_size, object_fn *fn, void *arg,
                     struct err *err)
{
    const char *at = body;

    for (;;) {
        const char *start = strstr(at, "<Contents>"), *end;
        char name[4096], size[32] = "0";
        size_t skip = strlen(s->prefix);

        if (!start)
            return 0;
        end = strstr(start, "</Contents>");
        if (!end || !xml_text(start, end, "Key", name, sizeof name, NULL))
            return err_set(err, ERR_STORE_DATA, "S3's list of bucket %s cannot be read.", s->bucket);
        xml_text(start, end, "Size", size, sizeof size, NULL);
        decode_in_place(name);
        if (strncmp(name, s->prefix, skip) != 0)
            return err_set(err, ERR_STORE_DATA, "S3 lists a name outside the prefix that was asked for.");
        snprintf(last, last_size, "%s", name);
        if (fn(arg, name + skip, (size_t)strtoull(size, NULL, 10), err))
            return -1;
        at = end;
    }
}

static int op_list(struct object_store *base, const char *prefix, const char *after, object_fn *fn, void *arg,
                   struct err *err)
{
    struct s3_store *s = self(base);
    struct buf body, query;
    struct answer a = {0, &body};
    char last[4096] = "";
    bool more = true;
    int rc = 0;

    buf_init(&body, LIST_BYTES);
    buf_init(&query, URL_BYTES);
    if (after)
        snprintf(last, sizeof last, "%s%s", s->prefix, after);
    while (more && !rc) {
        char truncated[8] = "";
        const char *text;

        /* Sorted by name, as SigV4 wants them. Paging by start-after needs no token. */
        buf_clear(&query);
        buf_putf(&query, "encoding-type=url&list-type=2&max-keys=%d&prefix=", LIST_PAGE);
        encode(&query, s->prefix, false);
        encode(&query, prefix ? prefix : "", false);
        if (*last) {
            buf_put_str(&query, "&start-after=");
            encode(&query, last, false);
        }
        rc = request(s, "GET", NULL, buf_cstr(&query), NULL, 0, NULL, &a, err);
        if (!rc && a.status != 200)
            rc = refuse(s, "a list", &a, err);
        if (rc)
            break;
        text = buf_cstr(&body);
        xml_text(text, text + strlen(text), "IsTruncated", truncated, sizeof truncated, NULL);
        more = !strcmp(truncated, "true");
        rc = list_page(s, text, last, sizeof last, fn, arg, err);
    }
    buf_release(&body);
    buf_release(&query);
    return rc;
}

static int op_ping(struct object_store *base, struct err *err)
{
    struct s3_store *s = self(base);
    struct buf body;
    struct answer a = {0, &body};
    int rc;

    buf_init(&body, ERROR_BYTES);
    rc = request(s, "GET", NULL, "list-type=2&max-keys=1", NULL, 0, NULL, &a, err);
    if (!rc && a.status != 200)
        rc = refuse(s, "a list", &a, err);
    buf_release(&body);
    return rc;
}

static void op_free(struct object_store *base)
{
    struct s3_store *s = self(base);

    if (s->curl)
        curl_easy_cleanup(s->curl);
    free(s->address);
    free(s->bucket);
    free(s->prefix);
    free(s->signer);
    xfree_secret(s->user);
    xfree_secret(s->token_header);
    free(s->ca);
    free(s);
}

static const struct object_store_ops s3_ops = {
    .put_if_absent = op_put, .get = op_get, .list = op_list, .ping = op_ping, .free = op_free};

int s3_store_open(struct object_store **out, const struct object_store_options *o, struct err *err)
{
    struct s3_store *s;
    const char *bucket = o->url + 5, *slash = strchr(bucket, '/');
    size_t len = slash ? (size_t)(slash - bucket) : strlen(bucket);
    const char *region = o->region && *o->region ? o->region : "us-east-1";

    if (!len || len > 255)
        return err_set(err, ERR_CONFIG, "objects.url names no bucket; give s3://bucket or s3://bucket/prefix.");
    if (!o->access_key || !*o->access_key || !o->secret_key || !*o->secret_key)
        return err_set(err, ERR_STORE_CONFIG,
                       "S3 needs objects.access_key and objects.secret_key (or its _file form).");
    if (o->endpoint && *o->endpoint && strncmp(o->endpoint, "http://", 7) != 0 &&
        strncmp(o->endpoint, "https://", 8) != 0)
        return err_set(err, ERR_CONFIG, "objects.endpoint must begin with http:// or https://.");
    pthread_once(&curl_once, curl_start);
    s = xcalloc(1, sizeof *s);
    s->base.ops = &s3_ops;
    s->bucket = xstrndup(bucket, len);
    s->prefix =
        slash && slash[1] ? xasprintf("%s%s", slash + 1, slash[strlen(slash) - 1] == '/' ? "" : "/") : xstrdup("");
    if (o->endpoint && *o->endpoint) {
        size_t n = strlen(o->endpoint);

        while (n && o->endpoint[n - 1] == '/')
            n--;
        s->address = xasprintf("%.*s/%s", (int)n, o->endpoint, s->bucket);
    } else {
        s->address = xasprintf("https://%s.s3.%s.amazonaws.com", s->bucket, region);
    }
    s->signer = xasprintf("aws:amz:%s:s3", region);
    s->user = xasprintf("%s:%s", o->access_key, o->secret_key);
    if (o->session_token && *o->session_token)
        s->token_header = xasprintf("x-amz-security-token: %s", o->session_token);
    s->ca = o->tls_ca && *o->tls_ca ? xstrdup(o->tls_ca) : NULL;
    s->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS;
    s->curl = curl_easy_init();
    if (!s->curl) {
        op_free(&s->base);
        return err_set(err, ERR_BUG, "libcurl cannot be started.");
    }
    *out = &s->base;
    return 0;
}
