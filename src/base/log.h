/* log: lines for people and machines on standard error; data never goes there.
 *
 * One line an event: time, level, facility, text (`text` format) or a JSON object (`json`). Only tops log errors
 * (base/err.h). Control characters and bad UTF-8 are replaced, so that foreign words cannot forge a line; a text is cut
 * at 2,047 bytes. Until log_setup: level info, format text. Thread: any; a line is written in one call. errno is kept.
 * Never pass a secret or a row's values. */
#ifndef PILLION_BASE_LOG_H
#define PILLION_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level); /* to spare the work of a message that nobody sees */
void log_write(enum log_level level, const char *facility, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(facility, ...) log_write(LOG_LEVEL_ERROR, facility, __VA_ARGS__)
#define log_warn(facility, ...) log_write(LOG_LEVEL_WARN, facility, __VA_ARGS__)
#define log_info(facility, ...) log_write(LOG_LEVEL_INFO, facility, __VA_ARGS__)
#define log_debug(facility, ...) log_write(LOG_LEVEL_DEBUG, facility, __VA_ARGS__)

#endif
