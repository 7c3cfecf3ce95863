#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *meaning;
    enum err_class class;
} codes[ERR_CODES] = {
    [ERR_NONE] = {"ERR_NONE", "No error.", ERR_CLASS_NONE},
#define ERR_CODE(name, class, meaning) [name] = {#name, meaning, ERR_CLASS_##class},
#include "base/err.def"
#undef ERR_CODE
};

int err_set_at(struct err *err, enum err_code code, const char *file, int line, const char *format, ...)
{
    char text[ERR_TEXT];
    va_list args;

    if (!err)
        return -1;
    /* By way of a copy: the words may quote the err's own old text. */
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(err->text, text, sizeof text);
    err->code = code;
    err->file = file;
    err->line = line;
    return -1;
}

int err_prefix(struct err *err, const char *format, ...)
{
    char text[ERR_TEXT];
    va_list args;
    size_t n, rest;
    int wanted;

    if (!err)
        return -1;
    va_start(args, format);
    wanted = vsnprintf(text, sizeof text - 2, format, args);
    va_end(args);
    if (wanted < 0)
        return -1;
    n = strlen(text);
    memcpy(text + n, ": ", 3);
    n += 2;
    rest = strnlen(err->text, sizeof text - 1 - n);
    memcpy(text + n, err->text, rest);
    text[n + rest] = 0;
    memcpy(err->text, text, sizeof text);
    return -1;
}

void err_clear(struct err *err)
{
    *err = (struct err)ERR_INIT;
}

enum err_class err_class(const struct err *err)
{
    return codes[err->code].class;
}

const char *err_class_name(enum err_class class)
{
    switch (class) {
    case ERR_CLASS_NONE:
        return "none";
    case ERR_CLASS_RETRY:
        return "retry";
    case ERR_CLASS_DATA:
        return "data";
    case ERR_CLASS_CONFIG:
        return "config";
    case ERR_CLASS_FATAL:
        return "fatal";
    case ERR_CLASS_BUG:
        return "bug";
    }
    return "unknown";
}

const char *err_code_name(enum err_code code)
{
    return codes[code].name;
}

const char *err_code_meaning(enum err_code code)
{
    return codes[code].meaning;
}

int err_exit_code(const struct err *err)
{
    switch (err_class(err)) {
    case ERR_CLASS_NONE:
        return 0;
    case ERR_CLASS_DATA:
        return 1;
    case ERR_CLASS_CONFIG:
        return 2;
    case ERR_CLASS_RETRY:
    case ERR_CLASS_FATAL:
        return 3;
    case ERR_CLASS_BUG:
        break;
    }
    return 70;
}
