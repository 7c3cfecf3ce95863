#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { RULES_MAX = 32, NAME_MAX_BYTES = 64, SLEEP_MAX_MS = 3600000 };
enum fault_action { FAULT_KILL, FAULT_ERR, FAULT_SLEEP };

struct fault_rule {
    char name[NAME_MAX_BYTES];
    long pass; /* the pass that acts, from 1 */
    enum fault_action action;
    int sleep_ms;
    atomic_long passed;
};

atomic_bool fault_armed;
static struct fault_rule rules[RULES_MAX];
static size_t rule_count;

static bool read_number(const char *s, long max, long *v)
{
    char *end;

    if (*s < '0' || *s > '9')
        return false;
    errno = 0;
    *v = strtol(s, &end, 10);
    return errno == 0 && *end == 0 && *v <= max;
}

/* name:n:action, cut in place. NULL or what is wrong. */
static const char *read_rule(char *text, struct fault_rule *rule)
{
    char *pass = strchr(text, ':');
    char *action = pass ? strchr(pass + 1, ':') : NULL;
    long ms;

    if (!action)
        return "is not name:n:action";
    *pass++ = 0;
    *action++ = 0;
    if (!*text || strlen(text) >= sizeof rule->name)
        return "has no name, or one that is too long";
    if (!read_number(pass, 1000000000, &rule->pass) || rule->pass < 1)
        return "has no number of a pass from 1";
    if (strcmp(action, "kill") == 0)
        rule->action = FAULT_KILL;
    else if (strcmp(action, "err") == 0)
        rule->action = FAULT_ERR;
    else if (strncmp(action, "sleep=", 6) == 0 && read_number(action + 6, SLEEP_MAX_MS, &ms)) {
        rule->action = FAULT_SLEEP;
        rule->sleep_ms = (int)ms;
    } else
        return "has no action kill, err or sleep=ms";
    memcpy(rule->name, text, strlen(text) + 1);
    atomic_store(&rule->passed, 0);
    return NULL;
}

void fault_setup(const char *spec)
{
    char text[4096];
    char *at = text;

    atomic_store(&fault_armed, false);
    rule_count = 0;
    if (!spec)
        spec = getenv("PILLION_FAULT");
    if (!spec || !*spec)
        return;
    if (snprintf(text, sizeof text, "%s", spec) >= (int)sizeof text) {
        log_error("fault", "PILLION_FAULT is longer than %zu bytes", sizeof text - 1);
        exit(2);
    }
    while (at) {
        char *next = strchr(at, ';');
        const char *wrong;

        if (next)
            *next++ = 0;
        if (*at) {
            wrong = rule_count == RULES_MAX ? "is one rule too many" : read_rule(at, &rules[rule_count]);
            if (wrong) {
                log_error("fault", "PILLION_FAULT: \"%s\" %s; write name:n:kill, name:n:err or name:n:sleep=ms", at,
                          wrong);
                exit(2);
            }
            rule_count++;
        }
        at = next;
    }
    if (rule_count > 0) {
        log_warn("fault", "PILLION_FAULT is set: this process will fail on purpose (%zu rules)", rule_count);
        atomic_store(&fault_armed, true);
    }
}

bool fault_hit(const char *name)
{
    bool fail = false;

    for (size_t i = 0; i < rule_count; i++) {
        struct fault_rule *r = &rules[i];

        if (strcmp(r->name, name) != 0 || atomic_fetch_add(&r->passed, 1) + 1 != r->pass)
            continue;
        switch (r->action) {
        case FAULT_KILL:
            log_warn("fault", "%s: killed at pass %ld", name, r->pass);
            raise(SIGKILL);
            break;
        case FAULT_SLEEP:
            clock_sleep_ms(r->sleep_ms);
            break;
        case FAULT_ERR:
            fail = true;
            break;
        }
    }
    return fail;
}
