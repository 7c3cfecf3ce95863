#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* A line is built on the stack and written by one write(2), so that lines of two threads never mix. */
enum { TEXT_MAX = 2048, LINE_MAX_BYTES = 6 * TEXT_MAX + 256 };

static atomic_int log_level = LOG_LEVEL_INFO;
static atomic_int log_format = LOG_FORMAT_TEXT;

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t len;
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_setup(enum log_level level, enum log_format format)
{
    atomic_store(&log_level, (int)level);
    atomic_store(&log_format, (int)format);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

static void put(struct line *l, const char *s, size_t n)
{
    if (n > sizeof l->bytes - 1 - l->len)
        n = sizeof l->bytes - 1 - l->len;
    memcpy(l->bytes + l->len, s, n);
    l->len += n;
}

static void put_str(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* Length of the valid UTF-8 sequence at s, 0 when there is none. Over-long forms and surrogates are not valid. */
static size_t utf8_len(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        return (s[1] & 0xc0) == 0x80 ? 2 : 0;
    if (s[0] >= 0xe0 && s[0] <= 0xef) {
        if ((s[1] & 0xc0) != 0x80 || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
            return 0;
        return (s[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        if ((s[1] & 0xc0) != 0x80 || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
            return 0;
        return (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80 ? 4 : 0;
    }
    return 0;
}

/* A server's words may hold line breaks or terminal codes: none of them may forge a line of their own. */
static void put_text(struct line *l, const char *text, bool json)
{
    const unsigned char *s = (const unsigned char *)text;
    char escape[8];

    while (*s) {
        size_t n = utf8_len(s);
        if (n == 0) {
            put_str(l, "\xef\xbf\xbd");
            s++;
        } else if (n == 1 && (*s < 0x20 || *s == 0x7f)) {
            if (*s == '\n')
                put_str(l, "\\n");
            else if (json) {
                snprintf(escape, sizeof escape, "\\u%04x", *s);
                put_str(l, escape);
            } else
                put_str(l, " ");
            s++;
        } else {
            if (json && (*s == '"' || *s == '\\'))
                put_str(l, "\\");
            put(l, (const char *)s, n);
            s += n;
        }
    }
}

static void put_time(struct line *l)
{
    int64_t us = clock_wall_us();
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    char text[48];
    size_t n;

    gmtime_r(&seconds, &tm);
    n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%06dZ", (int)(us % 1000000));
    put_str(l, text);
}

void log_write(enum log_level level, const char *facility, const char *format, ...)
{
    int saved = errno;
    char text[TEXT_MAX];
    struct line l;
    va_list args;
    size_t done = 0;
    bool json;

    if (!log_enabled(level))
        return;
    json = atomic_load_explicit(&log_format, memory_order_relaxed) == LOG_FORMAT_JSON;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = 0;
    va_end(args);

    l.len = 0;
    if (json) {
        put_str(&l, "{\"time\":\"");
        put_time(&l);
        put_str(&l, "\",\"level\":\"");
        put_str(&l, level_names[level]);
        put_str(&l, "\",\"facility\":\"");
        put_text(&l, facility, true);
        put_str(&l, "\",\"text\":\"");
        put_text(&l, text, true);
        put_str(&l, "\"}");
    } else {
        put_time(&l);
        put_str(&l, " ");
        put_str(&l, level_names[level]);
        put(&l, "  ", 6 - strlen(level_names[level]));
        put_text(&l, facility, false);
        put_str(&l, ": ");
        put_text(&l, text, false);
    }
    l.bytes[l.len++] = '\n';

    /* A log that cannot be written is no reason to stop replicating. */
    while (done < l.len) {
        ssize_t n = write(STDERR_FILENO, l.bytes + done, l.len - done);
        if (n < 0 && errno != EINTR)
            break;
        if (n > 0)
            done += (size_t)n;
    }
    errno = saved;
}
