/*
 * Messages on stderr: one line in one write(2), after "[dumb-init] ".
 *
 * A line without room on stderr is dropped, after at most 40 ms, or a second
 * for LOG_ERROR. If several lines in a row have no room, only the first one
 * waits. The caller must have blocked all signals: a failing write(2) raises
 * one, which is discarded.
 */
#ifndef LOG_H
#define LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_ERROR,   /* fatal; always printed */
	LOG_WARNING, /* printed unless --quiet */
	LOG_VERBOSE, /* printed with --verbose */
};

enum {
	LOG_LINE_MAX = 1024, /* bytes, with the newline and a NUL */
};

/* Sets the highest level that is printed. Initially LOG_WARNING. */
void log_set_level(enum log_level level);

/* Whether lines of this level are printed. */
bool log_prints(enum log_level level);

/*
 * Prints a line; format: as in format_text. A line that is too long for
 * LOG_LINE_MAX is cut and ends in "..."; control characters and invalid UTF-8
 * become question marks.
 */
void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_verbose(...) log_line(LOG_VERBOSE, __VA_ARGS__)

/* Sets the path of the file that log_reason writes to as well; "": none. */
void log_set_reason_file(const char *path);

/*
 * Prints the reason for a failure, as log_line does, and appends it to the file
 * of log_set_reason_file, whatever the level. A failure to append is a warning.
 */
void log_reason(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The pure part of log_line: fills line with the prefix, the text and a
 * newline. Returns its length in bytes.
 */
size_t log_format(char line[LOG_LINE_MAX], const char *format, va_list list)
	__attribute__((format(printf, 2, 0)));

#endif
