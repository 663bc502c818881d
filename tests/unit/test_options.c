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

/* Parses words, up to a NULL, under the name; prints nothing. */
static int parse_as(const char *name, struct options *options,
		    const char *const words[WORDS_MAX])
{
	static char *argv[WORDS_MAX + 2];
	int argc = 1;
	int err = dup(STDERR_FILENO);
	int status;

	argv[0] = (char *)name;
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

static int parse(struct options *options, const char *const words[WORDS_MAX])
{
	return parse_as("dumb-init", options, words);
}

/* The numbers in struct options, except the two tables. */
enum field {
	END,
	MODE,
	TARGET,
	LEVEL,
	WAIT_ALL,
	WARN_ON_REAP,
	PARENT_DEATH_SIGNAL,
	DELAYED,
	DELAY_MS,
	GRACE_MS,
	KILL_AFTER_MS,
	TERM_TO,
	FIELDS,
};

static const int64_t defaults[FIELDS] = {
	[MODE] = MODE_SESSION,           [TARGET] = TARGET_GROUP,
	[LEVEL] = LOG_WARNING,           [GRACE_MS] = DURATION_NONE,
	[KILL_AFTER_MS] = DURATION_NONE,
};

static void read_fields(int64_t fields[FIELDS], const struct options *options)
{
	fields[END] = 0;
	fields[MODE] = options->mode;
	fields[TARGET] = options->target;
	fields[LEVEL] = options->level;
	fields[WAIT_ALL] = options->wait_all;
	fields[WARN_ON_REAP] = options->warn_on_reap;
	fields[PARENT_DEATH_SIGNAL] = options->parent_death_signal;
	fields[DELAYED] = options->delay_signal;
	fields[DELAY_MS] = options->delay_ms;
	fields[GRACE_MS] = options->grace_ms;
	fields[KILL_AFTER_MS] = options->kill_after_ms;
	fields[TERM_TO] = options->rewrites.to[SIGTERM];
}

struct set {
	enum field field;
	int64_t value;
};

#define SINGLE_CHILD  MODE, MODE_SINGLE_CHILD
#define GROUP         MODE, MODE_GROUP
#define PAUSE         MODE, MODE_PAUSE
#define COMMAND_ALONE TARGET, TARGET_COMMAND
#define EVERYTHING    TARGET, TARGET_ALL

/* Words give the default options, except those in set, up to END. */
static void assert_sets_as(const char *name, const char *const words[WORDS_MAX],
			   const struct set *set)
{
	int64_t expected[FIELDS], fields[FIELDS];
	struct options options;

	assert_int_equal(parse_as(name, &options, words), OPTIONS_RUN);
	memcpy(expected, defaults, sizeof(defaults));
	for (; set->field != END; set++)
		expected[set->field] = set->value;
	read_fields(fields, &options);
	for (size_t i = 0; i < FIELDS; i++)
		assert_int_equal(fields[i], expected[i]);
	if (options.mode == MODE_PAUSE) {
		assert_null(options.command[0]);
		return;
	}
	assert_string_equal(options.command[0], "x");
	assert_null(options.command[1]);
}

static void assert_sets(const char *const words[WORDS_MAX],
			const struct set *set)
{
	assert_sets_as("dumb-init", words, set);
}

static const struct {
	const char *words[WORDS_MAX];
	struct set sets[5];
} good_rows[] = {
	{ { "x" }, { { END, 0 } } },
	{ { "--", "x" }, { { END, 0 } } },
	{ { "-c", "x" }, { { SINGLE_CHILD }, { COMMAND_ALONE } } },
	{ { "-cc", "x" }, { { SINGLE_CHILD }, { COMMAND_ALONE } } },
	{ { "--single-child", "x" }, { { SINGLE_CHILD }, { COMMAND_ALONE } } },
	{ { "--si", "x" }, { { SINGLE_CHILD }, { COMMAND_ALONE } } },
	{ { "-g", "x" }, { { GROUP } } },
	{ { "-g", "-g", "x" }, { { GROUP } } },
	{ { "--process-group", "x" }, { { GROUP } } },
	{ { "--pr", "x" }, { { GROUP } } },
	{ { "-a", "x" }, { { EVERYTHING } } },
	{ { "--all", "x" }, { { EVERYTHING } } },
	{ { "--al", "--", "x" }, { { EVERYTHING } } },
	{ { "-ga", "x" }, { { GROUP }, { EVERYTHING } } },
	{ { "-ag", "x" }, { { GROUP }, { EVERYTHING } } },
	{ { "-ac", "x" }, { { SINGLE_CHILD }, { EVERYTHING } } },
	{ { "-c", "--all", "x" }, { { SINGLE_CHILD }, { EVERYTHING } } },
	{ { "-v", "x" }, { { LEVEL, LOG_VERBOSE } } },
	{ { "-vvv", "x" }, { { LEVEL, LOG_VERBOSE } } },
	{ { "--verbose", "x" }, { { LEVEL, LOG_VERBOSE } } },
	{ { "-q", "x" }, { { LEVEL, LOG_ERROR } } },
	{ { "-vq", "x" }, { { LEVEL, LOG_ERROR } } },
	{ { "-qv", "x" }, { { LEVEL, LOG_VERBOSE } } },
	{ { "-cq", "--", "x" },
	  { { SINGLE_CHILD }, { COMMAND_ALONE }, { LEVEL, LOG_ERROR } } },
	{ { "-r", "TERM:2", "x" }, { { TERM_TO, 2 } } },
	{ { "-rTERM:2", "x" }, { { TERM_TO, 2 } } },
	{ { "-cr15:2", "x" },
	  { { SINGLE_CHILD }, { COMMAND_ALONE }, { TERM_TO, 2 } } },
	{ { "--rewrite", "15:2", "x" }, { { TERM_TO, 2 } } },
	{ { "--rewrite=15:2", "x" }, { { TERM_TO, 2 } } },
	{ { "-r", "15:3", "-r", "15:2", "x" }, { { TERM_TO, 2 } } },
	{ { "-r", "15:0", "x" }, { { TERM_TO, REWRITE_DROP } } },
	{ { "-d", "TERM:5s", "x" },
	  { { DELAYED, SIGTERM }, { DELAY_MS, 5000 } } },
	{ { "-dSIGRTMIN+15:0.1ms", "x" },
	  { { DELAYED, 49 }, { DELAY_MS, 1 } } },
	{ { "-gd", "15:2147483647", "x" },
	  { { GROUP },
	    { DELAYED, SIGTERM },
	    { DELAY_MS, INT64_C(2147483647000) } } },
	{ { "--delay", "hup:0", "x" },
	  { { DELAYED, SIGHUP }, { DELAY_MS, 0 } } },
	{ { "--delay=64:1h", "x" },
	  { { DELAYED, 64 }, { DELAY_MS, 3600000 } } },
	{ { "--de", "1:1", "-d2:2", "x" },
	  { { DELAYED, 2 }, { DELAY_MS, 2000 } } },
	{ { "-t5", "x" }, { { GRACE_MS, 5000 } } },
	{ { "-t", "5", "x" }, { { GRACE_MS, 5000 } } },
	{ { "-gat0.5", "x" },
	  { { GROUP }, { EVERYTHING }, { GRACE_MS, 500 } } },
	{ { "-ct", "1.5h", "x" },
	  { { SINGLE_CHILD }, { COMMAND_ALONE }, { GRACE_MS, 5400000 } } },
	{ { "-t", "0", "x" }, { { GRACE_MS, 0 } } },
	{ { "--grace", "5", "x" }, { { GRACE_MS, 5000 } } },
	{ { "--grace=5", "x" }, { { GRACE_MS, 5000 } } },
	{ { "--gr", "5", "x" }, { { GRACE_MS, 5000 } } },
	{ { "--gr=5ms", "x" }, { { GRACE_MS, 5 } } },
	{ { "-t5", "-t6", "x" }, { { GRACE_MS, 6000 } } },
	{ { "--grace=6", "-t", "5", "x" }, { { GRACE_MS, 5000 } } },
	{ { "-k0", "x" }, { { KILL_AFTER_MS, 0 } } },
	{ { "-k", "0", "x" }, { { KILL_AFTER_MS, 0 } } },
	{ { "-qk", "2m", "x" },
	  { { LEVEL, LOG_ERROR }, { KILL_AFTER_MS, 120000 } } },
	{ { "--kill-after", "7", "x" }, { { KILL_AFTER_MS, 7000 } } },
	{ { "--kill-after=7", "-k8", "x" }, { { KILL_AFTER_MS, 8000 } } },
	{ { "--ki=7", "-t1", "x" },
	  { { KILL_AFTER_MS, 7000 }, { GRACE_MS, 1000 } } },
	{ { "-W", "x" }, { { WAIT_ALL, true } } },
	{ { "-gW", "x" }, { { GROUP }, { WAIT_ALL, true } } },
	{ { "--wait-all", "x" }, { { WAIT_ALL, true } } },
	{ { "--wai", "-W", "x" }, { { WAIT_ALL, true } } },
	{ { "-Wk1", "x" }, { { WAIT_ALL, true }, { KILL_AFTER_MS, 1000 } } },
	{ { "-p", "KILL", "x" }, { { PARENT_DEATH_SIGNAL, SIGKILL } } },
	{ { "-pSIGRTMAX-1", "x" }, { { PARENT_DEATH_SIGNAL, 63 } } },
	{ { "-Wp", "1", "x" },
	  { { WAIT_ALL, true }, { PARENT_DEATH_SIGNAL, SIGHUP } } },
	{ { "--parent-death-signal=term", "x" },
	  { { PARENT_DEATH_SIGNAL, SIGTERM } } },
	{ { "--par", "TERM", "-p", "INT", "x" },
	  { { PARENT_DEATH_SIGNAL, SIGINT } } },
	{ { "-s", "x" }, { { END, 0 } } },
	{ { "--subreaper", "x" }, { { END, 0 } } },
	{ { "--su", "-cs", "x" }, { { SINGLE_CHILD }, { COMMAND_ALONE } } },
	{ { "-w", "x" }, { { WARN_ON_REAP, true } } },
	{ { "-swW", "x" }, { { WARN_ON_REAP, true }, { WAIT_ALL, true } } },
	{ { "--warn-on-reap", "x" }, { { WARN_ON_REAP, true } } },
	{ { "--war", "x" }, { { WARN_ON_REAP, true } } },
	{ { "-P" }, { { PAUSE } } },
	{ { "-PP", "--" }, { { PAUSE } } },
	{ { "--pause" }, { { PAUSE } } },
	{ { "--pau", "-t5" }, { { PAUSE }, { GRACE_MS, 5000 } } },
	/* catatonit takes these together, in either order. */
	{ { "-gP" }, { { PAUSE } } },
	{ { "-Pg" }, { { PAUSE } } },
	{ { "-Pc" }, { { PAUSE }, { COMMAND_ALONE } } },
	/* A status sets none of these. */
	{ { "-e", "143:0", "-se1", "--map-exit=2", "x" }, { { END, 0 } } },
};

static void test_options_are_stored(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good_rows) / sizeof(good_rows[0]); i++)
		assert_sets(good_rows[i].words, good_rows[i].sets);
}

