#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The static functions of this module are tested. */
#include "execute.c" /* NOLINT(bugprone-suspicious-include) */

static char tried[256];
static const char *found; /* the candidate that does not fail with ENOENT */
static int given;         /* the errno of that one */

static int record(const char *path, char **command, int error)
{
	(void)command;
	(void)error;
	format_text(tried + strlen(tried), sizeof(tried) - strlen(tried), "%s;",
		    path);
	return found && strcmp(path, found) == 0 ? given : ENOENT;
}

static int search_for(const char *name, const char *path)
{
	char *command[] = { (char *)name, NULL };

	tried[0] = '\0';
	if (path)
		setenv("PATH", path, 1);
	else
		unsetenv("PATH");
	return search(record, command, 0);
}

static void test_candidates_are_the_directories_of_path(void **state)
{
	static const struct {
		const char *path, *tried;
	} rows[] = {
		{ "/a:/b", "/a/x;/b/x;" },
		{ "/a", "/a/x;" },
		{ "", "x;" },
		{ ":/a", "x;/a/x;" },
		{ "/a:", "/a/x;x;" },
		{ "/a::/b", "/a/x;x;/b/x;" },
		{ NULL, "/usr/local/bin/x;/usr/bin/x;/bin/x;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(search_for("x", rows[i].path), ENOENT);
		assert_string_equal(tried, rows[i].tried);
	}
}

static void test_name_with_a_slash_is_not_searched_for(void **state)
{
	(void)state;
	assert_int_equal(search_for("./x", "/a:/b"), ENOENT);
	assert_string_equal(tried, "./x;");
}

static void test_empty_name_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(search_for("", "/a:/b"), ENOENT);
	assert_string_equal(tried, "");
}

static void test_search_ends_at_an_error_other_than_not_found(void **state)
{
	static const struct {
		int failure, result;
		const char *tried;
	} rows[] = {
		{ ENOEXEC, ENOEXEC, "/a/x;" },
		{ ENOMEM, ENOMEM, "/a/x;" },
		{ 0, 0, "/a/x;" },
		{ ENOTDIR, ENOENT, "/a/x;/b/x;" },
		{ ENODEV, ENOENT, "/a/x;/b/x;" },
		{ ESTALE, ENOENT, "/a/x;/b/x;" },
		{ ETIMEDOUT, ENOENT, "/a/x;/b/x;" },
		/* EACCES of a directory: /a/x itself does not exist. */
		{ EACCES, ENOENT, "/a/x;/b/x;" },
	};

	(void)state;
	found = "/a/x";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		given = rows[i].failure;
		assert_int_equal(search_for("x", "/a:/b"), rows[i].result);
		assert_string_equal(tried, rows[i].tried);
	}
	found = NULL;
}

static void test_file_that_may_not_be_executed_is_remembered(void **state)
{
	(void)state;
	found = "/etc/passwd";
	given = EACCES;
	assert_int_equal(search_for("passwd", "/etc:/b"), EACCES);
	assert_string_equal(tried, "/etc/passwd;/b/passwd;");
	found = NULL;
}

static void test_candidate_that_is_too_long_is_skipped(void **state)
{
	char buffer[sizeof("/a/xy")];
	const char *list = "/long:/a";

	(void)state;
	assert_true(next_candidate(buffer, sizeof(buffer), &list, "xy"));
	assert_string_equal(buffer, "/a/xy");
	assert_false(next_candidate(buffer, sizeof(buffer), &list, "xy"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_candidates_are_the_directories_of_path),
		cmocka_unit_test(test_name_with_a_slash_is_not_searched_for),
		cmocka_unit_test(test_empty_name_is_not_found),
		cmocka_unit_test(
			test_search_ends_at_an_error_other_than_not_found),
		cmocka_unit_test(
			test_file_that_may_not_be_executed_is_remembered),
		cmocka_unit_test(test_candidate_that_is_too_long_is_skipped),
	};

	return cmocka_run_group_tests_name("execute", tests, NULL, NULL);
}
