/* err: what went wrong, of which class, and the one sentence that tells a person what to do.
 *
 * Functions that can fail take a `struct err *` last and return 0 or -1. The failing place sets the error once; callers
 * may prefix it ("table shop.rides: ..."); only the top (a command, a capture or merge state machine) logs it and acts
 * on its class. Nobody logs and returns. An err holds no pointers to free and may be copied. Thread: an err belongs to
 * the caller's stack. Limits: the text is cut at ERR_TEXT - 1 bytes, never overrun. */
#ifndef PILLION_BASE_ERR_H
#define PILLION_BASE_ERR_H

#include <stdarg.h>

enum { ERR_TEXT = 768 };

/* What the top may do about it. */
enum err_class {
    ERR_CLASS_NONE,
    ERR_CLASS_RETRY,  /* passes by itself: reconnect with a growing delay */
    ERR_CLASS_DATA,   /* this input cannot be understood; another try gives the same */
    ERR_CLASS_CONFIG, /* a person must change a setting */
    ERR_CLASS_FATAL,  /* going on would break a promise */
    ERR_CLASS_BUG     /* Pillion is wrong */
};

enum err_code {
    ERR_NONE,
#define ERR_CODE(name, class, meaning) name,
#include "base/err.def"
#undef ERR_CODE
    ERR_CODES
};

struct err {
    enum err_code code;
    int line;
    const char *file;
    char text[ERR_TEXT];
};

#define ERR_INIT                                                                                                       \
    {                                                                                                                  \
        .code = ERR_NONE, .line = 0, .file = "", .text = ""                                                            \
    }

/* Sets code and text and remembers the place. Returns -1, so that `return err_set(...)` reads well. The text is a
 * finished sentence without a final line break. A NULL err is allowed. */
#define err_set(err, code, ...) err_set_at((err), (code), __FILE__, __LINE__, __VA_ARGS__)
int err_set_at(struct err *err, enum err_code code, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Puts words and ": " before the text. Returns -1. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

void err_clear(struct err *err);
enum err_class err_class(const struct err *err);
const char *err_class_name(enum err_class class);
const char *err_code_name(enum err_code code); /* "ERR_TRUNCATED" */
const char *err_code_meaning(enum err_code code);
/* Exit code of DESIGN section 4: 0 none, 1 DATA, 2 CONFIG, 3 RETRY and FATAL, 70 BUG. */
int err_exit_code(const struct err *err);

#endif
