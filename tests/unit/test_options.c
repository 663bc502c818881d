#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "options.h"

enum {
	WORDS_MAX = 8,
};

/* Parses dumb-init and words, up to a NULL; says nothing. */
static int parse(struct options *options, const char *const words[WORDS_MAX])
{
	static char *argv[WORDS_MAX + 2] = { (char *)"dumb-init" };
	int argc = 1;
	int err = dup(STDERR_FILENO);
	int status;

	while (words[argc - 1]) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	argv[argc] = NULL;
	close(STDERR_FILENO);
	status = options_parse(options, argc, argv);
	dup2(err, STDERR_FILENO);
	close(err);
	return status;
}

static void test_options(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		enum mode mode;
		enum log_level level;
		int term_to;
	} rows[] = {
		{ { "x" }, MODE_SESSION, LOG_WARNING, 0 },
		{ { "--", "x" }, MODE_SESSION, LOG_WARNING, 0 },
		{ { "-c", "x" }, MODE_SINGLE_CHILD, LOG_WARNING, 0 },
		{ { "--single-child", "x" },
		  MODE_SINGLE_CHILD,
		  LOG_WARNING,
		  0 },
		{ { "--si", "x" }, MODE_SINGLE_CHILD, LOG_WARNING, 0 },
		{ { "-v", "x" }, MODE_SESSION, LOG_VERBOSE, 0 },
		{ { "-vvv", "x" }, MODE_SESSION, LOG_VERBOSE, 0 },
		{ { "--verbose", "x" }, MODE_SESSION, LOG_VERBOSE, 0 },
		{ { "-q", "x" }, MODE_SESSION, LOG_ERROR, 0 },
		{ { "-vq", "x" }, MODE_SESSION, LOG_ERROR, 0 },
		{ { "-qv", "x" }, MODE_SESSION, LOG_VERBOSE, 0 },
		{ { "-cq", "--", "x" }, MODE_SINGLE_CHILD, LOG_ERROR, 0 },
		{ { "-r", "TERM:2", "x" }, MODE_SESSION, LOG_WARNING, 2 },
		{ { "-rTERM:2", "x" }, MODE_SESSION, LOG_WARNING, 2 },
		{ { "-cr15:2", "x" }, MODE_SINGLE_CHILD, LOG_WARNING, 2 },
		{ { "--rewrite", "15:2", "x" }, MODE_SESSION, LOG_WARNING, 2 },
		{ { "--rewrite=15:2", "x" }, MODE_SESSION, LOG_WARNING, 2 },
		{ { "-r", "15:3", "-r", "15:2", "x" },
		  MODE_SESSION,
		  LOG_WARNING,
		  2 },
		{ { "-r", "15:0", "x" },
		  MODE_SESSION,
		  LOG_WARNING,
		  REWRITE_DROP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options options;

		assert_int_equal(parse(&options, rows[i].words), OPTIONS_RUN);
		assert_int_equal(options.mode, rows[i].mode);
		assert_int_equal(options.level, rows[i].level);
		assert_int_equal(options.rewrites.to[SIGTERM], rows[i].term_to);
		assert_string_equal(options.command[0], "x");
		assert_null(options.command[1]);
	}
}

static void test_words_from_command_on_are_commands(void **state)
{
	const char *const words[WORDS_MAX] = { "-v", "x", "-c", "--",
					       "--help" };
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, words), OPTIONS_RUN);
	assert_int_equal(options.mode, MODE_SESSION);
	for (size_t i = 1; i < 6; i++)
		assert_ptr_equal(options.command[i - 1], words[i]);
}

static void test_dash_alone_is_a_command(void **state)
{
	const char *const words[WORDS_MAX] = { "-" };
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, words), OPTIONS_RUN);
	assert_string_equal(options.command[0], "-");
}

static void test_word_before_command_is_there_to_be_used_up(void **state)
{
	const char *const words[WORDS_MAX] = { "x" };
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, words), OPTIONS_RUN);
	assert_string_equal(options.command[-1], "dumb-init");
}

static void test_errors(void **state)
{
	static const char *const rows[][WORDS_MAX] = {
		{ NULL },
		{ "--" },
		{ "-c" },
		{ "-x", "x" },
		{ "-cx", "x" },
		{ "--nonsense", "x" },
		{ "--verbosely", "x" },
		{ "--ver", "x" },
		{ "--=", "x" },
		{ "--quiet=", "x" },
		{ "-r" },
		{ "-cr" },
		{ "--rewrite" },
		{ "-r", "x", "x" },
		{ "--rewrite=", "x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options options;

		assert_int_equal(parse(&options, rows[i]), EXIT_FAILURE);
	}
}

static void test_no_word_at_all_is_an_error(void **state)
{
	char *argv[] = { NULL };
	struct options options;
	int err = dup(STDERR_FILENO);

	(void)state;
	close(STDERR_FILENO);
	assert_int_equal(options_parse(&options, 0, argv), EXIT_FAILURE);
	dup2(err, STDERR_FILENO);
	close(err);
}

static void test_environment(void **state)
{
	const char *const words[WORDS_MAX] = { "x" };
	const char *const quiet[WORDS_MAX] = { "-q", "x" };
	struct options options;

	(void)state;
	setenv("DUMB_INIT_SETSID", "0", 1);
	setenv("DUMB_INIT_DEBUG", "1", 1);
	assert_int_equal(parse(&options, words), OPTIONS_RUN);
	assert_int_equal(options.mode, MODE_SINGLE_CHILD);
	assert_int_equal(options.level, LOG_VERBOSE);
	assert_int_equal(parse(&options, quiet), OPTIONS_RUN);
	assert_int_equal(options.level, LOG_ERROR);
	setenv("DUMB_INIT_SETSID", "1", 1);
	setenv("DUMB_INIT_DEBUG", "0", 1);
	assert_int_equal(parse(&options, words), OPTIONS_RUN);
	assert_int_equal(options.mode, MODE_SESSION);
	assert_int_equal(options.level, LOG_WARNING);
}

static int clear_environment(void **state)
{
	(void)state;
	unsetenv("DUMB_INIT_SETSID");
	unsetenv("DUMB_INIT_DEBUG");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_words_from_command_on_are_commands),
		cmocka_unit_test(test_dash_alone_is_a_command),
		cmocka_unit_test(
			test_word_before_command_is_there_to_be_used_up),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_no_word_at_all_is_an_error),
		cmocka_unit_test_teardown(test_environment, clear_environment),
	};

	return cmocka_run_group_tests_name("options", tests, clear_environment,
					   NULL);
}
