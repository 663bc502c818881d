/* Numbers and durations as people write them, read strictly. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdint.h>

enum {
	NUMBERS_NONE = -1,
};

/*
 * The number that the decimal digits at the beginning of text make, at most
 * max; NUMBERS_NONE if there is none, or it is greater. Sets end behind what
 * was read. max: at most INT64_MAX / 16.
 */
int64_t numbers_digits(const char *text, int64_t max, const char **end);

/* Decimal digits and nothing else, at most max; NUMBERS_NONE otherwise. */
int numbers_parse(const char *text, int max);

/*
 * Milliseconds for a decimal number of seconds ("10", "0.5"), or of what its
 * unit says: ms, s, m or h ("500ms", "1.5h"). A part of a millisecond counts as
 * a whole one; digits behind the ninth decimal place do not count. NUMBERS_NONE
 * for anything else, and for more seconds than an int can count.
 */
int64_t numbers_duration(const char *text);

#endif
