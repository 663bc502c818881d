#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "log.h"
#include "signals.h"

static const char prefix[] = "[dumb-init] ";
static enum log_level highest = LOG_WARNING;

void log_set_level(enum log_level level)
{
	highest = level;
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

void log_say(enum log_level level, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	siginfo_t own;
	va_list list;
	size_t length;

	if (!log_says(level))
		return;
	va_start(list, format);
	length = log_format(line, format, list);
	va_end(list);
	if (level != LOG_ERROR && would_block())
		return;
	if (write(STDERR_FILENO, line, length) >= 0)
		return;
	/*
	 * There is nobody left to tell. But these two errors came with a
	 * signal (write(2)); it waits for this thread, ahead of any that
	 * was sent to the process, and is not one to pass on.
	 */
	if (errno == EPIPE)
		(void)signals_take(SIGNALS_BIT(SIGPIPE), &own);
	else if (errno == EFBIG)
		(void)signals_take(SIGNALS_BIT(SIGXFSZ), &own);
}
