#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oom.h"

static void test_kills_are_a_count_or_unknown(void **state)
{
	(void)state;
	assert_true(oom_kills() >= OOM_UNKNOWN);
}

static void test_difference_to_an_unknown_count_is_unknown(void **state)
{
	(void)state;
	assert_int_equal(oom_kills_since(OOM_UNKNOWN), OOM_UNKNOWN);
}

static void test_count_that_has_shrunk_is_unknown(void **state)
{
	(void)state;
	assert_int_equal(oom_kills_since(1 << 30), OOM_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kills_are_a_count_or_unknown),
		cmocka_unit_test(
			test_difference_to_an_unknown_count_is_unknown),
		cmocka_unit_test(test_count_that_has_shrunk_is_unknown),
	};

	return cmocka_run_group_tests_name("oom", tests, NULL, NULL);
}
