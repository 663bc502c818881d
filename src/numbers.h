/* Parses numbers and durations, strictly. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdint.h>

#define NUMBERS_MS INT64_C(1000000) /* a millisecond in ns */

enum {
	NUMBERS_NONE = -1,
};

/*
 * The number of the decimal digits at the beginning of text, at most max;
 * NUMBERS_NONE if there are none, or the number is greater. Sets end to the
 * first character after the digits that were read. max: at most INT64_MAX / 16.
 */
int64_t numbers_digits(const char *text, int64_t max, const char **end);

/* Parses a decimal number from 0 to max; NUMBERS_NONE if text is no such. */
int numbers_parse(const char *text, int max);

/*
 * Milliseconds of a duration: a decimal number with an optional unit, ms, s
 * (the default), m or h: "10", "0.5", "500ms", "1.5h". Rounded up to a
 * millisecond; digits after the ninth decimal place do not count. NUMBERS_NONE
 * for any other text, and for more than INT_MAX seconds.
 */
int64_t numbers_duration(const char *text);

#endif
