#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format.h"
#include "numbers.h"
#include "proc.h"

enum {
	READS_MAX = 64,
};

static bool take_rest(const char *line, const char *key,
		      char rest[PROC_LINE_MAX])
{
	/* In /proc/self/cgroup a number is before the first colon. */
	const char *found = *key == ':' ? strchr(line, ':') : line;
	const size_t length = strlen(key);

	if (found == NULL || strncmp(found, key, length) != 0)
		return false;
	found += length;
	format_text(rest, PROC_LINE_MAX, "%s", found);
	return true;
}

bool proc_each_number(const char *path,
		      void (*visit)(int number, int directory, void *argument),
		      void *argument)
{
	_Alignas(struct dirent) char entries[1024];
	int directory = open(path, O_RDONLY);
	long length;

	if (directory < 0)
		return false;
	while ((length = syscall(SYS_getdents64, directory, entries,
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
	/* Not on the stack: a page of that, once touched, stays resident. */
	static char lines[PROC_LINE_MAX + 1];
	int file = open(path, O_RDONLY | O_NONBLOCK);
	size_t kept = 0;
	bool found = false;
	bool too_long = false; /* the line that is being read */

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
