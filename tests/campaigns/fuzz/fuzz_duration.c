/*
 * libFuzzer: numbers and durations have the same value as in a second
 * calculation, with nanoseconds in 128 bits, or both refuse them.
 */
#include <limits.h>

#include "fuzz.h"
#include "numbers.h"

static const char digits[] = "0123456789";

typedef unsigned __int128 wide;

/* The value of length digits; all that need more than 64 bits are equal. */
static wide value_of(const char *text, size_t length)
{
	const wide enough = (wide)UINT64_MAX + 1;
	wide value = 0;

	for (size_t i = 0; i < length; i++) {
		value = value * 10 + (wide)(text[i] - '0');
		if (value > enough)
			value = enough;
	}
	return value;
}

static int64_t expected_number(const char *text, int max)
{
	const size_t length = strspn(text, digits);
	const wide value = value_of(text, length);

	if (length == 0 || text[length] != '\0' || value > (wide)max)
		return NUMBERS_NONE;
	return (int64_t)value;
}

static wide unit_of(const char *text)
{
	if (strcmp(text, "ms") == 0)
		return 1;
	if (*text == '\0' || strcmp(text, "s") == 0)
		return 1000;
	if (strcmp(text, "m") == 0)
		return (wide)60 * 1000;
	return strcmp(text, "h") == 0 ? (wide)60 * 60 * 1000 : 0;
}

static int64_t expected_duration(const char *text)
{
	const size_t whole = strspn(text, digits);
	const char *end = text + whole;
	const wide part = 1000000000;
	wide parts = value_of(text, whole) * part;
	wide ms;

	if (whole == 0)
		return NUMBERS_NONE;
	if (*end == '.') {
		const size_t places = strspn(++end, digits);
		char nine[] = "000000000";

		if (places == 0)
			return NUMBERS_NONE;
		memcpy(nine, end, places < 9 ? places : 9);
		parts += value_of(nine, 9);
		end += places;
	}
	ms = (parts * unit_of(end) + part - 1) / part;
	if (unit_of(end) == 0 || ms > (wide)INT_MAX * 1000)
		return NUMBERS_NONE;
	return (int64_t)ms;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int most[] = { 0, 64, 255, INT_MAX };
	char *text = fuzz_text(data, size);

	assert(numbers_duration(text) == expected_duration(text));
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++)
		assert(numbers_parse(text, most[i]) ==
		       expected_number(text, most[i]));
	free(text);
	return 0;
}
