#include "sink/folder_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { NAME_BYTES = 900, DEPTH_MAX = 32, NAMES_MAX = 10000000, READ_BYTES = 65536 };

/* Temporary files begin with this; lists leave them out. */
static const char temporary[] = ".pillion-";

struct folder_store {
    struct object_store base;
    char *path;
    unsigned serial;
};

static struct folder_store *self(struct object_store *s)
{
    return (struct folder_store *)(void *)s;
}

static int file_error(const char *doing, const char *path, struct err *err)
{
    return err_set(err, errno == ENOSPC || errno == EDQUOT || errno == EIO ? ERR_STORE : ERR_FILE, "%s %s failed: %s.",
                   doing, path, strerror(errno));
}

static int check_name(const char *name, struct err *err)
{
    size_t n = strlen(name);

    if (!n || n > NAME_BYTES || name[0] == '/' || strstr(name, "//") || name[n - 1] == '/')
        return err_set(err, ERR_STORE_DATA, "The object name '%.100s' cannot be used in a folder.", name);
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (part[0] == '.')
            return err_set(err, ERR_STORE_DATA, "The object name '%.100s' has a part that begins with a dot.", name);
    }
    return 0;
}

/* Makes the folders above a path. */
static int make_folders(char *path, struct err *err)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0777) < 0 && errno != EEXIST) {
            int rc = file_error("Making the folder", path, err);

            *slash = '/';
            return rc;
        }
        *slash = '/';
    }
    return 0;
}

static int sync_folder_of(const char *path, struct err *err)
{
    char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    int fd, rc = 0;

    if (slash)
        *slash = 0;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        rc = file_error("Syncing the folder", folder, err);
    if (fd >= 0)
        close(fd);
    free(folder);
    return rc;
}

static int write_all(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int op_put(struct object_store *base, const char *name, const void *bytes, size_t len, bool *created,
                  struct err *err)
{
    struct folder_store *s = self(base);
    char *path = NULL, *temp = NULL, *slash;
    int fd = -1, rc = -1;

    *created = false;
    if (check_name(name, err) < 0)
        return -1;
    path = xasprintf("%s/%s", s->path, name);
    if (make_folders(path, err) < 0)
        goto out;
    slash = strrchr(path, '/');
    temp = xasprintf("%.*s/%s%ld-%u", (int)(slash - path), path, temporary, (long)getpid(), s->serial++);
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        file_error("Making the file", temp, err);
        goto out;
    }
    if (write_all(fd, bytes, len) < 0 || fsync(fd) < 0) {
        file_error("Writing the file", temp, err);
        goto out;
    }
    if (link(temp, path) == 0) {
        *created = true;
        rc = sync_folder_of(path, err);
    } else if (errno == EEXIST) {
        rc = 0;
    } else {
        file_error("Naming the file", path, err);
    }
out:
    if (fd >= 0) {
        close(fd);
        unlink(temp);
    }
    free(temp);
    free(path);
    return rc;
}

static int op_get(struct object_store *base, const char *name, struct buf *out, bool *found, struct err *err)
{
    struct folder_store *s = self(base);
    char *path;
    int fd, rc = -1;

    *found = false;
    buf_clear(out);
    if (check_name(name, err) < 0)
        return -1;
    path = xasprintf("%s/%s", s->path, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        rc = errno == ENOENT || errno == ENOTDIR ? 0 : file_error("Opening", path, err);
        goto out;
    }
    *found = true;
    for (;;) {
        size_t left = out->cap - out->len, want = left < READ_BYTES ? left : READ_BYTES;
        uint8_t one, *to = want ? buf_room(out, want) : &one;
        ssize_t n = read(fd, to, want ? want : 1);

        if (n > 0 && !want) {
            err_set(err, ERR_LIMIT, "The object %s is larger than the %zu bytes that are read.", path, out->cap);
            goto out;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            file_error("Reading", path, err);
            goto out;
        }
        if (!n)
            break;
        buf_advance(out, (size_t)n);
    }
    rc = 0;
out:
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

struct listing {
    char **names;
    size_t n, room;
    const char *prefix, *after;
};

static int walk(struct listing *l, const char *folder, const char *relative, int depth, struct err *err)
{
    DIR *dir;
    struct dirent *e;
    int rc = 0;

    if (depth > DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "The folder %s is nested more than %d deep.", folder, DEPTH_MAX);
    dir = opendir(folder);
    if (!dir)
        return errno == ENOENT ? 0 : file_error("Listing", folder, err);
    while (!rc && (e = readdir(dir))) {
        char *path, *name;
        struct stat st;

        if (e->d_name[0] == '.')
            continue;
        path = xasprintf("%s/%s", folder, e->d_name);
        name = *relative ? xasprintf("%s/%s", relative, e->d_name) : xstrdup(e->d_name);
        if (stat(path, &st) < 0) {
            rc = errno == ENOENT ? 0 : file_error("Reading", path, err);
        } else if (S_ISDIR(st.st_mode)) {
            size_t n = strlen(name), m = strlen(l->prefix);

            if (!strncmp(name, l->prefix, n < m ? n : m))
                rc = walk(l, path, name, depth + 1, err);
        } else if (!strncmp(name, l->prefix, strlen(l->prefix)) && (!l->after || strcmp(name, l->after) > 0)) {
            if (l->n == NAMES_MAX) {
                rc = err_set(err, ERR_LIMIT, "The folder %s holds more than %d objects.", folder, NAMES_MAX);
            } else {
                if (l->n == l->room)
                    l->names = xreallocarray(l->names, l->room = l->room ? l->room * 2 : 64, sizeof(char *));
                l->names[l->n++] = name;
                name = NULL;
            }
        }
        free(name);
        free(path);
    }
    closedir(dir);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int op_list(struct object_store *base, const char *prefix, const char *after, object_fn *fn, void *arg,
                   struct err *err)
{
    struct folder_store *s = self(base);
    struct listing l = {.prefix = prefix ? prefix : "", .after = after};
    int rc = walk(&l, s->path, "", 0, err);

    if (l.n)
        qsort(l.names, l.n, sizeof(char *), by_name);
    for (size_t i = 0; i < l.n; i++) {
        struct stat st;
        char *path = xasprintf("%s/%s", s->path, l.names[i]);

        if (!rc && stat(path, &st) == 0)
            rc = fn(arg, l.names[i], (size_t)st.st_size, err) ? -1 : 0;
        free(path);
        free(l.names[i]);
    }
    free(l.names);
    return rc;
}

static int op_ping(struct object_store *base, struct err *err)
{
    struct folder_store *s = self(base);

    return access(s->path, W_OK | X_OK) == 0 ? 0 : file_error("Reaching the folder", s->path, err);
}

static void op_free(struct object_store *base)
{
    free(self(base)->path);
    free(base);
}

static const struct object_store_ops folder_ops = {
    .put_if_absent = op_put, .get = op_get, .list = op_list, .ping = op_ping, .free = op_free};

int folder_store_open(struct object_store **out, const char *path, struct err *err)
{
    struct folder_store *s;
    char *whole = xasprintf("%s/", path);
    int rc = *path ? make_folders(whole, err)
                   : err_set(err, ERR_CONFIG, "objects.url names no folder; give file:///folder.");

    free(whole);
    if (rc < 0)
        return -1;
    s = xcalloc(1, sizeof *s);
    s->base.ops = &folder_ops;
    s->path = xstrdup(path);
    *out = &s->base;
    return 0;
}