static void test_mapping_changes_only_its_status(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		int changed[3][2]; /* from and to; 0 to 0 is as none */
	} rows[] = {
		{ { "x" }, { { 0, 0 } } },
		{ { "-e", "143", "x" }, { { 143, 0 } } },
		{ { "-e", "143:0", "x" }, { { 143, 0 } } },
		{ { "-e143:7", "x" }, { { 143, 7 } } },
		{ { "-ge", "7:143", "x" }, { { 7, 143 } } },
		{ { "-e0:255", "x" }, { { 0, 255 } } },
		{ { "-e0:1", "x" }, { { 0, 1 } } },
		{ { "-e255:254", "x" }, { { 255, 254 } } },
		{ { "-e255", "x" }, { { 255, 0 } } },
		{ { "-e007:0008", "x" }, { { 7, 8 } } },
		{ { "-e9:9", "x" }, { { 9, 9 } } },
		{ { "--map-exit", "3", "x" }, { { 3, 0 } } },
		{ { "--map-exit=3:4", "x" }, { { 3, 4 } } },
		{ { "--map=3:4", "x" }, { { 3, 4 } } },
		{ { "-e3:4", "-e4:5", "-e143", "x" },
		  { { 3, 4 }, { 4, 5 }, { 143, 0 } } },
		{ { "-e3:4", "-e3:5", "x" }, { { 3, 5 } } },
		{ { "-e3", "-e3:5", "x" }, { { 3, 5 } } },
		{ { "-e3:5", "-e3", "x" }, { { 3, 0 } } },
		{ { "-e3:5", "-e3:3", "x" }, { { 3, 3 } } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options options;
		int expected[STATUSES];

		for (int from = 0; from < STATUSES; from++)
			expected[from] = from;
		for (size_t j = 0; j < 3; j++)
			if (rows[i].changed[j][0] != rows[i].changed[j][1])
				expected[rows[i].changed[j][0]] =
					rows[i].changed[j][1];
		assert_int_equal(parse(&options, rows[i].words), OPTIONS_RUN);
		for (int from = 0; from < STATUSES; from++)
			assert_int_equal((from + options.status_change[from]) %
						 STATUSES,
					 expected[from]);
	}
}

