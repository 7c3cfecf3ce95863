/* registry_folder: schemas as files, for first use and tests: ids/<id>.avsc holds the text of an id, and
 * subjects/<subject>/<version> the id of a version. Ids are dense from 1, one per text. Files never change. A file
 * appears under its name whole or not at all (write, fsync, link), and link's refusal of a taken name decides between
 * processes. No Avro is understood here, so every schema is compatible. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "registry/backend.h"

enum { IDS_MAX = 1000000, VERSIONS_MAX = 100000, NAME_LIMIT = 200 };

struct folder {
    char *path;
    uint64_t *hashes; /* of the texts of ids 1..n_ids, so that a search reads a file seldom twice */
    uint32_t n_ids, size;
};

static int file_failed(const char *what, const char *path, struct err *err)
{
    return err_set(err, ERR_REGISTRY_CONFIG,
                   "The registry folder's %s cannot be %s: %s. Check registry.url and its rights.", path, what,
                   strerror(errno));
}

static int make_folder(const char *path, struct err *err)
{
    struct stat st;

    if (mkdir(path, 0777) && errno != EEXIST)
        return file_failed("made", path, err);
    if (stat(path, &st))
        return file_failed("read", path, err);
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return file_failed("used", path, err);
    }
    return 0;
}

/* Like mkdir -p. */
static int make_path(const char *path, struct err *err)
{
    char *copy = xstrdup(path);
    int rc = 0;

    for (char *p = copy + 1; !rc && *p; p++)
        if (*p == '/') {
            *p = 0;
            rc = make_folder(copy, err);
            *p = '/';
        }
    if (!rc)
        rc = make_folder(copy, err);
    free(copy);
    return rc;
}

static void folder_close(void *context)
{
    struct folder *f = context;

    free(f->hashes);
    free(f->path);
    free(f);
}

int registry_folder_open(void **context, const char *path, struct err *err)
{
    struct folder *f = xcalloc(1, sizeof(*f));
    char *ids, *subjects;
    int rc;

    f->path = xstrdup(path);
    for (size_t n = strlen(path); n > 1 && f->path[n - 1] == '/'; n--)
        f->path[n - 1] = 0;
    ids = xasprintf("%s/ids", f->path);
    subjects = xasprintf("%s/subjects", f->path);
    rc = make_path(ids, err) || make_path(subjects, err) ? -1 : 0;
    free(ids);
    free(subjects);
    if (rc)
        folder_close(f);
    else
        *context = f;
    return rc;
}

/* ---- files ---- */

/* 1 and the text, 0 when there is no such file, -1. */
static int read_file(const char *path, char **text, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    size_t n = 0;
    char *s = NULL;

    if (fd < 0)
        return errno == ENOENT ? 0 : file_failed("read", path, err);
    if (fstat(fd, &st))
        goto fail;
    if (st.st_size < 1 || st.st_size > REGISTRY_TEXT_MAX) {
        errno = EFBIG;
        goto fail;
    }
    s = xmalloc((size_t)st.st_size + 1);
    while (n < (size_t)st.st_size) {
        ssize_t got = read(fd, s + n, (size_t)st.st_size - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got ? errno : EIO;
            goto fail;
        }
        n += (size_t)got;
    }
    s[n] = 0;
    close(fd);
    *text = s;
    return 1;
fail:
    file_failed("read", path, err);
    free(s);
    close(fd);
    return -1;
}

static int write_all(int fd, const char *text, size_t n)
{
    while (n) {
        ssize_t put = write(fd, text, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        text += put;
        n -= (size_t)put;
    }
    return fsync(fd);
}

static int sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);

    if (fd >= 0)
        close(fd);
    return rc;
}

/* 1: made; 0: the name is taken; -1. */
static int make_file(const char *folder, const char *path, const char *text, struct err *err)
{
    char *draft = xasprintf("%s/.draft.XXXXXX", folder);
    int fd = mkostemp(draft, O_CLOEXEC);
    int rc = 1;

    if (fd < 0) {
        rc = file_failed("made", draft, err);
        goto out;
    }
    if (fchmod(fd, 0644) || write_all(fd, text, strlen(text)))
        rc = file_failed("written", draft, err);
    else if (link(draft, path))
        rc = errno == EEXIST ? 0 : file_failed("made", path, err);
    else if (sync_folder(folder))
        rc = file_failed("written", folder, err);
    unlink(draft);
    close(fd);
out:
    free(draft);
    return rc;
}

/* ---- ids ---- */

static uint64_t hash_of(const char *s)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * UINT64_C(1099511628211);
    return h;
}

static char *id_path(const struct folder *f, uint32_t id)
{
    return xasprintf("%s/ids/%lu.avsc", f->path, (unsigned long)id);
}

static int read_id(const struct folder *f, uint32_t id, char **text, struct err *err)
{
    char *path = id_path(f, id);
    int rc = read_file(path, text, err);

    free(path);
    return rc;
}

