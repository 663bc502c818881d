#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errors.h"
#include "format.h"
#include "log.h"
#include "signals.h"

enum {
	ERROR_PATIENCE_MS = 1000, /* what an error waits for room on stderr */
};

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

/*
 * Bytes of the character at text, in UTF-8; 0 if it is malformed or a control
 * character (C0, DEL, or C1: terminals may take the last in UTF-8 and as
 * bytes).
 */
static size_t printable(const unsigned char *text)
{
	static const uint32_t smallest[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	const size_t length = *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;
	uint32_t value = *text & (0x7fU >> length);

	if (*text < 0x80)
		return *text >= ' ' && *text != 0x7f;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if (*text < 0xc0 || *text > 0xf4 || value < smallest[length] ||
	    value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	return length;
}

static void make_printable(char *text)
{
	while (*text != '\0') {
		const size_t length = printable((const unsigned char *)text);

		if (length == 0)
			*text = '?';
		text += length == 0 ? 1 : length;
	}
}

size_t log_format(char line[LOG_LINE_MAX], const char *format, va_list list)
{
	static const char cut[] = "...";
	const size_t start = sizeof(prefix) - 1;
	size_t length;

	memcpy(line, prefix, start);
	length = start +
		 format_list(line + start, LOG_LINE_MAX - start, format, list);
	if (length == LOG_LINE_MAX - 1) {
		length--; /* for the newline */
		memcpy(line + length - (sizeof(cut) - 1), cut, sizeof(cut));
	}
	make_printable(line + start);
	line[length++] = '\n';
	line[length] = '\0';
	return length;
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
	 * thread, ahead of any that was sent to the process, and must not be
	 * forwarded.
	 */
	if (error == EPIPE)
		(void)signals_take(SIGNALS_BIT(SIGPIPE), &own, 0);
	else if (error == EFBIG)
		(void)signals_take(SIGNALS_BIT(SIGXFSZ), &own, 0);
	errno = error;
	return false;
}

/*
 * Writes to a description of our own of the pipe, FIFO or terminal on stderr:
 * O_NONBLOCK on the one that we inherited would be seen by all who share it.
 * Returns false if there is none: it belongs to another user, or has no reader,
 * or is a socket, or /proc is missing.
 */
static bool put_without_blocking(const char *line, size_t length)
{
	const int file = open("/proc/self/fd/2",
			      O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (file < 0)
		return false;
	(void)put(file, line, length);
	(void)close(file);
	return true;
}

/*
 * Where all else fails. poll(2) does not promise that a write returns: for a
 * terminal it means room for a byte, and a pipe may be full again by then. So
 * a timer interrupts the write.
 */
static void put_interrupted(const char *line, size_t length)
{
	struct pollfd err = { .fd = STDERR_FILENO, .events = POLLOUT };
	struct signals_alarm alarm;

	if (poll(&err, 1, 0) <= 0 || !signals_start_alarm(&alarm))
		return;
	(void)put(STDERR_FILENO, line, length);
	signals_stop_alarm(&alarm);
}

/*
 * A reader that stopped reading must not stop PID 1: in a full pipe, or on a
 * terminal held by ^S, write(2) sleeps. A line that finds no room is dropped.
 */
static void put_on_stderr(const char *line, size_t length)
{
	/* Raw: libc's fcntl is 400 bytes. */
	const long flags = syscall(SYS_fcntl, STDERR_FILENO, F_GETFL);

	/* Closed; or open for reading only, which an open would change. */
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return;
	/* A file with a position does not block, nor does /dev/null. */
	if ((flags & O_NONBLOCK) || lseek(STDERR_FILENO, 0, SEEK_CUR) >= 0)
		(void)put(STDERR_FILENO, line, length);
	else if (!put_without_blocking(line, length) &&
		 send(STDERR_FILENO, line, length,
		      MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		 errno == ENOTSOCK)
		put_interrupted(line, length);
}

/* Adds: COMMAND may have left a message there itself. */
static void add_to_file(const char *path, const char *line, size_t length)
{
	/*
	 * O_NOFOLLOW: COMMAND may have put a symbolic link there. O_NONBLOCK: a
	 * FIFO may have no reader.
	 */
	const int file = open(path,
			      O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW |
				      O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
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
	struct pollfd err = { .fd = STDERR_FILENO, .events = POLLOUT };
	const size_t length = log_format(line, format, list);

	if (!log_says(level))
		return length;
	if (level == LOG_ERROR)
		(void)poll(&err, 1, ERROR_PATIENCE_MS);
	put_on_stderr(line, length);
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
