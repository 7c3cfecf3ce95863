#include "config/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/options_value.h"

extern char **environ;

void options_init(struct options *o)
{
    struct option_origin origin = {OPTION_LAYER_DEFAULT, 0};
    struct err err = ERR_INIT;

    memset(o, 0, sizeof *o);
    for (int id = 0; id < OPTION_COUNT; id++) {
        const char *def = option_at(id)->def;
        if (*def && options_value_scalar(o, id, false, def, strlen(def), origin, &err) < 0) {
            log_error("config", "%s: the default %s", option_at(id)->path, err.text);
            abort(); /* a row of options.def contradicts itself */
        }
    }
}

void options_release(struct options *o)
{
    for (int id = 0; id < OPTION_COUNT; id++) {
        switch (option_at(id)->kind) {
        case OPTION_STRING:
        case OPTION_WORD:
            free(*(char **)options_member(o, id));
            break;
        case OPTION_SECRET: {
            struct option_secret *s = options_member(o, id);
            xfree_secret(s->value);
            free(s->file);
            break;
        }
        case OPTION_LIST:
        case OPTION_MAP:
            options_value_clear(o, id);
            break;
        case OPTION_ENUM:
        case OPTION_INT:
        case OPTION_BOOL:
        case OPTION_DURATION:
        case OPTION_SIZE:
            break;
        }
    }
    free(o->file);
    memset(o, 0, sizeof *o);
}

/* "a, b" into items; the spaces around them do not count. */
static int add_items(struct options *o, int id, const char *text, struct err *err)
{
    for (;;) {
        size_t len = strcspn(text, ","), n;

        text += strspn(text, " ");
        len = strcspn(text, ",");
        for (n = len; n > 0 && text[n - 1] == ' '; n--)
            ;
        if (options_value_add_item(o, id, text, n, err) < 0)
            return -1;
        if (!text[len])
            return 0;
        text += len + 1;
    }
}

int options_set(struct options *o, int id, bool is_file, const char *text, struct option_origin origin, struct err *err)
{
    const struct option *option = option_at(id);
    int rc;

    if (!*text)
        return 0;
    if (option->kind != OPTION_LIST && option->kind != OPTION_MAP)
        return options_value_scalar(o, id, is_file, text, strlen(text), origin, err);
    /* A flag that is given twice adds to the list; a stronger layer replaces it. */
    if (o->origin[id].layer != origin.layer || origin.layer != OPTION_LAYER_FLAG)
        options_value_clear(o, id);
    if (option->kind == OPTION_LIST && *text != '[')
        rc = add_items(o, id, text, err);
    else
        rc = options_value_flow(o, id, text, err);
    if (rc == 0)
        o->origin[id] = origin;
    return rc;
}

/* All of a file, up to max bytes. */
static int read_whole(const char *path, size_t max, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = -1;

    buf_init(out, max + 1);
    if (fd < 0)
        return err_set(err, ERR_FILE, "%s cannot be opened: %s.", path, strerror(errno));
    for (;;) {
        size_t want = max + 1 - out->len < 65536 ? max + 1 - out->len : 65536;
        uint8_t *to = want ? buf_room(out, want) : NULL;
        ssize_t n;

        if (!to) {
            err_set(err, ERR_FILE, "%s is larger than %zu bytes.", path, max);
            goto out;
        }
        n = read(fd, to, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_set(err, ERR_FILE, "%s cannot be read: %s.", path, strerror(errno));
            goto out;
        }
        if (n == 0)
            break;
        buf_advance(out, (size_t)n);
    }
    if (out->len > max)
        err_set(err, ERR_FILE, "%s is larger than %zu bytes.", path, max);
    else
        rc = 0;
out:
    close(fd);
    return rc;
}

static void release_wiped(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->size);
    buf_release(b);
}

int options_load_file(struct options *o, const char *path, struct err *err)
{
    struct buf bytes;
    int rc = read_whole(path, OPTIONS_FILE_MAX, &bytes, err);

    if (rc == 0)
        rc = options_load_bytes(o, path, bytes.data, bytes.len, err);
    release_wiped(&bytes);
    return rc;
}

