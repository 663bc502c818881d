#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "format.h"
#include "log.h"

static size_t format(char line[LOG_LINE_MAX], const char *text, ...)
	__attribute__((format(printf, 2, 3)));

static size_t format(char line[LOG_LINE_MAX], const char *text, ...)
{
	va_list list;
	size_t length;

	va_start(list, text);
	length = log_format(line, text, list);
	va_end(list);
	return length;
}

static void test_line_has_prefix_and_newline(void **state)
{
	char line[LOG_LINE_MAX];

	(void)state;
	assert_int_equal(format(line, "%s: %d", "x", 7),
			 strlen("[dumb-init] x: 7\n"));
	assert_string_equal(line, "[dumb-init] x: 7\n");
}

static void test_control_characters_become_question_marks(void **state)
{
	char line[LOG_LINE_MAX];

	(void)state;
	format(line, "%s", "a\nb\tc\x1b[1m\x7f\r");
	assert_string_equal(line, "[dumb-init] a?b?c?[1m??\n");
	format(line, "%s", "\xc3\xa4");
	assert_string_equal(line, "[dumb-init] \xc3\xa4\n");
}

static void test_only_valid_utf8_is_printed(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
		{ "\xc2\xa0", "\xc2\xa0" }, /* the first after C1 */
		{ "\xc2\x9b", "??" },       /* C1, as are the next two */
		{ "\xc2\x80", "??" },
		{ "\x9b[m", "?[m" },
		{ "\xdf\xbf", "\xdf\xbf" },
		{ "\xe0\xa0\x80", "\xe0\xa0\x80" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xef\xbf\xbf", "\xef\xbf\xbf" },
		{ "\xf0\x90\x80\x80", "\xf0\x90\x80\x80" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "\xf4\x90\x80\x80", "????" }, /* beyond U+10FFFF */
		{ "\xf8\x88\x80\x80\x80", "?????" },
		{ "\xff\xfe", "??" },
		{ "\xc0\x80", "??" }, /* too long, as the next */
		{ "\xc1\xbf", "??" },
		{ "\xe0\x9f\xbf", "???" },
		{ "\xf0\x8f\xbf\xbf", "????" },
		{ "\xed\xa0\x80", "???" }, /* a surrogate */
		{ "\xed\x9f\xbf", "\xed\x9f\xbf" },
		{ "\xee\x80\x80", "\xee\x80\x80" },
		{ "a\xc3", "a?" }, /* cut off, as the rest */
		{ "\xe2\x82", "??" },
		{ "\xe2\x82z", "??z" },
		{ "\xf0\x90\x80", "???" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[LOG_LINE_MAX], expected[64];

		format(line, "%s", rows[i].text);
		format_text(expected, sizeof(expected), "[dumb-init] %s\n",
			    rows[i].printed);
		assert_string_equal(line, expected);
	}
}

/* A cut at any byte leaves no part of a character. */
static void test_long_line_is_cut_between_characters(void **state)
{
	char line[LOG_LINE_MAX];
	char text[2 * LOG_LINE_MAX];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4);
		format(line, "%s", text);
		for (char *c = line; *c != '\0'; c++) {
			const unsigned char byte = (unsigned char)*c;

			if (byte == 0xe2)
				assert_memory_equal(c, "\xe2\x82\xac", 3);
			assert_true(byte < 0x80 || byte == 0xe2 ||
				    (unsigned char)c[-1] >= 0x80);
		}
	}
}

static void test_long_line_is_cut_and_says_so(void **state)
{
	char line[LOG_LINE_MAX];
	char text[2 * LOG_LINE_MAX];

	(void)state;
	for (size_t size = LOG_LINE_MAX - 40; size < sizeof(text); size++) {
		size_t length;
		bool cut;

		memset(text, 'x', size - 1);
		text[size - 1] = '\0';
		length = format(line, "%s", text);
		assert_int_equal(length, strlen(line));
		assert_true(length < LOG_LINE_MAX);
		assert_int_equal(line[length - 1], '\n');
		cut = strcmp(line + length - 4, "...\n") == 0;
		/* A text that just fits is not cut. */
		assert_int_equal(cut, size - 1 + 13 > LOG_LINE_MAX - 1);
	}
}

