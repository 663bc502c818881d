#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lifecycle.h"

static struct options defaults(enum mode mode)
{
	return (struct options){
		.mode = mode,
		.target = mode == MODE_SINGLE_CHILD ? TARGET_COMMAND
						    : TARGET_GROUP,
		.grace_ms = DURATION_NONE,
		.kill_after_ms = DURATION_NONE,
	};
}

static struct actions arrive(const struct options *options, int signum,
			     bool reached)
{
	struct lifecycle lifecycle = lifecycle_start(options);
	const struct event event = {
		.kind = EVENT_SIGNAL,
		.signum = signum,
		.reached_command = reached,
	};
	const struct actions actions = lifecycle_step(&lifecycle, &event, 0);

	assert_int_equal(lifecycle.phase, PHASE_RUNNING);
	return actions;
}

static bool stops_a_job(int signum)
{
	return signum == SIGTSTP || signum == SIGTTIN || signum == SIGTTOU;
}

/* Every combination of signal, mode and rewrite. */
static void test_signal_is_rewritten_and_sent_to_the_target(void **state)
{
	struct options options;
	static const int rewrites[] = { REWRITE_UNSET, REWRITE_DROP, SIGUSR1,
					SIGTSTP,       SIGSTOP,      64 };

	(void)state;
	for (int mode = MODE_SESSION; mode <= MODE_SINGLE_CHILD; mode++) {
		options = defaults((enum mode)mode);
		for (int signum = 1; signum <= SIGNALS_RTMAX; signum++) {
			for (size_t i = 0; i < 6; i++) {
				struct actions actions;
				int expected = rewrites[i];

				options.rewrites.to[signum] =
					(uint8_t)rewrites[i];
				actions = arrive(&options, signum, false);
				if (expected == REWRITE_DROP)
					expected = 0;
				else if (expected == REWRITE_UNSET)
					expected =
						mode == MODE_SESSION &&
								stops_a_job(
									signum)
							? SIGSTOP
							: signum;
				assert_int_equal(actions.signum, expected);
				assert_int_equal(actions.target,
						 mode != MODE_SINGLE_CHILD
							 ? TARGET_GROUP
							 : TARGET_COMMAND);
				assert_int_equal(actions.suspend,
						 stops_a_job(signum) ? signum
								     : 0);
			}
			options.rewrites.to[signum] = REWRITE_UNSET;
		}
	}
}

static void test_signal_that_reached_command_is_not_forwarded(void **state)
{
	const struct options options = defaults(MODE_SINGLE_CHILD);

	(void)state;
	for (int signum = 1; signum <= SIGNALS_RTMAX; signum++) {
		struct actions actions = arrive(&options, signum, true);

		assert_int_equal(actions.signum, 0);
		assert_int_equal(actions.suspend,
				 stops_a_job(signum) ? signum : 0);
	}
}

static void test_exit_of_command_is_an_exit_with_its_status(void **state)
{
	static const struct {
		enum mode mode;
		int cause, status, expected, signum;
	} rows[] = {
		{ MODE_SESSION, CLD_EXITED, 0, 0, SIGTERM },
		{ MODE_SESSION, CLD_EXITED, 255, 255, SIGTERM },
		{ MODE_SESSION, CLD_KILLED, SIGTERM, 143, SIGTERM },
		{ MODE_SESSION, CLD_DUMPED, SIGSEGV, 139, SIGTERM },
		{ MODE_SINGLE_CHILD, CLD_EXITED, 3, 3, 0 },
		{ MODE_SINGLE_CHILD, CLD_KILLED, 64, 192, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct options options = defaults(rows[i].mode);
		struct lifecycle lifecycle = lifecycle_start(&options);
		const struct event event = { .kind = EVENT_COMMAND_EXITED };
		struct actions actions = lifecycle_step(&lifecycle, &event, 0);

		lifecycle_set_status(&lifecycle, rows[i].cause, rows[i].status);

		assert_int_equal(lifecycle.phase, PHASE_OVER);
		assert_int_equal(lifecycle.status, rows[i].expected);
		assert_int_equal(actions.signum, rows[i].signum);
		assert_false(actions.suspend);
		if (actions.signum != 0)
			assert_int_equal(actions.target, TARGET_GROUP);
	}
}

/* This SIGTERM is not a forwarded signal, so it is not rewritten. */
static void test_sigterm_after_exit_of_command_is_not_rewritten(void **state)
{
	struct options options = defaults(MODE_SESSION);
	const struct event event = { .kind = EVENT_COMMAND_EXITED };
	struct lifecycle lifecycle = lifecycle_start(&options);

	(void)state;
	options.rewrites.to[SIGTERM] = REWRITE_DROP;
	assert_int_equal(lifecycle_step(&lifecycle, &event, 0).signum, SIGTERM);
}

/* --map-exit is for COMMAND's status: 127 and 126 are dumb-init's. */
static void test_program_that_did_not_start_is_an_exit(void **state)
{
	struct options options = defaults(MODE_SESSION);
	const struct event event = { .kind = EVENT_EXEC_FAILED, .status = 127 };
	struct lifecycle lifecycle = lifecycle_start(&options);
	struct actions actions;

	(void)state;
	options.grace_ms = 1000;
	options.status_change[127] = 1;
	actions = lifecycle_step(&lifecycle, &event, 0);
	assert_int_equal(lifecycle.phase, PHASE_OVER);
	assert_int_equal(lifecycle.status, 127);
	assert_int_equal(actions.signum, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_signal_is_rewritten_and_sent_to_the_target),
		cmocka_unit_test(
			test_signal_that_reached_command_is_not_forwarded),
		cmocka_unit_test(
			test_exit_of_command_is_an_exit_with_its_status),
		cmocka_unit_test(
			test_sigterm_after_exit_of_command_is_not_rewritten),
		cmocka_unit_test(test_program_that_did_not_start_is_an_exit),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
