/* preflight_report: where the parts of preflight put their findings. Thread: the caller's. */
#ifndef PILLION_MYSQL_PREFLIGHT_REPORT_H
#define PILLION_MYSQL_PREFLIGHT_REPORT_H

#include "mysql/preflight.h"

struct preflight_report {
    struct connection *connection;
    const struct preflight_tables *tables; /* NULL: none are looked at */
    finding_fn *fn;
    void *arg;
    struct err *err; /* gets the first error when fn is NULL */
    int errors;
    char user[300]; /* 'cdc'@'%', for GRANT statements */
};

void preflight_report(struct preflight_report *r, enum finding_level level, enum err_code code, const char *remedy,
                      const char *what, ...) __attribute__((format(printf, 5, 6)));

/* The parts: each -1 only when the server could not be asked. */
int preflight_settings(struct preflight_report *r, struct err *err);
int preflight_grants(struct preflight_report *r, struct err *err);
int preflight_schema(struct preflight_report *r, struct err *err);

#endif