/* One trailing line break belongs to the file, not to the secret. */
static int read_secret_file(struct options *o, int id, struct err *err)
{
    struct option_secret *s = options_member(o, id);
    struct buf bytes;
    char place[512];
    size_t n;
    int rc;

    rc = read_whole(s->file, OPTION_SECRET_MAX, &bytes, err);
    n = bytes.len;
    if (n > 0 && bytes.data[n - 1] == '\n')
        n--;
    if (n > 0 && bytes.data[n - 1] == '\r')
        n--;
    if (rc == 0 && n == 0)
        rc = err_set(err, ERR_CONFIG, "%s is empty.", s->file);
    if (rc == 0 && memchr(bytes.data, 0, n))
        rc = err_set(err, ERR_CONFIG, "%s holds a NUL byte; it must hold nothing but the secret.", s->file);
    if (rc == 0) {
        xfree_secret(s->value);
        s->value = xstrndup((const char *)bytes.data, n);
    } else {
        options_place(o, id, place, sizeof place);
        err_prefix(err, "%s", place);
    }
    release_wiped(&bytes);
    return rc;
}

int options_read_secrets(struct options *o, struct err *err)
{
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (option_at(id)->kind != OPTION_SECRET)
            continue;
        if (((struct option_secret *)options_member(o, id))->file && read_secret_file(o, id, err) < 0)
            return -1;
    }
    return 0;
}

/* A container platform may set PILLION_PORT_8088_TCP and the like, so an unknown name is no error; but one that is
 * nearly an option is a typo to be told of. */
static void look_at_unknown(const char *entry)
{
    char name[OPTION_NAME_MAX], known[OPTION_NAME_MAX];
    size_t len = strcspn(entry, "=");

    if (len >= sizeof name)
        return;
    memcpy(name, entry, len);
    name[len] = 0;
    for (int id = 0; id < OPTION_COUNT; id++) {
        option_env_name(option_at(id), false, known, sizeof known);
        if (option_distance(name, known) <= 2) {
            log_warn("config", "the environment variable %s is no option; did you mean %s?", name, known);
            return;
        }
    }
}

int options_load_env(struct options *o, char *const *env, struct err *err)
{
    struct option_origin origin = {OPTION_LAYER_ENV, 0};

    for (; *env; env++) {
        const char *value;
        char name[OPTION_NAME_MAX];
        size_t len = strcspn(*env, "=");
        bool known = false;

        if (strncmp(*env, "PILLION_", 8) != 0 || (*env)[len] != '=')
            continue;
        value = *env + len + 1;
        for (int id = 0; id < OPTION_COUNT && !known; id++) {
            for (int is_file = 0; is_file <= (option_at(id)->kind == OPTION_SECRET) && !known; is_file++) {
                option_env_name(option_at(id), is_file, name, sizeof name);
                if (strlen(name) != len || strncmp(name, *env, len) != 0)
                    continue;
                known = true;
                if (options_set(o, id, is_file, value, origin, err) < 0)
                    return err_prefix(err, "%s", name);
            }
        }
        if (!known && strncmp(*env, "PILLION_CONFIG=", 15) != 0 && strncmp(*env, "PILLION_FAULT=", 14) != 0)
            look_at_unknown(*env);
    }
    return 0;
}

int options_unknown_flag(const char *arg, struct err *err)
{
    char name[OPTION_NAME_MAX] = "", near[OPTION_NAME_MAX];
    size_t len;

    while (*arg == '-')
        arg++;
    len = strcspn(arg, "=");
    if (len < sizeof name)
        memcpy(name, arg, len);
    if (*name && option_nearest("", name, near, sizeof near))
        return err_set(err, ERR_USAGE, "There is no option --%s; did you mean --%s?", name, near);
    return err_set(err, ERR_USAGE, "There is no option --%.100s; --help lists them.", arg);
}

