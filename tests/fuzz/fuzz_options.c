/*
 * libFuzzer: words as the kernel may hand them to us, each with a NUL behind
 * it. The first is DUMB_INIT_OPTIONS, the others are argv.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

enum {
	WORDS_MAX = 64,
	INPUT_MAX = 4096,
};

static const char variable_name[] = "DUMB_INIT_OPTIONS=";

/* In place: setenv(3) keeps every value that there was. */
static void set_variable(const char *value)
{
	static char variable[sizeof(variable_name) + INPUT_MAX];

	if (*variable == '\0') {
		memcpy(variable, variable_name, sizeof(variable_name));
		assert(putenv(variable) == 0);
	}
	memcpy(variable + sizeof(variable_name) - 1, value, strlen(value) + 1);
}

/* Fills argv with what is before end, and a NULL. Returns how many words. */
static int split(char *text, const char *end, char *argv[WORDS_MAX + 1])
{
	int argc = 0;

	while (text < end && argc < WORDS_MAX) {
		argv[argc++] = text;
		text += strlen(text) + 1;
	}
	argv[argc] = NULL;
	return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[WORDS_MAX + 1];
	struct options options;
	char *text;
	int argc, status;

	if (size > INPUT_MAX)
		return 0;
	/* On the heap, for what is read behind the last word to show. */
	text = malloc(size + 1);
	assert(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	set_variable(text);
	argc = split(text + strlen(text) + 1, text + size, argv);
	status = options_parse(&options, argc, argv);
	assert(status == OPTIONS_RUN || status == EXIT_SUCCESS ||
	       status == EXIT_FAILURE);
	if (status == OPTIONS_RUN) {
		assert(options.command);
		assert((options.mode == MODE_PAUSE) ==
		       (options.command[0] == NULL));
		/* It is one of ours: behind it there is a word or the end. */
		assert(options.command >= argv &&
		       options.command <= argv + argc);
	}
	free(text);
	return 0;
}
