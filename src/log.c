#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "delivery.h"
#include "errors.h"
#include "format.h"
#include "log.h"

enum {
	ERROR_PATIENCE_MS = 1000, /* an error waits so long for room */
};

static const char prefix[] = "[dumb-init] ";
static enum log_level highest = LOG_WARNING;
static const char *reason_path = "";
/* The last line on stderr has its end: there was room for all of it. */
static bool complete = true;

void log_set_level(enum log_level level)
{
	highest = level;
}

void log_set_reason_file(const char *path)
{
	reason_path = path;
}

bool log_prints(enum log_level level)
{
	return level <= highest;
}

/*
 * The length in bytes of the UTF-8 character at text; 0 if it is malformed or a
 * control character: C0, DEL, or C1, which terminals may also accept as single
 * bytes.
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

/*
 * Returns false, with errno set, unless the whole line was written. If some of
 * it was written, sets whole.
 */
static bool write_line(int file, const char *line, size_t length, bool *whole)
{
	const ssize_t written = write(file, line, length);
	const int error = written < 0 ? errno : ENOSPC;
	siginfo_t own;

	if (written > 0)
		*whole = written == (ssize_t)length;
	if (written == (ssize_t)length)
		return true;
	/*
	 * These two errors come with a signal for this thread (write(2)), which
	 * must not be forwarded. It is taken before any signal of that number
	 * that was sent to the process.
	 */
	if (error == EPIPE)
		(void)delivery_take(SIGNALS_BIT(SIGPIPE), &own, 0);
	else if (error == EFBIG)
		(void)delivery_take(SIGNALS_BIT(SIGXFSZ), &own, 0);
	errno = error;
	return false;
}

/*
 * Opens the pipe, FIFO or terminal on stderr again, without blocking. To set
 * O_NONBLOCK on the open file description that we inherited would change it for
 * all processes that share it. Fails if stderr cannot be opened: it belongs to
 * another user, has no reader, or is a socket; or /proc is missing.
 */
static int reopen_stderr(void)
{
	return open("/proc/self/fd/2",
		    O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/*
 * Writes the line unless that could sleep. Returns false if it is not written
 * because there is no room (EAGAIN) or no way to write that does not sleep.
 */
static bool write_at_once(const char *line, size_t length)
{
	const int flags = kernel_file_flags(STDERR_FILENO);
	int file = STDERR_FILENO;
	bool done;

	/* Closed, or open for reading only. */
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return true;
	/* A write to a seekable file does not block. /dev/null is seekable. */
	if (!(flags & O_NONBLOCK) && lseek(STDERR_FILENO, 0, SEEK_CUR) < 0)
		file = reopen_stderr();
	if (file < 0) {
		const ssize_t sent = send(STDERR_FILENO, line, length,
					  MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0)
			complete = sent == (ssize_t)length;
		return sent >= 0 || (errno != EAGAIN && errno != ENOTSOCK);
	}
	done = write_line(file, line, length, &complete) || errno != EAGAIN;
	if (file != STDERR_FILENO)
		(void)close(file);
	return done;
}

/* A timer interrupts the write, since POLLOUT does not promise that it returns.
 */
static bool write_in_time(const char *line, size_t length)
{
	int alarm;
	bool written;

	if (!delivery_start_alarm(&alarm))
		return false;
	written = write_line(STDERR_FILENO, line, length, &complete);
	delivery_stop_alarm(alarm);
	return written;
}

/*
 * write(2) sleeps while a pipe is full or a terminal is held by ^S: a reader
 * that has stopped reading would stop PID 1. So a line without room is dropped,
 * but not at once: a terminal also refuses a line while another process writes
 * to it. After a line that got no room the next ones do not wait. After one
 * that was cut, the next begins at a new line.
 */
static void print(enum log_level level, const char *line, size_t length)
{
	static bool patient = true;
	struct pollfd err = { .fd = STDERR_FILENO, .events = POLLOUT };
	const int wait_ms =
		level == LOG_ERROR && patient ? ERROR_PATIENCE_MS : 0;

	if (!complete)
		(void)write_at_once("\n", 1);
	patient = write_at_once(line, length) ||
		  ((poll(&err, 1, wait_ms) > 0 || patient) &&
		   write_in_time(line, length));
}

/* Appends: COMMAND may have left its own message there. */
static void append_to_file(const char *path, const char *line, size_t length)
{
	/*
	 * O_NOFOLLOW: COMMAND may have created a symbolic link there.
	 * O_NONBLOCK: to open a FIFO would wait for a reader.
	 */
	const int file = open(path,
			      O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW |
				      O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
			      0644);
	bool whole;

	if (file < 0 || !write_line(file, line, length, &whole))
		log_warning("cannot write to '%s' (--termination-log): %s",
			    path, errors_text(errno));
	if (file >= 0)
		(void)close(file);
}

/* The line that is being printed. */
static char line[LOG_LINE_MAX];

/* Formats the line and, if the level is printed, prints it. Returns its length.
 */
__attribute__((format(printf, 2, 0))) static size_t
print_list(enum log_level level, const char *format, va_list list)
{
	const size_t length = log_format(line, format, list);

	if (log_prints(level))
		print(level, line, length);
	return length;
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list list;

	if (!log_prints(level))
		return;
	va_start(list, format);
	(void)print_list(level, format, list);
	va_end(list);
}

void log_reason(enum log_level level, const char *format, ...)
{
	va_list list;
	size_t length;

	va_start(list, format);
	length = print_list(level, format, list);
	va_end(list);
	if (*reason_path)
		append_to_file(reason_path, line, length);
}