static void test_words_from_command_on_are_its_arguments(void **state)
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

static void test_word_before_command_can_be_overwritten(void **state)
{
	const char *const words[WORDS_MAX] = { "x" };
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, words), OPTIONS_RUN);
	assert_string_equal(options.command[-1], "dumb-init");
}

static void assert_errors(const char *const rows[][WORDS_MAX], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct options options;

		assert_int_equal(parse(&options, rows[i]), EXIT_FAILURE);
	}
}

static const char *const bad_rows[][WORDS_MAX] = {
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
	{ "--all=yes", "x" },
	{ "--s", "x" },  /* single-child, subreaper */
	{ "--p", "x" },  /* process-group, parent-death-signal */
	{ "--wa", "x" }, /* wait-all, warn-on-reap */
	{ "-r" },
	{ "-cr" },
	{ "--rewrite" },
	{ "-r", "x", "x" },
	{ "-r", "SIGRTMAX-0000014:15", "x" }, /* longer than any signal */
	{ "--rewrite=", "x" },
	{ "-t" },
	{ "-t", "x" },
	{ "-tx", "x" },
	{ "-t", "", "x" },
	{ "-t", "-1", "x" },
	{ "--grace=", "x" },
	{ "-k" },
	{ "-k", "5x", "x" },
	{ "--kill-after=2147483648", "x" },
	{ "-d" },
	{ "-d", "TERM", "x" },
	{ "-d", "TERM:", "x" },
	{ "-d", ":5", "x" },
	{ "-d", "5s:TERM", "x" },
	{ "-d", "TERM:5:5", "x" },
	{ "-d", "0:5", "x" },
	{ "-e" },
	{ "-e", "", "x" },
	{ "-e", ":", "x" },
	{ "-e", "1:", "x" },
	{ "-e", ":1", "x" },
	{ "-e", "256", "x" },
	{ "-e", "1:256", "x" },
	{ "-e", "-1", "x" },
	{ "-e", "1:-1", "x" },
	{ "-e", "1:2:3", "x" },
	{ "-p" },
	{ "-p", "0", "x" },
	{ "-p", "65", "x" },
	{ "-P", "x" },
	{ "--pause", "--", "x" },
	{ "--pause=yes" },
	{ "--pa" }, /* parent-death-signal, pause */
	{ "-p", "", "x" },
	/* A right last word does not excuse the one before it. */
	{ "-tx", "-t5", "x" },
	{ "-e256", "-e1", "x" },
};

