#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "format.h"
#include "proc.h"

enum {
	PATH_SIZE = sizeof("/proc/self/fd/2147483647"),
};

static int file;
static char path[PATH_SIZE];

static void write_file(const char *text, size_t length)
{
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(pwrite(file, text, length, 0), length);
}

static const struct {
	const char *text;
	const char *key;
	const char *rest; /* NULL: not found */
} lines[] = {
	{ "oom 2\noom_kill 1\noom_group_kill 0\n", "oom_kill ", "1" },
	{ "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill ", "3" },
	{ "oom_kill 1\noom_kill 2\n", "oom_kill ", "1" },
	{ "oom_kill \n", "oom_kill ", "" },
	{ "oom_kill\n", "oom_kill ", NULL },
	{ " oom_kill 1\n", "oom_kill ", NULL },
	{ "", "oom_kill ", NULL },
	{ "\n\n\noom_kill 1\n", "oom_kill ", "1" },
	/* A line must end with a newline. */
	{ "oom_kill 1", "oom_kill ", NULL },
	{ "oom_kill 1\noom_kill 2", "oom_kill 2", NULL },
	/* An empty key: the first line. */
	{ "sh\n", "", "sh" },
	{ "\nsh\n", "", "" },
	{ "sh", "", NULL },
	{ "", "", NULL },
	/* A colon: the key follows any number. */
	{ "5:memory:/a\n0::/b\n", ":memory:", "/a" },
	{ "15:memory:/a:memory:/b\n", ":memory:", "/a:memory:/b" },
	{ "1:name=x:memory:/b\n5:memory:/a\n", ":memory:", "/a" },
	{ "5:memory\n", ":memory:", NULL },
	{ "memory\n:memory:/a\n", ":memory:", "/a" },
	{ "5:memory:/a\n0::/b\n", "0::", "/b" },
	{ "10::/a\n0::/b\n", "0::", "/b" },
	{ "5:memory:/a\n0::/b\n", "::", "/b" },
	{ "5:memory:/a\n0::/b\n", ":", "memory:/a" },
};

static void test_line_is_found_by_its_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char rest[PROC_LINE_MAX] = "unchanged";
		const bool found = lines[i].rest;

		write_file(lines[i].text, strlen(lines[i].text));
		assert_int_equal(proc_find_line(path, lines[i].key, rest),
				 found);
		assert_string_equal(rest, found ? lines[i].rest : "unchanged");
	}
}

/* "key", and x up to length, and a newline; then another line. */
static void write_long_line(size_t length)
{
	static char text[4 * PROC_LINE_MAX + 32];

	format_text(text, sizeof(text), "key");
	memset(text + 3, 'x', length - 3);
	length += format_text(text + length, sizeof(text) - length,
			      "\nother 5\n");
	write_file(text, length);
}

static void test_only_a_line_that_fits_is_found(void **state)
{
	char rest[PROC_LINE_MAX];

	(void)state;
	for (size_t length = 3; length < 4 * (size_t)PROC_LINE_MAX; length++) {
		const bool fits = length < PROC_LINE_MAX;

		write_long_line(length);
		assert_int_equal(proc_find_line(path, "key", rest), fits);
		if (fits)
			assert_int_equal(strlen(rest), length - 3);
	}
}

static void test_long_line_does_not_hide_the_next(void **state)
{
	char rest[PROC_LINE_MAX];

	(void)state;
	for (size_t length = 3; length < 4 * (size_t)PROC_LINE_MAX; length++) {
		write_long_line(length);
		assert_true(proc_find_line(path, "other ", rest));
		assert_string_equal(rest, "5");
	}
}

static void test_rest_of_a_long_line_is_not_a_line(void **state)
{
	static char text[2 * PROC_LINE_MAX];
	char rest[PROC_LINE_MAX];

	(void)state;
	memset(text, 'x', PROC_LINE_MAX);
	format_text(text + PROC_LINE_MAX, PROC_LINE_MAX, "key 1\n");
	write_file(text, strlen(text));
	assert_false(proc_find_line(path, "key ", rest));
}

static void test_line_is_found_across_reads(void **state)
{
	static char text[4 * PROC_LINE_MAX];
	char rest[PROC_LINE_MAX];

	(void)state;
	for (size_t before = 0; before < 3 * (size_t)PROC_LINE_MAX; before++) {
		/* Short lines before the wanted one. */
		for (size_t i = 0; i < before; i++)
			text[i] = i % 7 == 6 || i == before - 1 ? '\n' : 'x';
		write_file(text, before + format_text(text + before,
						      sizeof(text) - before,
						      "oom_kill 12\n"));
		assert_true(proc_find_line(path, "oom_kill ", rest));
		assert_string_equal(rest, "12");
	}
}

