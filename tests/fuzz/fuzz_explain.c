/*
 * libFuzzer: whatever is in the file of a program or in one of /proc, we read
 * it without harm. Nothing is executed.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "explain.h"
#include "format.h"
#include "proc.h"

enum {
	PATH_SIZE = sizeof("/proc/self/fd/2147483647"),
};

/* The one file that all runs write anew. Returns its path. */
static const char *write_file(const uint8_t *data, size_t size)
{
	static char path[PATH_SIZE];
	static int file = -1;

	if (file < 0) {
		file = memfd_create("fuzz", MFD_CLOEXEC);
		assert(file >= 0 && fchmod(file, 0755) == 0);
		format_text(path, sizeof(path), "/proc/self/fd/%d", file);
		/* Or all that we would ever see is a refusal. */
		assert(access(path, X_OK) == 0);
	}
	assert(ftruncate(file, 0) == 0);
	assert(pwrite(file, data, size, 0) == (ssize_t)size);
	return path;
}

static void read_program(const char *path)
{
	static const int errors[] = { ENOENT, ENOEXEC, EACCES };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char hint[EXPLAIN_MAX];
		bool explained;

		memset(hint, 'x', sizeof(hint));
		explained = explain_program(path, errors[i], hint);
		assert(memchr(hint, '\0', sizeof(hint)));
		assert(explained == (*hint != '\0'));
	}
	(void)explain_may_be_script(path);
}

static void read_lines(const char *path)
{
	static const char *const keys[] = { "oom_kill ",
					    ":memory:", "0::", "" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char rest[PROC_LINE_MAX];

		memset(rest, 'x', sizeof(rest));
		if (proc_find_line(path, keys[i], rest)) {
			assert(memchr(rest, '\0', sizeof(rest)));
			assert(strchr(rest, '\n') == NULL);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = write_file(data, size);

	read_program(path);
	read_lines(path);
	return 0;
}