static void learn(struct folder *f, const char *text)
{
    if (f->n_ids == f->size) {
        f->size = f->size ? f->size * 2 : 64;
        f->hashes = xreallocarray(f->hashes, f->size, sizeof(*f->hashes));
    }
    f->hashes[f->n_ids++] = hash_of(text);
}

/* The id of a text, made when no id has it yet. */
static int id_of(struct folder *f, const char *schema, uint32_t *id, struct err *err)
{
    uint64_t hash = hash_of(schema);
    char *text, *folder, *path;
    int rc;

    for (uint32_t i = 1; i <= f->n_ids; i++) {
        bool same;

        if (f->hashes[i - 1] != hash)
            continue;
        if (read_id(f, i, &text, err) < 1)
            return -1;
        same = !strcmp(text, schema);
        free(text);
        if (same) {
            *id = i;
            return 0;
        }
    }
    while (f->n_ids < IDS_MAX) {
        uint32_t next = f->n_ids + 1;

        rc = read_id(f, next, &text, err);
        if (rc < 0)
            return -1;
        if (rc) { /* another process made it */
            bool same = !strcmp(text, schema);

            learn(f, text);
            free(text);
            if (!same)
                continue;
            *id = next;
            return 0;
        }
        folder = xasprintf("%s/ids", f->path);
        path = id_path(f, next);
        rc = make_file(folder, path, schema, err);
        free(path);
        free(folder);
        if (rc < 0)
            return -1;
        if (!rc)
            continue; /* taken meanwhile: see by whom */
        learn(f, schema);
        *id = next;
        return 0;
    }
    return err_set(err, ERR_LIMIT, "The registry folder holds %d schemas; use a schema registry server.", IDS_MAX);
}

/* ---- versions ---- */

/* A subject as a file name: percent signs for what a name should not hold. */
static char *subject_folder(const struct folder *f, const char *subject, struct err *err)
{
    char name[NAME_LIMIT + 4];
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)subject; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p == '_' ||
                     *p == '-' || (*p == '.' && n);

        if (n >= NAME_LIMIT) {
            err_set(err, ERR_REGISTRY_CONFIG,
                    "Subject %.60s... is too long for the registry folder; use a schema registry server.", subject);
            return NULL;
        }
        if (plain)
            name[n++] = (char)*p;
        else
            n += (size_t)snprintf(name + n, sizeof(name) - n, "%%%02X", *p);
    }
    name[n] = 0;
    return xasprintf("%s/subjects/%s", f->path, name);
}

static int add_version(const struct folder *f, const char *subject, uint32_t id, struct err *err)
{
    char *folder = subject_folder(f, subject, err), *path, *text;
    char number[16];
    int rc;

    if (!folder)
        return -1;
    snprintf(number, sizeof(number), "%lu\n", (unsigned long)id);
    rc = make_folder(folder, err);
    for (int v = 1; !rc; v++) {
        if (v > VERSIONS_MAX) {
            rc = err_set(err, ERR_LIMIT, "Subject %s has %d versions; use a schema registry server.", subject,
                         VERSIONS_MAX);
            break;
        }
        path = xasprintf("%s/%d", folder, v);
        rc = read_file(path, &text, err);
        if (rc > 0) {
            rc = strcmp(text, number) ? 0 : 1;
            free(text);
        } else if (!rc) {
            rc = make_file(folder, path, number, err);
            if (!rc)
                v--; /* taken meanwhile: read it */
        }
        free(path);
    }
    free(folder);
    return rc < 0 ? -1 : 0;
}

/* ---- the calls ---- */

static int folder_register(void *context, const char *subject, const char *schema, uint32_t *id, struct err *err)
{
    struct folder *f = context;

    if (!*schema)
        return err_set(err, ERR_REGISTRY_REJECTED, "The schema of subject %s is empty.", subject);
    return id_of(f, schema, id, err) || add_version(f, subject, *id, err) ? -1 : 0;
}

static int folder_schema(void *context, uint32_t id, char **schema, struct err *err)
{
    struct folder *f = context;
    int rc = read_id(f, id, schema, err);

    if (!rc)
        return err_set(
            err, ERR_REGISTRY_REJECTED,
            "The registry folder %s does not know schema id %lu; check that the records were written with it.", f->path,
            (unsigned long)id);
    return rc < 0 ? -1 : 0;
}

static int folder_compatible(void *context, const char *subject, const char *schema, bool *ok, char *reason,
                             size_t size, struct err *err)
{
    (void)context, (void)subject, (void)schema, (void)reason, (void)size, (void)err;
    *ok = true;
    return 0;
}

static int folder_ping(void *context, struct err *err)
{
    struct folder *f = context;

    return access(f->path, R_OK | W_OK | X_OK) ? file_failed("used", f->path, err) : 0;
}

const struct registry_backend registry_folder = {folder_close, folder_register, folder_schema, folder_compatible,
                                                 folder_ping};
