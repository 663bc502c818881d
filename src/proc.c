#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "kernel.h"
#include "numbers.h"
#include "proc.h"

enum {
	READS_MAX = 64,
	PATH_LENGTH = sizeof("/proc/-2147483648/status"),
	KERNEL_THREAD = 0x00200000, /* PF_KTHREAD, linux/sched.h */
	DIGIT_BITS = 4,             /* of a hexadecimal digit */
};

/* Indices of fields in /proc/PID/stat, counted after the name. */
enum {
	FIELD_STATE,
	FIELD_PARENT,
	FIELD_FLAGS = 6,
	FIELD_START = 19,
	FIELDS,
};

static bool take_rest(const char *line, const char *key,
		      char rest[PROC_LINE_MAX])
{
	/* A line of /proc/self/cgroup begins with a number and a colon. */
	const char *found = *key == ':' ? strchr(line, ':') : line;
	const size_t length = strlen(key);

	if (found == NULL || strncmp(found, key, length) != 0)
		return false;
	found += length;
	format_text(rest, PROC_LINE_MAX, "%s", found);
	return true;
}

/* As in getdents64(2). glibc on 32 bits needs _FILE_OFFSET_BITS=64 for it. */
_Static_assert(offsetof(struct dirent, d_reclen) == 16, "struct dirent");

bool proc_each_number(const char *path,
		      void (*visit)(int number, int directory, void *argument),
		      void *argument)
{
	_Alignas(struct dirent) char entries[1024];
	int directory = open(path, O_RDONLY);
	long length;

	if (directory < 0)
		return false;
	while ((length = kernel_read_directory(directory, entries,
					       sizeof(entries))) > 0) {
		for (long at = 0; at < length;) {
			struct dirent *entry = (void *)(entries + at);
			int number = numbers_parse(entry->d_name, INT_MAX);

			if (number != NUMBERS_NONE)
				visit(number, directory, argument);
			at += entry->d_reclen;
		}
	}
	(void)close(directory);
	return length == 0;
}

bool proc_find_line(const char *path, const char *key, char rest[PROC_LINE_MAX])
{
	/* Static: a page of stack, once touched, would stay resident. */
	static char lines[PROC_LINE_MAX + 1];
	int file = open(path, O_RDONLY | O_NONBLOCK);
	size_t kept = 0;
	bool found = false;
	bool too_long = false; /* we are inside a line that does not fit */

	for (int i = 0; i < READS_MAX && file >= 0 && !found; i++) {
		ssize_t length = read(file, lines + kept, PROC_LINE_MAX - kept);
		char *line = lines;
		char *end;

		if (length <= 0)
			break;
		lines[kept + (size_t)length] = '\0';
		while (!found && (end = strchr(line, '\n'))) {
			*end = '\0';
			found = !too_long && take_rest(line, key, rest);
			too_long = false;
			line = end + 1;
		}
		kept = strlen(line);
		memmove(lines, line, kept);
		if (kept == PROC_LINE_MAX) {
			too_long = true;
			kept = 0;
		}
	}
	if (file >= 0)
		(void)close(file);
	return found;
}

bool proc_is_ours(void)
{
	char target[sizeof("-2147483648")];
	ssize_t length = readlink("/proc/self", target, sizeof(target) - 1);

	target[length < 0 ? 0 : length] = '\0';
	return numbers_parse(target, INT_MAX) == getpid();
}

bool proc_parse_stat(const char *line, struct proc_stat *stat)
{
	/* The name, in parentheses, may contain any character. */
	const char *field = strrchr(line, ')');
	int64_t numbers[FIELDS] = { 0 };

	if (field == NULL)
		return false;
	for (int i = 0; i < FIELDS; i++) {
		field = strchr(field, ' ');
		if (field == NULL)
			return false;
		field++;
		if (i == FIELD_STATE)
			stat->state = *field;
		else /* may be negative in fields that we do not use */
			numbers[i] = numbers_digits(field, INT64_MAX / 16,
						    &(const char *){ NULL });
	}
	stat->parent = (pid_t)numbers[FIELD_PARENT];
	stat->is_kernel_thread = (numbers[FIELD_FLAGS] & KERNEL_THREAD) != 0;
	stat->start = numbers[FIELD_START];
	return true;
}

bool proc_read_stat(pid_t pid, struct proc_stat *stat)
{
	char path[PATH_LENGTH];
	/* At most 400 bytes, with a kernel thread's name of 63. */
	char line[PROC_LINE_MAX];
	ssize_t length;
	int file;

	format_text(path, sizeof(path), "/proc/%d/stat", pid);
	file = open(path, O_RDONLY);
	if (file < 0)
		return false;
	length = read(file, line, sizeof(line) - 1);
	(void)close(file);
	line[length < 0 ? 0 : length] = '\0';
	return proc_parse_stat(line, stat);
}

static int digit_value(char digit)
{
	return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

bool proc_catches(pid_t pid, int signum)
{
	char path[PATH_LENGTH];
	char mask[PROC_LINE_MAX]; /* the last digit is for signals 1 to 4 */
	const int digit = (signum - 1) / DIGIT_BITS;
	int length;

	format_text(path, sizeof(path), "/proc/%d/status", pid);
	if (!proc_find_line(path, "SigCgt:\t", mask))
		return false;
	length = (int)strlen(mask);
	return digit < length && (digit_value(mask[length - 1 - digit]) >>
					  ((signum - 1) % DIGIT_BITS) &
				  1) != 0;
}
