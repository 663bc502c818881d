#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "numbers.h"

#define LIMIT_MS (INT64_C(1000) * INT_MAX)

static void test_digits_are_read_up_to_the_first_other_character(void **state)
{
	static const struct {
		const char *text;
		int64_t max;
		int64_t number;
		size_t length; /* of the number */
	} rows[] = {
		{ "", 9, NUMBERS_NONE, 0 },
		{ "x1", 9, NUMBERS_NONE, 0 },
		{ "-1", 9, NUMBERS_NONE, 0 },
		{ " 1", 9, NUMBERS_NONE, 0 },
		{ "/", 9, NUMBERS_NONE, 0 }, /* before '0' in ASCII */
		{ ":", 9, NUMBERS_NONE, 0 }, /* after '9' in ASCII */
		{ "0", 9, 0, 1 },
		{ "0", 0, 0, 1 },
		{ "9", 9, 9, 1 },
		{ "12x", 99, 12, 2 },
		{ "12 ", 99, 12, 2 },
		{ "12.5", 99, 12, 2 },
		{ "0012:3", 99, 12, 4 },
		{ "1234567890", INT_MAX, 1234567890, 10 },
		{ "576460752303423487", INT64_MAX / 16, INT64_MAX / 16, 18 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = rows[i].text;
		const char *end = NULL;

		assert_int_equal(numbers_digits(text, rows[i].max, &end),
				 rows[i].number);
		assert_ptr_equal(end, text + rows[i].length);
	}
}

static void test_number_greater_than_max_is_an_error(void **state)
{
	static const struct {
		const char *text;
		int64_t max;
	} rows[] = {
		{ "1", 0 },
		{ "10", 9 },
		{ "256", 255 },
		{ "2147483648", INT_MAX },
		{ "4294967296", INT_MAX },
		{ "18446744073709551616", INT_MAX },
		{ "576460752303423488", INT64_MAX / 16 },
		{ "99999999999999999999999999999999999999", INT64_MAX / 16 },
	};
	const char *end;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			numbers_digits(rows[i].text, rows[i].max, &end),
			NUMBERS_NONE);
}

