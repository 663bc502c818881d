/*
 * libFuzzer: any words that the kernel may pass to dumb-init, each terminated
 * by a NUL. The first is DUMB_INIT_OPTIONS, the others are argv. Accepted
 * options are in the ranges of options.h, and no word is changed.
 */
#include <limits.h>
#include <stdlib.h>

#include "fuzz.h"
#include "options.h"

enum {
	INPUT_MAX = 4096,
};

static const char variable_name[] = "DUMB_INIT_OPTIONS=";

/*
 * Sets the variable in place, because setenv(3) keeps the memory of all former
 * values. Returns the value.
 */
static const char *set_variable(const char *value)
{
	static char variable[sizeof(variable_name) + INPUT_MAX];

	if (*variable == '\0') {
		memcpy(variable, variable_name, sizeof(variable_name));
		assert(putenv(variable) == 0);
	}
	memcpy(variable + sizeof(variable_name) - 1, value, strlen(value) + 1);
	return variable + sizeof(variable_name) - 1;
}

static bool is_signal(int signum)
{
	return signum >= 1 && signum <= SIGNALS_RTMAX;
}

static bool is_duration(int64_t ms)
{
	return ms >= 0 && ms <= (int64_t)INT_MAX * 1000;
}

static void check_enumerated(const struct options *options)
{
	assert(options->mode >= MODE_SESSION && options->mode <= MODE_PAUSE);
	assert(options->target >= TARGET_COMMAND &&
	       options->target <= TARGET_ALL);
	assert(options->level >= LOG_ERROR && options->level <= LOG_VERBOSE);
}

static void check_times(const struct options *options)
{
	assert(options->delay_signal == 0 || is_signal(options->delay_signal));
	assert(is_duration(options->delay_ms));
	assert(options->delay_ms == 0 || options->delay_signal != 0);
	assert(options->grace_ms == DURATION_NONE ||
	       is_duration(options->grace_ms));
	assert(options->kill_after_ms == DURATION_NONE ||
	       is_duration(options->kill_after_ms));
	assert(!options->wait_all || options->grace_ms == DURATION_NONE);
}

static void check_signals(const struct options *options)
{
	assert(options->parent_death_signal == 0 ||
	       is_signal(options->parent_death_signal));
	assert(options->rewrites.to[0] == REWRITE_UNSET);
	for (int signum = 1; signum <= SIGNALS_RTMAX; signum++) {
		const int to = options->rewrites.to[signum];

		assert(to == REWRITE_UNSET || to == REWRITE_DROP ||
		       is_signal(to));
	}
}

static void check_command(const struct options *options, char **argv, int argc)
{
	assert(options->command);
	/* It points to a word of argv or to the end. */
	assert(options->command >= argv && options->command <= argv + argc);
	if (options->mode == MODE_PAUSE)
		assert(options->command == argv + argc);
	else
		assert(options->command > argv && options->command[0]);
}

static void check_log(const struct options *options)
{
	const char *path = options->termination_log;

	assert(*path == '/' || *path == '\0');
	assert(memchr(path, '\0', TERMINATION_LOG_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[FUZZ_WORDS_MAX + 1];
	struct options options;
	const char *variable;
	char *text;
	int argc, status;

	if (size > INPUT_MAX)
		return 0;
	text = fuzz_text(data, size);
	variable = set_variable(text);
	argc = fuzz_split(text + strlen(text) + 1, text + size, argv);
	status = options_parse(&options, argc, argv);
	assert(status == OPTIONS_RUN || status == EXIT_SUCCESS ||
	       status == EXIT_FAILURE);
	if (status == OPTIONS_RUN) {
		check_enumerated(&options);
		check_times(&options);
		check_signals(&options);
		check_command(&options, argv, argc);
		check_log(&options);
	}
	assert(strcmp(variable, text) == 0);
	assert(size == 0 || memcmp(text, data, size) == 0);
	free(text);
	return 0;
}
