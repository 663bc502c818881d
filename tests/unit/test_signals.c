#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "signals.h"

static void test_signals_are_parsed_from_numbers_and_names(void **state)
{
	static const struct {
		const char *text;
		int signum;
	} rows[] = {
		{ "1", 1 },
		{ "15", SIGTERM },
		{ "015", SIGTERM },
		{ "64", 64 },
		{ "TERM", SIGTERM },
		{ "sigterm", SIGTERM },
		{ "SigTerm", SIGTERM },
		{ "hup", SIGHUP },
		{ "KILL", SIGKILL },
		{ "STKFLT", 16 },
		{ "SYS", SIGSYS },
		{ "IOT", SIGABRT },
		{ "SIGCLD", SIGCHLD },
		{ "poll", SIGIO },
		{ "RTMIN", 34 },
		{ "SIGRTMIN", 34 },
		{ "rtmin+0", 34 },
		{ "RTMIN+3", 37 },
		{ "RTMIN+30", 64 },
		{ "RTMAX", 64 },
		{ "SIGRTMAX-1", 63 },
		{ "sigrtmax-30", 34 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(signals_parse(rows[i].text), rows[i].signum);
}

static void test_malformed_signal_is_an_error(void **state)
{
	static const char *const rows[] = {
		"",
		"0",
		"00",
		"65",
		"-1",
		"+1",
		"1 ",
		" 1",
		"1x",
		"0x1",
		"1.0",
		"4294967297",
		"SIG",
		"SIGSIGINT",
		"SIG15",
		"TER",
		"TERMX",
		/* The character after "z", and one that is not ASCII. */
		"TER{",
		"ter\xcd",
		"SIGTERM ",
		"RTMIN+",
		"RTMIN-1",
		"RTMIN+31",
		"RTMIN+-1",
		"RTMIN+1x",
		"RTMIN +1",
		"RTMAX-",
		"RTMAX+1",
		"RTMAX-31",
		"RTMAX-1-1",
		"RTMI",
		"RTMINX",
		"RTMIN+ 1",
		"99999999999999999999",
		"SIG32",
		"EXIT",
		"RTMIN+4294967296",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(signals_parse(rows[i]), SIGNALS_NONE);
}

static void test_signals_are_printed_by_name(void **state)
{
	(void)state;
	assert_string_equal(signals_name(SIGTERM).text, "SIGTERM");
	assert_string_equal(signals_name(SIGVTALRM).text, "SIGVTALRM");
	assert_string_equal(signals_name(32).text, "SIG32");
	assert_string_equal(signals_name(33).text, "SIG33");
	assert_string_equal(signals_name(34).text, "SIGRTMIN");
	assert_string_equal(signals_name(35).text, "SIGRTMIN+1");
	assert_string_equal(signals_name(49).text, "SIGRTMIN+15");
	assert_string_equal(signals_name(50).text, "SIGRTMAX-14");
	assert_string_equal(signals_name(63).text, "SIGRTMAX-1");
	assert_string_equal(signals_name(64).text, "SIGRTMAX");
}

static void test_every_printed_name_is_parsed(void **state)
{
	(void)state;
	for (int signum = 1; signum <= SIGNALS_RTMAX; signum++) {
		int parsed = signals_parse(signals_name(signum).text);
		bool nameless = signum == 32 || signum == 33;

		assert_int_equal(parsed, nameless ? SIGNALS_NONE : signum);
	}
}

static void test_every_name_is_parsed_in_lower_case(void **state)
{
	(void)state;
	for (int signum = 1; signum < 32; signum++) {
		struct signal_name name = signals_name(signum);

		for (char *c = name.text; *c != '\0'; c++)
			*c = (char)tolower(*c);
		assert_int_equal(signals_parse(name.text), signum);
	}
}

static void test_rewrites_are_parsed(void **state)
{
	struct rewrites rewrites = { { 0 } };

	(void)state;
	assert_true(signals_rewrite(&rewrites, "TERM", "QUIT"));
	assert_int_equal(rewrites.to[SIGTERM], SIGQUIT);
	assert_true(signals_rewrite(&rewrites, "15", "sigrtmin+10"));
	assert_int_equal(rewrites.to[SIGTERM], 44);
	assert_true(signals_rewrite(&rewrites, "SIGRTMIN+15", "0"));
	assert_int_equal(rewrites.to[49], REWRITE_DROP);
	assert_int_equal(rewrites.to[SIGHUP], REWRITE_UNSET);
}

static void test_malformed_rewrite_changes_nothing(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },        { "15", "" },
		{ "", "15" },      { "0", "15" },
		{ "15", "65" },    { "65", "15" },
		{ "15", "-1" },    { "15", "2:3" },
		{ "TERM", "00" },  { "TERM", "FOO" },
		{ "FOO", "TERM" }, { "TERM", "QUIT " },
		{ " 15", "2" },    { "15 ", "2" },
		{ "15", ":2" },    { "SIGRTMIN+150", "2" },
	};
	const struct rewrites none = { { 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rewrites rewrites = none;

		assert_false(
			signals_rewrite(&rewrites, rows[i][0], rows[i][1]));
		assert_memory_equal(&rewrites, &none, sizeof(none));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_signals_are_parsed_from_numbers_and_names),
		cmocka_unit_test(test_malformed_signal_is_an_error),
		cmocka_unit_test(test_signals_are_printed_by_name),
		cmocka_unit_test(test_every_printed_name_is_parsed),
		cmocka_unit_test(test_every_name_is_parsed_in_lower_case),
		cmocka_unit_test(test_rewrites_are_parsed),
		cmocka_unit_test(test_malformed_rewrite_changes_nothing),
	};

	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