/* The text on stderr for a message of one level at a log level. */
static ssize_t say(enum log_level level, enum log_level highest, char *out,
		   size_t size)
{
	int ends[2];
	int err = dup(STDERR_FILENO);
	ssize_t length;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_set_level(highest);
	log_line(level, "%s", "x");
	log_set_level(LOG_WARNING);
	dup2(err, STDERR_FILENO);
	close(err);
	close(ends[1]);
	length = read(ends[0], out, size);
	close(ends[0]);
	return length;
}

static void test_level_decides_which_lines_are_printed(void **state)
{
	char out[64];

	(void)state;
	for (int level = LOG_ERROR; level <= LOG_VERBOSE; level++) {
		for (int highest = LOG_ERROR; highest <= LOG_VERBOSE;
		     highest++) {
			ssize_t length =
				say((enum log_level)level,
				    (enum log_level)highest, out, sizeof(out));

			assert_int_equal(length, level <= highest ? 14 : 0);
		}
	}
}

static void test_macros_print_at_their_levels(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	assert_true(log_prints(LOG_ERROR));
	assert_false(log_prints(LOG_WARNING));
	log_set_level(LOG_WARNING);
	assert_true(log_prints(LOG_WARNING));
	assert_false(log_prints(LOG_VERBOSE));
}

/* Calls what(text) while stderr is a pipe that has no room. */
static void with_full_stderr(void (*what)(const char *text), const char *text)
{
	const int err = dup(STDERR_FILENO);
	char filling[4096] = { 0 };
	int ends[2];

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	while (write(ends[1], filling, sizeof(filling)) > 0)
		;
	dup2(ends[1], STDERR_FILENO);
	what(text);
	dup2(err, STDERR_FILENO);
	close(err);
	close(ends[0]);
	close(ends[1]);
}

static void warn_often(const char *text)
{
	for (int i = 0; i < 100; i++)
		log_warning("%s", text);
}

/* Any wait, even for a millisecond, is a voluntary context switch. */
static void test_full_stderr_is_not_waited_for(void **state)
{
	struct rusage before, after;

	(void)state;
	assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
	with_full_stderr(warn_often, "x");
	assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
	assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, 50);
}

/* With any file descriptor, even 0, after stdin was closed. */
static void test_cause_is_written_to_the_termination_log(void **state)
{
	static const char line[] = "[dumb-init] x\n";
	char directory[] = "/tmp/test_log.XXXXXX";
	char path[sizeof(directory) + sizeof("/file")];
	const mode_t mask = umask(0);
	char out[64];
	struct stat status;

	(void)state;
	assert_non_null(mkdtemp(directory));
	format_text(path, sizeof(path), "%s/file", directory);
	close(STDIN_FILENO);
	log_set_reason_file(path);
	log_set_level(LOG_ERROR);
	log_reason(LOG_WARNING, "%s", "x");
	log_set_level(LOG_WARNING);
	log_set_reason_file("");
	umask(mask);
	/* The descriptor was closed again, without a message. */
	assert_int_equal(open(path, O_RDONLY), STDIN_FILENO);
	assert_int_equal(read(STDIN_FILENO, out, sizeof(out)),
			 sizeof(line) - 1);
	assert_memory_equal(out, line, sizeof(line) - 1);
	assert_int_equal(fstat(STDIN_FILENO, &status), 0);
	assert_int_equal(status.st_mode & ALLPERMS, 0644);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_has_prefix_and_newline),
		cmocka_unit_test(test_control_characters_become_question_marks),
		cmocka_unit_test(test_only_valid_utf8_is_printed),
		cmocka_unit_test(test_long_line_is_cut_and_says_so),
		cmocka_unit_test(test_long_line_is_cut_between_characters),
		cmocka_unit_test(test_level_decides_which_lines_are_printed),
		cmocka_unit_test(test_macros_print_at_their_levels),
		cmocka_unit_test(test_full_stderr_is_not_waited_for),
		cmocka_unit_test(test_cause_is_written_to_the_termination_log),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