/* --path=value or --path value. 1: taken (n arguments), 0: not an option of ours. */
static int take_flag(struct options *o, int left, char **argv, int *n, struct err *err)
{
    struct option_origin origin = {OPTION_LAYER_FLAG, 0};
    const char *arg = argv[0] + 2, *value;
    size_t len = strcspn(arg, "=");
    char name[OPTION_NAME_MAX];
    bool is_file;
    int id;

    if (len >= sizeof name)
        return 0;
    memcpy(name, arg, len);
    name[len] = 0;
    id = option_find(name, &is_file);
    if (id < 0)
        return strchr(name, '.') ? options_unknown_flag(name, err) : 0;
    if (option_at(id)->kind == OPTION_SECRET && !is_file) {
        char env[OPTION_NAME_MAX];
        option_env_name(option_at(id), false, env, sizeof env);
        return err_set(
            err, ERR_USAGE,
            "--%s: a secret among the arguments can be read by every user of the machine; give --%s_file or the "
            "environment variable %s.",
            name, name, env);
    }
    *n = 1;
    value = arg[len] == '=' ? arg + len + 1 : NULL;
    if (!value) {
        if (left < 2)
            return err_set(err, ERR_USAGE, "--%s needs a value.", name);
        value = argv[1];
        *n = 2;
    }
    if (options_set(o, id, is_file, value, origin, err) < 0)
        return err_prefix(err, "--%s", name);
    return 1;
}

int options_load_flags(struct options *o, int *argc, char **argv, struct err *err)
{
    int kept = 1;

    for (int i = 1; i < *argc; i++) {
        int n = 0, taken = 0;

        if (strcmp(argv[i], "--") == 0) {
            while (i < *argc)
                argv[kept++] = argv[i++];
            break;
        }
        if (strncmp(argv[i], "--", 2) == 0) {
            taken = take_flag(o, *argc - i, argv + i, &n, err);
            if (taken < 0)
                return -1;
        }
        if (taken)
            i += n - 1;
        else
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    *argc = kept;
    return 0;
}

/* Takes -c FILE, --config FILE and --config=FILE out of argv. */
static int take_config(int *argc, char **argv, const char **path, struct err *err)
{
    int kept = 1;

    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (i < *argc)
                argv[kept++] = argv[i++];
            break;
        }
        if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0) {
            if (i + 1 >= *argc)
                return err_set(err, ERR_USAGE, "%s needs the name of a file.", argv[i]);
            *path = argv[++i];
        } else if (strncmp(argv[i], "--config=", 9) == 0)
            *path = argv[i] + 9;
        else
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    *argc = kept;
    return 0;
}

int options_load(struct options *o, int *argc, char **argv, struct err *err)
{
    const char *path = getenv("PILLION_CONFIG");

    if (take_config(argc, argv, &path, err) < 0)
        return -1;
    if (path && *path && options_load_file(o, path, err) < 0)
        return -1;
    if (options_load_env(o, environ, err) < 0 || options_load_flags(o, argc, argv, err) < 0)
        return -1;
    return options_finish(o, err);
}

void options_place(const struct options *o, int id, char *out, size_t size)
{
    const struct option *option = option_at(id);
    const struct option_secret *secret = options_member_const(o, id);
    bool is_file = option->kind == OPTION_SECRET && secret->file;
    const char *suffix = is_file ? "_file" : "";

    switch (o->origin[id].layer) {
    case OPTION_LAYER_FILE:
        snprintf(out, size, "%s:%d: %s%s", o->file ? o->file : "", o->origin[id].line, option->path, suffix);
        break;
    case OPTION_LAYER_ENV:
        option_env_name(option, is_file, out, size);
        break;
    case OPTION_LAYER_FLAG:
        snprintf(out, size, "--%s%s", option->path, suffix);
        break;
    case OPTION_LAYER_DEFAULT:
        snprintf(out, size, "%s", option->path);
        break;
    }
}
