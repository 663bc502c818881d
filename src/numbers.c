#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "numbers.h"

/* The longest timeout of rt_sigtimedwait(2) with a 32-bit time_t. */
#define DURATION_MAX (INT64_C(1000) * INT_MAX)

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
	{ "", 1000 },   { "ms", 1 },      { "s", 1000 },
	{ "m", 60000 }, { "h", 3600000 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int64_t numbers_digits(const char *text, int64_t max, const char **end)
{
	int64_t number = is_digit(*text) ? 0 : NUMBERS_NONE;

	for (; is_digit(*text) && number <= max; text++)
		number = number * 10 + (*text - '0');
	*end = text;
	return number <= max ? number : NUMBERS_NONE;
}

int numbers_parse(const char *text, int max)
{
	const char *end;
	int64_t number = numbers_digits(text, max, &end);

	return *end == '\0' ? (int)number : NUMBERS_NONE;
}

/* Milliseconds of a unit; 0 if text is none. */
static int64_t parse_unit(const char *text)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].name) == 0)
			return units[i].ms;
	}
	return 0;
}

int64_t numbers_duration(const char *text)
{
	const char *end;
	int64_t whole = numbers_digits(text, DURATION_MAX, &end);
	int64_t part = 0, of = 1;
	int64_t unit, ms;

	if (whole == NUMBERS_NONE || (*end == '.' && !is_digit(end[1])))
		return NUMBERS_NONE;
	if (*end == '.') {
		/* After the ninth place, even hours are less than 1 ms. */
		for (end++; is_digit(*end); end++) {
			if (of == 1000000000)
				continue;
			part = part * 10 + (*end - '0');
			of *= 10;
		}
	}
	unit = parse_unit(end);
	if (unit == 0)
		return NUMBERS_NONE;
	ms = whole * unit + (part * unit + of - 1) / of;
	return ms <= DURATION_MAX ? ms : NUMBERS_NONE;
}
