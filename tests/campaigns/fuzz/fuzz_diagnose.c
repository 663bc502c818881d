/*
 * libFuzzer: any content of a program's file or of a file in /proc can be read,
 * and a second, plain implementation finds the same line. No program is
 * executed and no system call is made, because ten million of them would take
 * too long. The file "/f" contains libFuzzer's bytes, "/r" all except the first
 * line; a few others have no content.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fuzz.h"

enum {
	FILE_WHOLE = 3, /* their file descriptors */
	FILE_REST,
	FILE_DIRECTORY,
};

static const char *content;
static size_t content_size, content_read;

static int fake_is(const char *path, const char *name)
{
	return strcmp(path, name) == 0;
}

/* The offset after the first line; the end if there is no other line. */
static size_t rest_start(void)
{
	const char *end = memchr(content, '\n', content_size);

	return end ? (size_t)(end + 1 - content) : content_size;
}

static int fake_open(const char *path, int flags)
{
	content_read = 0;
	if ((flags & O_DIRECTORY) && !fake_is(path, "/d")) {
		errno = ENOTDIR;
		return -1;
	}
	if (fake_is(path, "/f"))
		return FILE_WHOLE;
	if (fake_is(path, "/r"))
		return FILE_REST;
	if (fake_is(path, "/d"))
		return FILE_DIRECTORY;
	errno = ENOENT;
	return -1;
}

static ssize_t fake_pread(int file, void *out, size_t size, off_t offset)
{
	const size_t start = file == FILE_REST ? rest_start() : 0;
	size_t left = content_size - start;

	if (file == FILE_DIRECTORY || offset < 0) {
		errno = file == FILE_DIRECTORY ? EISDIR : EINVAL;
		return -1;
	}
	if ((uint64_t)offset >= left)
		return 0;
	left -= (size_t)offset;
	if (size > left)
		size = left;
	memcpy(out, content + start + offset, size);
	return (ssize_t)size;
}

static ssize_t fake_read(int file, void *out, size_t size)
{
	const ssize_t length = fake_pread(file, out, size, (off_t)content_read);

	if (length > 0)
		content_read += (size_t)length;
	return length;
}

static int fake_close(int file)
{
	assert(file >= FILE_WHOLE && file <= FILE_DIRECTORY);
	return 0;
}

/* "/n" exists but is not executable; "/s" cannot be examined. */
static int fake_access(const char *path, int mode)
{
	if (fake_is(path, "/f") || fake_is(path, "/r") || fake_is(path, "/d") ||
	    (fake_is(path, "/n") && mode == F_OK))
		return 0;
	errno = fake_is(path, "/n") || fake_is(path, "/s") ? EACCES : ENOENT;
	return -1;
}

static int fake_statfs(const char *path, struct statfs *system)
{
	assert(fake_is(path, "/n"));
	system->f_flags = content_size % 2 ? ST_NOEXEC : 0;
	return 0;
}

#define open(path, flags) fake_open(path, flags)
#define read              fake_read
#define pread             fake_pread
#define close             fake_close
#define access            fake_access
#define statfs(path, out) fake_statfs(path, out)
#define number            number_of /* proc.c has variables of that name */
#include "diagnose.c"               /* NOLINT(bugprone-suspicious-include) */
#include "proc.c"                   /* NOLINT(bugprone-suspicious-include) */

/* Whether this is a script whose interpreter is longer than the kernel reads.
 */
static bool is_cut_off(void)
{
	size_t end = 2;

	if (strncmp(content, "#!", 2) != 0)
		return false;
	end += strspn(content + end, " \t");
	end += strcspn(content + end, " \t\n");
	return end >= HEAD_MAX;
}

static void read_program(const char *path)
{
	static const int errors[] = { ENOENT, ENOEXEC, EACCES };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char hint[DIAGNOSE_MAX];
		bool explained;

		memset(hint, 'x', sizeof(hint));
		explained = diagnose_file(path, errors[i], hint);
		assert(memchr(hint, '\0', sizeof(hint)));
		assert(explained == (*hint != '\0'));
		assert(!explained || !is_cut_off());
	}
	(void)diagnose_may_be_script(path);
}

/* The rest of the first line that has the key; NULL if there is none. */
static const char *expected_rest(const char *text, const char *key,
				 size_t *length)
{
	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		const char *start = text;

		*length = (size_t)(end - text);
		if (*length >= PROC_LINE_MAX)
			continue;
		if (*key == ':')
			start = memchr(text, ':', *length);
		if (start == NULL || strncmp(start, key, strlen(key)) != 0)
			continue;
		start += strlen(key);
		*length = (size_t)(end - start);
		return start;
	}
	return NULL;
}

static void read_line(const char *path, const char *key)
{
	char rest[PROC_LINE_MAX];
	const char *expected;
	size_t length;
	bool found;

	memset(rest, 'x', sizeof(rest));
	found = proc_find_line(path, key, rest);
	if (found) {
		assert(memchr(rest, '\0', sizeof(rest)));
		assert(strchr(rest, '\n') == NULL);
	}
	/* Files in /proc contain no NUL. */
	if (memchr(content, '\0', content_size))
		return;
	expected = expected_rest(content, key, &length);
	assert(found == (expected != NULL));
	assert(!found ||
	       (strlen(rest) == length && memcmp(rest, expected, length) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { "oom_kill ",
					    ":memory:", "0::", "" };
	char *text = fuzz_text(data, size);

	content = text;
	content_size = size;
	read_program("/f");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		read_line("/f", keys[i]);
	free(text);
	return 0;
}