static void test_malformed_options_are_errors(void **state)
{
	(void)state;
	assert_errors(bad_rows, sizeof(bad_rows) / sizeof(bad_rows[0]));
}

static void test_exclusive_options_are_an_error(void **state)
{
	static const char *const rows[][WORDS_MAX] = {
		{ "-c", "-g", "x" },
		{ "-g", "-c", "x" },
		{ "-cg", "x" },
		{ "-gc", "x" },
		{ "-g", "-avc", "x" },
		{ "--single-child", "--process-group", "x" },
		{ "--pr", "--si", "x" },
		{ "-t5", "-W", "x" },
		{ "-W", "-t5", "x" },
		{ "-Wt5", "x" },
		{ "-W", "-t", "5", "x" },
		{ "--grace=5", "--wait-all", "x" },
		{ "--wait-all", "--grace", "5", "x" },
		{ "-t5", "-t6", "-g", "-W", "x" },
	};

	(void)state;
	assert_errors(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_empty_command_line_is_an_error(void **state)
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

static void test_environment_sets_options(void **state)
{
	const char *const words[WORDS_MAX] = { "x" };
	const char *const quiet[WORDS_MAX] = { "-q", "x" };
	const char *const group[WORDS_MAX] = { "-g", "x" };
	const char *const all[WORDS_MAX] = { "-a", "x" };
	struct options options;

	(void)state;
	setenv("DUMB_INIT_SETSID", "0", 1);
	setenv("DUMB_INIT_DEBUG", "1", 1);
	assert_int_equal(parse(&options, words), OPTIONS_RUN);
	assert_int_equal(options.mode, MODE_SINGLE_CHILD);
	assert_int_equal(options.target, TARGET_COMMAND);
	assert_int_equal(options.level, LOG_VERBOSE);
	assert_int_equal(parse(&options, quiet), OPTIONS_RUN);
	assert_int_equal(options.level, LOG_ERROR);
	/* The command line takes precedence; this is not an exclusion. */
	assert_sets(group, (struct set[]){ { GROUP },
					   { LEVEL, LOG_VERBOSE },
					   { END, 0 } });
	assert_sets(all, (struct set[]){ { SINGLE_CHILD },
					 { EVERYTHING },
					 { LEVEL, LOG_VERBOSE },
					 { END, 0 } });
	setenv("DUMB_INIT_SETSID", "1", 1);
	setenv("DUMB_INIT_DEBUG", "0", 1);
	assert_int_equal(parse(&options, words), OPTIONS_RUN);
	assert_int_equal(options.mode, MODE_SESSION);
	assert_int_equal(options.level, LOG_WARNING);
}

struct under {
	const char *name;
	const char *words[WORDS_MAX];
	struct set sets[5];
};

static void assert_all_under(const struct under *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_sets_as(rows[i].name, rows[i].words, rows[i].sets);
}

#define ASSERT_ALL_UNDER(rows)                                                 \
	assert_all_under(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_name_changes_only_defaults(void **state)
{
	static const struct under rows[] = {
		{ "tini", { "x" }, { { GROUP }, { COMMAND_ALONE } } },
		{ "/sbin/tini", { "x" }, { { GROUP }, { COMMAND_ALONE } } },
		{ "tini", { "-g", "x" }, { { GROUP } } },
		{ "tini", { "--pr", "x" }, { { GROUP } } },
		{ "tini", { "-a", "x" }, { { GROUP }, { EVERYTHING } } },
		{ "tini", { "-ga", "x" }, { { GROUP }, { EVERYTHING } } },
		{ "tini", { "-ag", "x" }, { { GROUP }, { EVERYTHING } } },
		{ "tini",
		  { "-c", "x" },
		  { { SINGLE_CHILD }, { COMMAND_ALONE } } },
		{ "tini",
		  { "-t5", "x" },
		  { { GROUP }, { COMMAND_ALONE }, { GRACE_MS, 5000 } } },
		{ "tini", { "-P" }, { { PAUSE }, { COMMAND_ALONE } } },
		{ "tini-static", { "x" }, { { GROUP }, { COMMAND_ALONE } } },
		{ "catatonit", { "x" }, { { GROUP }, { COMMAND_ALONE } } },
		{ "catatonit", { "-g", "x" }, { { GROUP } } },
		{ "docker-init", { "x" }, { { GROUP }, { COMMAND_ALONE } } },
		{ "podman-init", { "x" }, { { GROUP }, { COMMAND_ALONE } } },
		{ "podman-init", { "-g", "x" }, { { GROUP } } },
		{ "-tini", { "x" }, { { GROUP }, { COMMAND_ALONE } } },
		{ "-dumb-init", { "x" }, { { END, 0 } } },
		{ "another", { "x" }, { { END, 0 } } },
		{ "tini/another", { "x" }, { { END, 0 } } },
		{ "", { "x" }, { { END, 0 } } },
	};

	(void)state;
	ASSERT_ALL_UNDER(rows);
}

static void test_name_applies_where_it_is_the_only_word(void **state)
{
	static const char *const no_words[WORDS_MAX] = { NULL };
	struct options options;

	(void)state;
	setenv("DUMB_INIT_OPTIONS", "-P", 1);
	assert_int_equal(parse_as("tini", &options, no_words), OPTIONS_RUN);
	assert_int_equal(options.mode, MODE_PAUSE);
	assert_int_equal(options.target, TARGET_COMMAND);
	unsetenv("DUMB_INIT_OPTIONS");
}

static void test_tini_variables_do_not_apply_to_dumb_init(void **state)
{
	static const struct under rows[] = {
		{ "tini", { "x" }, { { GROUP } } },
		{ "catatonit", { "x" }, { { GROUP } } },
		{ "tini",
		  { "-c", "x" },
		  { { SINGLE_CHILD }, { COMMAND_ALONE } } },
		{ "dumb-init", { "x" }, { { END, 0 } } },
		{ "docker-init", { "x" }, { { GROUP } } },
	};
	static const struct {
		const char *value;
		enum log_level level;
	} verbosities[] = {
		{ "0", LOG_ERROR },    { "1", LOG_WARNING },
		{ "2", LOG_VERBOSE },  { "3", LOG_VERBOSE },
		{ "10", LOG_VERBOSE }, { "01", LOG_WARNING },
		{ "", LOG_ERROR },     { "yes", LOG_ERROR },
		{ "-1", LOG_ERROR },   { "-2", LOG_ERROR },
	};
	const char *const words[WORDS_MAX] = { "x" };
	const char *const verbose[WORDS_MAX] = { "-v", "x" };
	struct options options;

	(void)state;
	setenv("TINI_KILL_PROCESS_GROUP", "", 1);
	setenv("TINI_SUBREAPER", "0", 1);
	ASSERT_ALL_UNDER(rows);
	for (size_t i = 0; i < sizeof(verbosities) / sizeof(verbosities[0]);
	     i++) {
		setenv("TINI_VERBOSITY", verbosities[i].value, 1);
		assert_int_equal(parse_as("tini", &options, words),
				 OPTIONS_RUN);
		assert_int_equal(options.level, verbosities[i].level);
		assert_int_equal(parse_as("tini", &options, verbose),
				 OPTIONS_RUN);
		assert_int_equal(options.level, LOG_VERBOSE);
		assert_int_equal(parse(&options, words), OPTIONS_RUN);
		assert_int_equal(options.level, LOG_WARNING);
	}
}

static void test_variable_is_parsed_before_the_command_line(void **state)
{
	static const struct {
		const char *variable;
		const char *words[WORDS_MAX];
		struct set sets[5];
	} rows[] = {
		{ "", { "x" }, { { END, 0 } } },
		{ " \t\n ", { "x" }, { { END, 0 } } },
		{ "-v", { "x" }, { { LEVEL, LOG_VERBOSE } } },
		{ "-v", { "-q", "x" }, { { LEVEL, LOG_ERROR } } },
		{ "-q\t--grace\n 8  ",
		  { "x" },
		  { { LEVEL, LOG_ERROR }, { GRACE_MS, 8000 } } },
		{ " -t 8", { "-t", "9", "x" }, { { GRACE_MS, 9000 } } },
		{ "-k 1 -k 2",
		  { "-t3", "x" },
		  { { KILL_AFTER_MS, 2000 }, { GRACE_MS, 3000 } } },
		{ "-r TERM:INT", { "-r", "15:1", "x" }, { { TERM_TO, 1 } } },
		{ "-r TERM:INT", { "x" }, { { TERM_TO, 2 } } },
		{ "-v --", { "x" }, { { LEVEL, LOG_VERBOSE } } },
		/* Options of different sources do not exclude each other. */
		{ "-c", { "-g", "x" }, { { GROUP } } },
		{ "-g",
		  { "-c", "x" },
		  { { SINGLE_CHILD }, { COMMAND_ALONE } } },
		{ "-t8", { "-W", "x" }, { { WAIT_ALL, true } } },
		{ "-W", { "-t8", "x" }, { { GRACE_MS, 8000 } } },
		{ "-P", { NULL }, { { PAUSE } } },
	};
	static const char *const wrong[] = { "x",     "-",      "-x",   "-v x",
					     "-t",    "-t 8 x", "-cg",  "-- x",
					     "-t5x",  "--gr=",  "'-v'", "x x",
					     "- - -", "-Pv -r" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setenv("DUMB_INIT_OPTIONS", rows[i].variable, 1);
		assert_sets(rows[i].words, rows[i].sets);
		assert_string_equal(getenv("DUMB_INIT_OPTIONS"),
				    rows[i].variable);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *const words[WORDS_MAX] = { "x" };
		struct options options;

		setenv("DUMB_INIT_OPTIONS", wrong[i], 1);
		assert_int_equal(parse(&options, words), EXIT_FAILURE);
	}
}

static void test_termination_log_must_be_an_absolute_short_path(void **state)
{
	char fits[sizeof("--term=") - 1 + TERMINATION_LOG_MAX] = "--term=";
	char longer[sizeof(fits) + 1] = "--term=";
	const struct {
		const char *words[WORDS_MAX];
		const char *path; /* NULL: an error */
	} rows[] = {
		{ { "x" }, "" },
		{ { "--termination-log", "x" }, "/dev/termination-log" },
		{ { "--term", "x" }, "/dev/termination-log" },
		{ { "--termination-log=/a b", "x" }, "/a b" },
		{ { "--term=/a", "--term=/b", "x" }, "/b" },
		{ { "--term=/a", "--term", "x" }, "/dev/termination-log" },
		{ { fits, "x" }, fits + sizeof("--term=") - 1 },
		{ { longer, "x" }, NULL },
		{ { "--termination-log=", "x" }, NULL },
		{ { "--termination-log=a", "x" }, NULL },
		{ { "--termination-log=./a", "x" }, NULL },
		{ { "--termination-logs", "x" }, NULL },
		/* This option has no letter, so no byte may stand for it. */
		{ { "-\1/a", "x" }, NULL },
	};
	struct options options;

	(void)state;
	for (size_t i = strlen(longer); i < sizeof(longer) - 1; i++) {
		longer[i] = '/';
		if (i < sizeof(fits) - 1)
			fits[i] = '/';
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int status = parse(&options, rows[i].words);

		assert_int_equal(status,
				 rows[i].path ? OPTIONS_RUN : EXIT_FAILURE);
		if (rows[i].path)
			assert_string_equal(options.termination_log,
					    rows[i].path);
	}
	setenv("DUMB_INIT_OPTIONS", "--term=/a", 1);
	assert_int_equal(parse(&options, rows[0].words), OPTIONS_RUN);
	assert_string_equal(options.termination_log, "/a");
}

static void test_variable_of_any_length_is_parsed(void **state)
{
	const char *const words[WORDS_MAX] = { "x" };
	static char text[128 * 1024]; /* the longest that execve(2) accepts */

	(void)state;
	for (size_t length = 1; length < sizeof(text); length++)
		text[length - 1] = "-v  "[(length - 1) % 4];
	setenv("DUMB_INIT_OPTIONS", text, 1);
	assert_sets(words,
		    (struct set[]){ { LEVEL, LOG_VERBOSE }, { END, 0 } });
}

static int clear_environment(void **state)
{
	(void)state;
	unsetenv("DUMB_INIT_OPTIONS");
	unsetenv("TINI_KILL_PROCESS_GROUP");
	unsetenv("TINI_SUBREAPER");
	unsetenv("TINI_VERBOSITY");
	unsetenv("DUMB_INIT_SETSID");
	unsetenv("DUMB_INIT_DEBUG");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_are_stored),
		cmocka_unit_test(test_mapping_changes_only_its_status),
		cmocka_unit_test(test_words_from_command_on_are_its_arguments),
		cmocka_unit_test(test_dash_alone_is_a_command),
		cmocka_unit_test(test_word_before_command_can_be_overwritten),
		cmocka_unit_test(test_malformed_options_are_errors),
		cmocka_unit_test(test_exclusive_options_are_an_error),
		cmocka_unit_test(test_empty_command_line_is_an_error),
		cmocka_unit_test_teardown(test_environment_sets_options,
					  clear_environment),
		cmocka_unit_test(test_name_changes_only_defaults),
		cmocka_unit_test(test_name_applies_where_it_is_the_only_word),
		cmocka_unit_test_teardown(
			test_tini_variables_do_not_apply_to_dumb_init,
			clear_environment),
		cmocka_unit_test_teardown(
			test_termination_log_must_be_an_absolute_short_path,
			clear_environment),
		cmocka_unit_test_teardown(
			test_variable_is_parsed_before_the_command_line,
			clear_environment),
		cmocka_unit_test_teardown(test_variable_of_any_length_is_parsed,
					  clear_environment),
	};

	return cmocka_run_group_tests_name("options", tests, clear_environment,
					   NULL);
}
