#include "cmd/command.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/metric.h"

int command_fail(const char *facility, const struct err *err)
{
    const char *const labels[] = {facility, err_class_name(err_class(err))};

    metric_add(metric_series(M_ERRORS, labels), 1);
    log_error(facility, "%s", err->text);
    if (err_class(err) == ERR_CLASS_BUG)
        log_error(facility, "This is a fault of Pillion at %s:%d; please report it with this line.", err->file,
                  err->line);
    return err_exit_code(err);
}

bool command_help(int argc, char **argv, const char *usage)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(usage, stdout);
            return true;
        }
    }
    return false;
}
