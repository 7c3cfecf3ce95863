/* Any bytes as the text of a GTID, of GTID sets, as a binary set, and as GTID events. What is taken must survive its
 * own form.
 *
 *     Libraries: binlog model
 */
#include <stdlib.h>
#include <string.h>

#include "binlog/event.h"
#include "binlog/gtid_event.h"
#include "model/gtid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_of(const char *text, enum gtid_flavor flavor)
{
    struct gtid_set *a = gtid_set_new(), *b = gtid_set_new();
    struct buf out;

    buf_init(&out, 1 << 20);
    if (!gtid_set_parse(a, text, flavor, NULL) && !gtid_set_format(a, &out))
        if (gtid_set_parse(b, buf_cstr(&out), flavor, NULL) || !gtid_set_equal(a, b))
            abort();
    buf_release(&out);
    gtid_set_free(a);
    gtid_set_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t types[] = {EVENT_GTID, EVENT_GTID_TAGGED, EVENT_ANONYMOUS_GTID, EVENT_MARIA_GTID};
    struct gtid_set *s = gtid_set_new();
    char *text = malloc(size + 1), again[GTID_TEXT];
    struct gtid_event e;
    struct gtid g, h;
    struct buf out;

    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (!gtid_parse(&g, text, NULL)) {
        gtid_format(&g, again);
        if (gtid_parse(&h, again, NULL) || !gtid_equal(&g, &h))
            abort();
    }
    set_of(text, GTID_MYSQL);
    set_of(text, GTID_MARIADB);
    set_of(text, GTID_FILE);
    buf_init(&out, 1 << 20);
    if (!gtid_set_decode(s, cursor_of(data, size), NULL)) {
        struct gtid_set *t = gtid_set_new();

        if (gtid_set_encode(s, &out) || gtid_set_decode(t, cursor_of(out.data, out.len), NULL) || !gtid_set_equal(s, t))
            abort();
        gtid_set_free(t);
    }
    for (size_t i = 0; i < sizeof types; i++)
        if (!gtid_event_parse(&e, cursor_of(data, size), types[i], 1, NULL) && e.gtid.flavor != GTID_NONE) {
            gtid_format(&e.gtid, again);
            (void)gtid_set_add(s, &e.gtid, NULL);
        }
    buf_release(&out);
    gtid_set_free(s);
    free(text);
    return 0;
}
