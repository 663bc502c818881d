#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "report.h"

enum {
	COMMAND = 42,
};

/* Stderr is this pipe while we report; the runner writes to the real one. */
static int ends[2], err;

static void assert_said(const char *expected)
{
	char line[LOG_LINE_MAX];
	ssize_t length = read(ends[0], line, sizeof(line) - 1);

	assert_true(length > 0);
	line[length] = '\0';
	assert_string_equal(line, expected);
}

static void report(const siginfo_t *info, const struct actions *actions,
		   bool reached)
{
	const struct event event = {
		.kind = EVENT_SIGNAL,
		.signum = info->si_signo,
		.reached_command = reached,
	};

	dup2(ends[1], STDERR_FILENO);
	report_actions(&event, info, actions, COMMAND);
	dup2(err, STDERR_FILENO);
}

static void test_sender_is_who_the_kernel_says(void **state)
{
	const struct actions dropped = { .signum = 0 };
	siginfo_t info = { .si_signo = SIGHUP };
	static const int with_sender[] = { SI_USER, SI_QUEUE, SI_TKILL };

	(void)state;
	info.si_pid = INT_MAX;
	info.si_uid = UINT_MAX;
	for (size_t i = 0; i < 3; i++) {
		info.si_code = with_sender[i];
		report(&info, &dropped, false);
		assert_said("[dumb-init] SIGHUP from PID 2147483647, "
			    "UID 4294967295: dropped\n");
	}
	/* Whatever is at si_pid means something else now. */
	info.si_code = SI_KERNEL;
	report(&info, &dropped, false);
	assert_said("[dumb-init] SIGHUP from the terminal: dropped\n");
	info.si_signo = SIGALRM;
	report(&info, &dropped, false);
	assert_said("[dumb-init] SIGALRM from the kernel: dropped\n");
	info.si_code = SI_TIMER;
	report(&info, &dropped, false);
	assert_said("[dumb-init] SIGALRM from the kernel: dropped\n");
}

static void test_what_became_of_a_signal(void **state)
{
	const siginfo_t info = { .si_signo = SIGTERM, .si_code = SI_KERNEL };
	const struct actions itself = { .signum = SIGTERM,
					.target = TARGET_GROUP };
	const struct actions another = { .signum = 64,
					 .target = TARGET_COMMAND };

	(void)state;
	report(&info, &itself, false);
	assert_said("[dumb-init] SIGTERM from the kernel: passed on to group "
		    "42\n");
	report(&info, &another, false);
	assert_said("[dumb-init] SIGTERM from the kernel: passed on to PID 42 "
		    "as SIGRTMAX\n");
	report(&info, &(struct actions){ .signum = 0 }, true);
	assert_said("[dumb-init] SIGTERM from the kernel: COMMAND has it "
		    "already\n");
}

static int make_pipe(void **state)
{
	(void)state;
	err = dup(STDERR_FILENO);
	log_set_level(LOG_VERBOSE);
	return err < 0 ? -1 : pipe(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sender_is_who_the_kernel_says),
		cmocka_unit_test(test_what_became_of_a_signal),
	};

	return cmocka_run_group_tests_name("report", tests, make_pipe, NULL);
}
