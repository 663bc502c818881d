#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "errors.h"

static void test_text_of_an_error_is_that_of_the_c_library(void **state)
{
	static const int known[] = {
		E2BIG,   EACCES, EAGAIN,  EFBIG,  EINVAL,       EIO,    EISDIR,
		ELIBBAD, ELOOP,  EMFILE,  ENOENT, ENAMETOOLONG, ENOMEM, ENOEXEC,
		ENOSPC,  ENXIO,  ENOTDIR, EPERM,  EROFS,        ESRCH,  ETXTBSY,
		ENOSYS,  ENODEV, ENOTSUP, ENFILE, ETIMEDOUT,    ESTALE, EBUSY,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_string_equal(errors_text(known[i]), strerror(known[i]));
}

static void test_unknown_error_is_printed_as_its_number(void **state)
{
	static const struct {
		int error;
		const char *text;
	} rows[] = {
		{ 999, "error 999" },
		{ 0, "error 0" },
		{ -1, "error -1" },
		{ INT32_MIN, "error -2147483648" },
		{ INT32_MAX, "error 2147483647" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(errors_text(rows[i].error), rows[i].text);
}

/* The other errnos in the table must have the right text, too. */
static void test_no_text_is_wrong(void **state)
{
	(void)state;
	for (int error = 1; error < 200; error++) {
		const char *text = errors_text(error);

		if (strncmp(text, "error ", 6) != 0)
			assert_string_equal(text, strerror(error));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_text_of_an_error_is_that_of_the_c_library),
		cmocka_unit_test(test_unknown_error_is_printed_as_its_number),
		cmocka_unit_test(test_no_text_is_wrong),
	};

	return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