static void test_nul_in_a_file_does_no_harm(void **state)
{
	static const char text[] = "a\0b\nkey 1\n\0\0\nkey 2\n";
	static const char zeros[4 * PROC_LINE_MAX];
	char rest[PROC_LINE_MAX];

	(void)state;
	for (size_t length = 0; length < sizeof(text); length++) {
		write_file(text, length);
		(void)proc_find_line(path, "key ", rest);
	}
	write_file(zeros, sizeof(zeros));
	assert_false(proc_find_line(path, "key ", rest));
}

static void test_endless_file_is_not_read_forever(void **state)
{
	char rest[PROC_LINE_MAX];

	(void)state;
	assert_false(proc_find_line("/dev/zero", "key ", rest));
}

static void test_file_that_cannot_be_read_has_no_line(void **state)
{
	char directory[] = "/tmp/test_proc.XXXXXX";
	char fifo[sizeof(directory) + sizeof("/fifo")];
	char rest[PROC_LINE_MAX];

	(void)state;
	assert_non_null(mkdtemp(directory));
	format_text(fifo, sizeof(fifo), "%s/fifo", directory);
	assert_false(proc_find_line("/does/not/exist", "", rest));
	assert_false(proc_find_line("/", "", rest));
	/* A FIFO without a writer: open(2) must not wait for one. */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_false(proc_find_line(fifo, "", rest));
	assert_int_equal(unlink(fifo), 0);
	assert_int_equal(rmdir(directory), 0);
}

/* The search is bounded: 64 reads. */
static void test_line_is_found_in_the_first_reads(void **state)
{
	static const char line[] = "key 1\n";
	static char text[64 * (size_t)PROC_LINE_MAX + sizeof(line)];
	char rest[PROC_LINE_MAX];

	(void)state;
	memset(text, '\n', sizeof(text));
	memcpy(text + 63 * (size_t)PROC_LINE_MAX, line, sizeof(line) - 1);
	write_file(text, sizeof(text));
	assert_true(proc_find_line(path, "key ", rest));
	memset(text, '\n', sizeof(text));
	memcpy(text + 64 * (size_t)PROC_LINE_MAX, line, sizeof(line) - 1);
	write_file(text, sizeof(text));
	assert_false(proc_find_line(path, "key ", rest));
}

enum {
	NUMBERS = 300, /* more than one getdents64(2) returns */
};

