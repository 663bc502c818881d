#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "format.h"

static void test_words_and_numbers_are_inserted(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(format_text(out, sizeof(out), "%s is %d%%", "x", 42),
			 8);
	assert_string_equal(out, "x is 42%");
}

static void test_numbers_are_formatted_in_decimal(void **state)
{
	static const struct {
		int number;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 9, "9" },
		{ 10, "10" },
		{ -1, "-1" },
		{ -10, "-10" },
		{ INT_MAX, "2147483647" },
		{ INT_MIN, "-2147483648" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		format_text(out, sizeof(out), "%d", rows[i].number);
		assert_string_equal(out, rows[i].text);
	}
	format_text(out, sizeof(out), "%u %u", 0U, UINT_MAX);
	assert_string_equal(out, "0 4294967295");
}

static void test_long_text_is_truncated_and_terminated(void **state)
{
	char out[8];

	(void)state;
	for (size_t size = 1; size <= sizeof(out); size++) {
		size_t length;

		memset(out, 'x', sizeof(out));
		length = format_text(out, size, "%s%d", "abcd", 1234);
		assert_int_equal(length, size - 1);
		assert_memory_equal(out, "abcd1234", length);
		assert_int_equal(out[length], '\0');
		if (size < sizeof(out))
			assert_int_equal(out[size], 'x');
	}
}

static void test_empty_text_is_formatted_as_empty(void **state)
{
	char out[2] = "x";

	(void)state;
	assert_int_equal(format_text(out, sizeof(out), "%s", ""), 0);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_and_numbers_are_inserted),
		cmocka_unit_test(test_numbers_are_formatted_in_decimal),
		cmocka_unit_test(test_long_text_is_truncated_and_terminated),
		cmocka_unit_test(test_empty_text_is_formatted_as_empty),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
