#include "avro/avro_name.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char *sanitize(const char *name, bool keep_dots)
{
    size_t len = strlen(name);
    char *out = xmalloc(2 * len + 2); /* at worst every part is one digit */
    size_t n = 0;
    bool first = true; /* of its part */

    for (const char *s = name; *s; s++) {
        if (keep_dots && *s == '.') {
            if (first)
                out[n++] = '_';
            out[n++] = '.';
            first = true;
            continue;
        }
        if (((unsigned char)*s & 0xc0) == 0x80)
            continue; /* the rest of a character that has its '_' already */
        if (first && is_digit(*s))
            out[n++] = '_';
        out[n++] = is_letter(*s) || is_digit(*s) ? *s : '_';
        first = false;
    }
    if (first)
        out[n++] = '_';
    out[n] = '\0';
    return out;
}

char *avro_name_field(const char *name)
{
    return sanitize(name, false);
}

char *avro_name_full(const char *name)
{
    return sanitize(name, true);
}
