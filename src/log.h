/*
 * Messages on stderr: a line at a time, each in one write(2) and with
 * "[dumb-init] " in front.
 *
 * No line blocks us, whatever stderr is: one that finds no room is dropped, an
 * error after a second. The signal that a failing write(2) raises is discarded.
 * For both, all signals must be blocked.
 */
#ifndef LOG_H
#define LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_ERROR,   /* ends us; always said */
	LOG_WARNING, /* said unless --quiet */
	LOG_VERBOSE, /* said with --verbose */
};

enum {
	LOG_LINE_MAX = 1024, /* bytes, with the newline and a NUL */
};

/* From now on says lines up to this level. At first: up to LOG_WARNING. */
void log_set_level(enum log_level level);

/* Whether a line of this level is said; for what costs something to word. */
bool log_says(enum log_level level);

/*
 * Says a line. format: as in format_text. It stays a line: what
 * is longer than LOG_LINE_MAX ends in "...", and control characters and bytes
 * that are no UTF-8 become question marks.
 */
void log_say(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)   log_say(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_say(LOG_WARNING, __VA_ARGS__)
#define log_verbose(...) log_say(LOG_VERBOSE, __VA_ARGS__)

/* From now on log_why writes to the file at path, too. "": to none. */
void log_set_file(const char *path);

/*
 * Says why we end, as log_say does, and adds the line to the file of
 * log_set_file, whatever the level. A warning if that fails.
 */
void log_why(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The line that log_say writes, without its system calls: fills line with the
 * prefix, the text and a newline. Returns its length in bytes.
 */
size_t log_format(char line[LOG_LINE_MAX], const char *format, va_list list)
	__attribute__((format(printf, 2, 0)));

#endif