static void count_visit(int number, int directory, void *argument)
{
	int *visits = argument;
	struct stat status;

	assert_in_range(number, 0, NUMBERS - 1);
	assert_int_equal(fstat(directory, &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	visits[number]++;
}

static void test_each_number_of_a_directory_is_visited(void **state)
{
	static const char *const others[] = { "x", "1x", "-1", "x1" };
	char directory[] = "/tmp/test_proc.XXXXXX";
	char name[sizeof(directory) + sizeof("/2147483647")];
	int visits[NUMBERS] = { 0 };

	(void)state;
	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		format_text(name, sizeof(name), "%s/%s", directory, others[i]);
		assert_int_equal(mkdir(name, 0700), 0);
	}
	for (int i = 0; i < NUMBERS; i++) {
		format_text(name, sizeof(name), "%s/%d", directory, i);
		assert_int_equal(mkdir(name, 0700), 0);
	}
	assert_true(proc_each_number(directory, count_visit, visits));
	for (int i = 0; i < NUMBERS; i++) {
		assert_int_equal(visits[i], 1);
		format_text(name, sizeof(name), "%s/%d", directory, i);
		assert_int_equal(rmdir(name), 0);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		format_text(name, sizeof(name), "%s/%s", directory, others[i]);
		assert_int_equal(rmdir(name), 0);
	}
	assert_int_equal(rmdir(directory), 0);
}

static void test_missing_directory_has_no_numbers(void **state)
{
	(void)state;
	assert_false(proc_each_number("/does/not/exist", count_visit, NULL));
	assert_false(proc_each_number(path, count_visit, NULL));
}

/* Must run last. */
static void test_no_file_is_left_open(void **state)
{
	(void)state;
	assert_int_equal(open("/dev/null", O_RDONLY), STDIN_FILENO);
}

static int make_file(void **state)
{
	(void)state;
	file = memfd_create("lines", MFD_CLOEXEC);
	format_text(path, sizeof(path), "/proc/self/fd/%d", file);
	/* A file is a file even if its number is 0. */
	(void)close(STDIN_FILENO);
	return file < 0;
}

static void test_stat_line_with_any_program_name_is_parsed(void **state)
{
	/* The second line has all flags except PF_KTHREAD. */
	static const struct {
		const char *line;
		bool read;
		struct proc_stat stat;
	} rows[] = {
		{ "7 (sh) S 1 7 8 0 -1 4194560 9 9 9 9 9 9 9 9 20 0 1 0 1234 9",
		  true,
		  { 'S', 1, false, 1234 } },
		{ "7 (a) Z 3 4) R 5 6 7 0 -1 4292870143 9 9 9 9 9 9 9 9 20 0 1 "
		  "0 5 9\n",
		  true,
		  { 'R', 5, false, 5 } },
		{ "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 "
		  "3 0",
		  true,
		  { 'S', 0, true, 3 } },
		{ "7 (sh) S 1 7 8 0 -1 4194560 9 9 9 9 9 9 9 9 20 0 1 0",
		  false,
		  { 0 } },
		{ "7 (sh)", false, { 0 } },
		{ "7 sh S 1 7", false, { 0 } },
		{ "", false, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct proc_stat stat = { 0 };

		assert_int_equal(proc_parse_stat(rows[i].line, &stat),
				 rows[i].read);
		if (!rows[i].read)
			continue;
		assert_int_equal(stat.state, rows[i].stat.state);
		assert_int_equal(stat.parent, rows[i].stat.parent);
		assert_int_equal(stat.is_kernel_thread,
				 rows[i].stat.is_kernel_thread);
		assert_int_equal(stat.start, rows[i].stat.start);
	}
}

static void test_stat_of_the_own_process_has_its_parent(void **state)
{
	struct proc_stat stat;

	(void)state;
	assert_true(proc_is_ours());
	assert_true(proc_read_stat(getpid(), &stat));
	assert_int_equal(stat.state, 'R');
	assert_int_equal(stat.parent, getppid());
	assert_false(stat.is_kernel_thread);
	assert_true(stat.start > 0);
	assert_false(proc_read_stat(-1, &stat));
}

static void do_nothing(int signum)
{
	(void)signum;
}

/* A second implementation, since valgrind(1) also handles signals. */
static unsigned long long handled_signals(void)
{
	unsigned long long mask = 0;
	char text[256];
	FILE *status = fopen("/proc/self/status", "r");

	assert_non_null(status);
	while (fgets(text, sizeof(text), status)) {
		if (strncmp(text, "SigCgt:", 7) == 0)
			mask = strtoull(text + 7, NULL, 16);
	}
	assert_int_equal(fclose(status), 0);
	return mask;
}

static void test_caught_signals_are_parsed(void **state)
{
	const struct sigaction handled = { .sa_handler = do_nothing };
	const struct sigaction standard = { .sa_handler = SIG_DFL };

	(void)state;
	for (int set = 1; set <= SIGRTMAX; set++) {
		unsigned long long mask;

		if (sigaction(set, &handled, NULL) < 0)
			continue; /* SIGKILL, SIGSTOP, libc's signals */
		mask = handled_signals();
		assert_true(mask >> (set - 1) & 1);
		for (int signum = 1; signum <= 64; signum++)
			assert_int_equal(proc_catches(getpid(), signum),
					 mask >> (signum - 1) & 1);
		assert_int_equal(sigaction(set, &standard, NULL), 0);
	}
	assert_false(proc_catches(-1, SIGTERM));
}

static int close_file(void **state)
{
	(void)state;
	return close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_is_found_by_its_prefix),
		cmocka_unit_test(test_only_a_line_that_fits_is_found),
		cmocka_unit_test(test_long_line_does_not_hide_the_next),
		cmocka_unit_test(test_rest_of_a_long_line_is_not_a_line),
		cmocka_unit_test(test_line_is_found_across_reads),
		cmocka_unit_test(test_nul_in_a_file_does_no_harm),
		cmocka_unit_test(test_endless_file_is_not_read_forever),
		cmocka_unit_test(test_file_that_cannot_be_read_has_no_line),
		cmocka_unit_test(test_line_is_found_in_the_first_reads),
		cmocka_unit_test(test_each_number_of_a_directory_is_visited),
		cmocka_unit_test(test_missing_directory_has_no_numbers),
		cmocka_unit_test(
			test_stat_line_with_any_program_name_is_parsed),
		cmocka_unit_test(test_stat_of_the_own_process_has_its_parent),
		cmocka_unit_test(test_caught_signals_are_parsed),
		cmocka_unit_test(test_no_file_is_left_open),
	};

	return cmocka_run_group_tests_name("proc", tests, make_file,
					   close_file);
}
