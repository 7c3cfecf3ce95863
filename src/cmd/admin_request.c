#include "cmd/admin_request.h"

#include <curl/curl.h>
#include <string.h>

enum { TIMEOUT_MS = 5000 };

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
    return buf_put(arg, bytes, size * n) < 0 ? 0 : size * n;
}

int admin_request(const struct options *o, const char *path, struct buf *out, struct err *err)
{
    struct curl_slist *headers = NULL;
    struct buf text;
    CURL *curl;
    CURLcode rc;
    long status = 0;

    if (!o->admin_listen || !strcmp(o->admin_listen, "off"))
        return err_set(err, ERR_CONFIG, "admin.listen is off, so a daemon of this configuration cannot be asked.");
    curl = curl_easy_init();
    if (!curl)
        return err_set(err, ERR_BUG, "libcurl cannot be started.");
    buf_init(&text, 8192);
    buf_putf(&text, "http://%s%s", o->admin_listen, path);
    curl_easy_setopt(curl, CURLOPT_URL, buf_cstr(&text));
    if (o->admin_token.value) {
        buf_clear(&text);
        buf_putf(&text, "Authorization: Bearer %s", o->admin_token.value);
        headers = curl_slist_append(headers, buf_cstr(&text));
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        explicit_bzero(text.data, text.len);
    }
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    buf_release(&text);
    if (rc != CURLE_OK)
        return err_set(err, ERR_FILE,
                       "No daemon answers at admin.listen %s (%s); is 'pillion run' running with this configuration?",
                       o->admin_listen, curl_easy_strerror(rc));
    if (status == 401 || status == 403)
        return err_set(err, ERR_CONFIG, "The daemon at %s refuses the token; set admin.token to its own.",
                       o->admin_listen);
    if (status != 200)
        return err_set(err, ERR_FILE, "The daemon at %s answers with status %ld.", o->admin_listen, status);
    return 0;
}