static void test_number_must_be_the_whole_text(void **state)
{
	static const struct {
		const char *text;
		int max;
		int number;
	} rows[] = {
		{ "0", 255, 0 },
		{ "255", 255, 255 },
		{ "0000000000000000000000255", 255, 255 },
		{ "2147483647", INT_MAX, INT_MAX },
		{ "", 255, NUMBERS_NONE },
		{ "256", 255, NUMBERS_NONE },
		{ "2560", 255, NUMBERS_NONE },
		{ "2147483648", INT_MAX, NUMBERS_NONE },
		{ "4294967297", INT_MAX, NUMBERS_NONE },
		{ "-1", 255, NUMBERS_NONE },
		{ "+1", 255, NUMBERS_NONE },
		{ " 1", 255, NUMBERS_NONE },
		{ "1 ", 255, NUMBERS_NONE },
		{ "1\n", 255, NUMBERS_NONE },
		{ "1x", 255, NUMBERS_NONE },
		{ "0x1", 255, NUMBERS_NONE },
		{ "1.0", 255, NUMBERS_NONE },
		{ "1,000", 255, NUMBERS_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(numbers_parse(rows[i].text, rows[i].max),
				 rows[i].number);
}

static void test_durations_are_milliseconds(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "0", 0 },
		{ "0ms", 0 },
		{ "0h", 0 },
		{ "0.0", 0 },
		{ "10", 10000 },
		{ "10s", 10000 },
		{ "500ms", 500 },
		{ "2m", 120000 },
		{ "1h", 3600000 },
		{ "007", 7000 },
		{ "000000000000000000000000000005ms", 5 },
		{ "0.5", 500 },
		{ "0.50", 500 },
		{ "00.5s", 500 },
		{ "0.05", 50 },
		{ "1.25m", 75000 },
		{ "1.5h", 5400000 },
		{ "2.0ms", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(numbers_duration(rows[i].text), rows[i].ms);
}

static void test_part_of_a_millisecond_is_rounded_up(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "0.001", 1 },
		{ "0.0011", 2 },
		{ "0.0019", 2 },
		{ "0.0001", 1 },
		{ "0.000000001", 1 },
		{ "0.000000001h", 1 },
		{ "0.1ms", 1 },
		{ "1.5ms", 2 },
		{ "0.999999999", 1000 },
		{ "59.999999999m", 3600000 },
		/* Digits after the ninth place do not count. */
		{ "0.0000000001", 0 },
		{ "0.0000000009h", 0 },
		{ "0.001000001", 2 },
		{ "0.0010000000009", 1 },
		{ "0.99999999999999999999999999999999999999", 1000 },
		{ "0.00000000000000000000000000000000000000", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(numbers_duration(rows[i].text), rows[i].ms);
}

static void test_longest_duration_is_int_max_seconds(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "2147483647", LIMIT_MS },
		{ "2147483647s", LIMIT_MS },
		{ "2147483647.0", LIMIT_MS },
		{ "2147483646.999", LIMIT_MS - 1 },
		{ "2147483646.9999", LIMIT_MS },
		{ "2147483647000ms", LIMIT_MS },
		{ "35791394m", INT64_C(2147483640000) },
		{ "596523h", INT64_C(2147482800000) },
		{ "2147483648", NUMBERS_NONE },
		{ "2147483647.1", NUMBERS_NONE },
		{ "2147483647.000000001", NUMBERS_NONE },
		{ "2147483647001ms", NUMBERS_NONE },
		{ "2147483647000.1ms", NUMBERS_NONE },
		{ "35791395m", NUMBERS_NONE },
		{ "596524h", NUMBERS_NONE },
		{ "2147483647h", NUMBERS_NONE },
		{ "2147483647000h", NUMBERS_NONE }, /* the largest one read */
		{ "2147483647001h", NUMBERS_NONE },
		/* Overflows of 32 and of 64 bits. */
		{ "4294967297", NUMBERS_NONE },
		{ "4294967296001ms", NUMBERS_NONE },
		{ "9223372036854775807", NUMBERS_NONE },
		{ "18446744073709551617ms", NUMBERS_NONE },
		{ "18446744073709552", NUMBERS_NONE },
		{ "5124095576030432h", NUMBERS_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(numbers_duration(rows[i].text), rows[i].ms);
}

static void test_malformed_duration_is_an_error(void **state)
{
	static const char *const rows[] = {
		"",      ".",    ".5",    "5.",    "5.s",    "5. ",   "-1",
		"-0",    "+1",   " 1",    "1 ",    "1\n",    "1 s",   "1e3",
		"0x10",  "1,5",  "1h30m", "1S",    "1H",     "1sec",  "1min",
		"1mss",  "1hs",  "1us",   "1d",    "1sm",    "ms",    "s",
		"1.2.3", "1..2", "1.-2",  "1.s5",  "1.5 s",  "1.5e1", "inf",
		"nan",   "INF",  "1_000", "1'000", "\u0661",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(numbers_duration(rows[i]), NUMBERS_NONE);
}

/* Where a sum of digits would overflow, or a buffer. */
static void test_very_long_number_does_not_overflow(void **state)
{
	char text[4096];
	const size_t last = sizeof(text) - 1;

	(void)state;
	memset(text, '9', last);
	text[last] = '\0';
	assert_int_equal(numbers_duration(text), NUMBERS_NONE);
	assert_int_equal(numbers_parse(text, INT_MAX), NUMBERS_NONE);
	text[1] = '.';
	assert_int_equal(numbers_duration(text), 10000);
	text[last - 1] = 'x';
	assert_int_equal(numbers_duration(text), NUMBERS_NONE);
	memset(text, '0', last);
	text[last - 1] = '5';
	assert_int_equal(numbers_duration(text), 5000);
	assert_int_equal(numbers_parse(text, INT_MAX), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_digits_are_read_up_to_the_first_other_character),
		cmocka_unit_test(test_number_greater_than_max_is_an_error),
		cmocka_unit_test(test_number_must_be_the_whole_text),
		cmocka_unit_test(test_durations_are_milliseconds),
		cmocka_unit_test(test_part_of_a_millisecond_is_rounded_up),
		cmocka_unit_test(test_longest_duration_is_int_max_seconds),
		cmocka_unit_test(test_malformed_duration_is_an_error),
		cmocka_unit_test(test_very_long_number_does_not_overflow),
	};

	return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
