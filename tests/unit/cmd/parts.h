/* parts: a capture and a merger that only tell what a test says, in the place of the real ones. */
#ifndef TESTS_CMD_PARTS_H
#define TESTS_CMD_PARTS_H

#include "capture/capture.h"
#include "merge/merger.h"

struct capture {
    struct capture_status status;
};

struct merger {
    bool ready, caught_up;
    int64_t backlog;
};

void capture_status_get(struct capture *c, struct capture_status *out)
{
    *out = c->status;
}

const char *capture_state_name(enum capture_state state)
{
    return state == CAPTURE_STREAM ? "stream" : "connect";
}

bool merger_ready(const struct merger *m)
{
    return m->ready;
}

int64_t merger_backlog(const struct merger *m)
{
    return m->backlog;
}

bool merger_caught_up(const struct merger *m)
{
    return m->caught_up;
}

#endif
