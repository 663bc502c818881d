#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "errors.h"
#include "format.h"
#include "log.h"
#include "signals.h"

static const char prefix[] = "[dumb-init] ";
static enum log_level highest = LOG_WARNING;
static const char *file_path = "";

void log_set_level(enum log_level level)
{
	highest = level;
}

void log_set_file(const char *path)
{
	file_path = path;
}

bool log_says(enum log_level level)
{
	return level <= highest;
}

size_t log_format(char line[LOG_LINE_MAX], const char *format, va_list list)
{
	static const char cut[] = "...\n";
	const size_t start = sizeof(prefix) - 1;
	size_t length;

	memcpy(line, prefix, start);
	length = start +
		 format_list(line + start, LOG_LINE_MAX - start, format, list);
	for (size_t i = start; i < length; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	if (length == LOG_LINE_MAX - 1) {
		memcpy(line + LOG_LINE_MAX - sizeof(cut), cut, sizeof(cut));
		return length;
	}
	line[length++] = '\n';
	line[length] = '\0';
	return length;
}

/*
 * A reader that stopped reading must not stop PID 1: write(2) would sleep in a
 * full pipe or on a terminal held by ^S.
 */
static bool would_block(void)
{
	struct pollfd err = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&err, 1, 0) == 0;
}

/* Returns whether all of the line was written; errno says why not. */
static bool put(int file, const char *line, size_t length)
{
	const ssize_t written = write(file, line, length);
	const int error = written < 0 ? errno : ENOSPC;
	siginfo_t own;

	if (written == (ssize_t)length)
		return true;
	/*
	 * These two errors came with a signal (write(2)); it waits for this
	 * thread, ahead of any that was sent to the process, and is not one to
	 * pass on.
	 */
	if (error == EPIPE)
		(void)signals_take(SIGNALS_BIT(SIGPIPE), &own);
	else if (error == EFBIG)
		(void)signals_take(SIGNALS_BIT(SIGXFSZ), &own);
	errno = error;
	return false;
}

/* Adds: COMMAND may have left a message there itself. */
static void add_to_file(const char *path, const char *line, size_t length)
{
	/* O_NONBLOCK: not to wait for who reads, should it be a FIFO. */
	const int file = open(
		path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY,
		0644);

	if (file < 0 || !put(file, line, length))
		log_warning("cannot write to %s: %s", path, errors_text(errno));
	if (file >= 0)
		(void)close(file);
}

/* The line that is being said. */
static char line[LOG_LINE_MAX];

/* Words the line and, if the level is said, writes it. Returns its length. */
__attribute__((format(printf, 2, 0))) static size_t
say(enum log_level level, const char *format, va_list list)
{
	const size_t length = log_format(line, format, list);

	/* If it fails, there is nobody left to tell. */
	if (log_says(level) && (level == LOG_ERROR || !would_block()))
		(void)put(STDERR_FILENO, line, length);
	return length;
}

void log_say(enum log_level level, const char *format, ...)
{
	va_list list;

	if (!log_says(level))
		return;
	va_start(list, format);
	(void)say(level, format, list);
	va_end(list);
}

void log_why(enum log_level level, const char *format, ...)
{
	va_list list;
	size_t length;

	va_start(list, format);
	length = say(level, format, list);
	va_end(list);
	if (*file_path)
		add_to_file(file_path, line, length);
}
