/* replay: main of a fuzz target without a fuzzer: gives it every file of the corpus, whole, cut off, and with bytes
 * changed, the same way in every run.
 *
 * Every input is in a block of its own of exactly its size, so that the address sanitizer sees a read behind the end.
 * Arguments: files and folders. A missing or empty corpus is an error. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { FILE_MAX = 1 << 20, CUTS = 300, BENDS = 600, DEPTH_MAX = 8 };

static size_t files, inputs;

static void give(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    if (!copy)
        abort();
    if (len)
        memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
    inputs++;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Values at which lengths and counts tend to break. */
static void bend(uint8_t *bytes, size_t len, uint64_t *state)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xfb, 0xfc, 0xfe, 0xff};

    for (uint64_t n = 1 + next_random(state) % 3; n > 0; n--) {
        size_t at = next_random(state) % len;
        switch (next_random(state) % 3) {
        case 0:
            bytes[at] = edges[next_random(state) % sizeof edges];
            break;
        case 1:
            bytes[at] ^= (uint8_t)(1u << next_random(state) % 8);
            break;
        default:
            bytes[at] = bytes[next_random(state) % len];
            break;
        }
    }
}

static void replay_bytes(const uint8_t *bytes, size_t len)
{
    uint64_t state = 0x9e3779b97f4a7c15u + len;
    /* Of large files fewer variants: the whole must stay a matter of seconds. */
    size_t weight = 1 + len / 8192, cuts = CUTS / weight, bends = BENDS / weight, step = len / (cuts ? cuts : 1) + 1;
    uint8_t *copy = malloc(len ? len : 1);

    if (!copy)
        abort();
    give(bytes, len);
    for (size_t cut = 0; cut < len; cut += step)
        give(bytes, cut);
    for (size_t i = 0; len > 0 && i < bends; i++) {
        memcpy(copy, bytes, len);
        bend(copy, len, &state);
        give(copy, len);
    }
    free(copy);
}

static int replay_file(const char *path)
{
    uint8_t *bytes = malloc(FILE_MAX);
    FILE *f = fopen(path, "rb");
    size_t len;

    if (!f || !bytes) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        free(bytes);
        return -1;
    }
    len = fread(bytes, 1, FILE_MAX, f);
    fclose(f);
    replay_bytes(bytes, len);
    free(bytes);
    files++;
    return 0;
}

static int replay_path(const char *path, int depth)
{
    struct stat st;
    DIR *folder;
    struct dirent *entry;
    int rc = 0;

    if (stat(path, &st) < 0 || depth > DEPTH_MAX) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(st.st_mode))
        return replay_file(path);
    folder = opendir(path);
    if (!folder)
        return -1;
    while ((entry = readdir(folder)) != NULL && rc == 0) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(name, sizeof name, "%s/%s", path, entry->d_name) >= (int)sizeof name)
            rc = -1;
        else
            rc = replay_path(name, depth + 1);
    }
    closedir(folder);
    return rc;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (replay_path(argv[i], 0) < 0)
            return 1;
    printf("%zu files, %zu inputs\n", files, inputs);
    return files > 0 ? 0 : 1;
}
