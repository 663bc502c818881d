/* What libFuzzer calls, with all sorts of bytes, in each target. */
#ifndef FUZZ_H
#define FUZZ_H

#undef NDEBUG
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	FUZZ_WORDS_MAX = 64,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The bytes and a NUL, on the heap, for what is read behind them to show. To be
 * freed.
 */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);

	assert(text);
	if (size > 0)
		memcpy(text, data, size);
	return text;
}

/*
 * Fills words with the strings that are before end, each with its NUL behind
 * it, and a NULL. Returns how many.
 */
static inline int fuzz_split(char *text, const char *end,
			     char *words[FUZZ_WORDS_MAX + 1])
{
	int count = 0;

	while (text < end && count < FUZZ_WORDS_MAX) {
		words[count++] = text;
		text += strlen(text) + 1;
	}
	words[count] = NULL;
	return count;
}

#endif
