#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include <cmocka.h>

/* The static functions of this module are tested. */
#include "supervise.c" /* NOLINT(bugprone-suspicious-include) */

/* A status of wait(2), as the kernel makes it. */
#define EXITED(status)  ((status) << 8)
#define KILLED(signum)  (signum)
#define DUMPED(signum)  ((signum) | 0x80)
#define STOPPED(signum) ((signum) << 8 | 0x7f)

static void test_wait_status_becomes_a_siginfo(void **state)
{
	static const struct {
		int wstatus, cause, status;
	} rows[] = {
		{ EXITED(0), CLD_EXITED, 0 },
		{ EXITED(255), CLD_EXITED, 255 },
		{ KILLED(SIGKILL), CLD_KILLED, SIGKILL },
		{ KILLED(64), CLD_KILLED, 64 },
		{ DUMPED(SIGSEGV), CLD_DUMPED, SIGSEGV },
		{ STOPPED(SIGTRAP), CLD_TRAPPED, SIGTRAP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const siginfo_t child = from_wstatus(42, rows[i].wstatus);

		assert_int_equal(child.si_pid, 42);
		assert_int_equal(child.si_code, rows[i].cause);
		assert_int_equal(child.si_status, rows[i].status);
		assert_int_equal(is_exit(child.si_code),
				 rows[i].cause != CLD_TRAPPED);
	}
}

static struct supervisor idle(const struct options *options)
{
	return (struct supervisor){ .lifecycle = lifecycle_start(options) };
}

static const struct options none = { .grace_ms = DURATION_NONE,
				     .kill_after_ms = DURATION_NONE };

static void test_idle_wait_has_no_timeout(void **state)
{
	const struct supervisor supervisor = idle(&none);

	(void)state;
	assert_int_equal(next_timeout(&supervisor), KERNEL_FOREVER);
}

static void test_timeout_is_the_shortest_pending_one(void **state)
{
	struct supervisor supervisor = idle(&none);

	(void)state;
	supervisor.must_poll = true;
	assert_int_equal(next_timeout(&supervisor), POLL_INTERVAL);
	supervisor.start_tries = 1;
	assert_int_equal(next_timeout(&supervisor), FINISH_START_AFTER);
	supervisor.lifecycle.kill_at = kernel_clock() + NUMBERS_MS;
	assert_in_range(next_timeout(&supervisor), 0, NUMBERS_MS);
}

static void test_deadline_that_has_passed_is_a_timeout_of_0(void **state)
{
	struct supervisor supervisor = idle(&none);

	(void)state;
	supervisor.must_poll = true;
	supervisor.lifecycle.kill_at = kernel_clock();
	assert_int_equal(next_timeout(&supervisor), 0);
	supervisor.lifecycle.kill_at = 1;
	assert_int_equal(next_timeout(&supervisor), 0);
}

static void test_clock_is_read_only_for_options_with_a_time(void **state)
{
	static const struct {
		struct options options;
		bool is_signal;
		bool timed;
	} rows[] = {
		{ { .grace_ms = DURATION_NONE, .kill_after_ms = DURATION_NONE },
		  false,
		  false },
		{ { .grace_ms = 0, .kill_after_ms = DURATION_NONE },
		  false,
		  true },
		{ { .grace_ms = 0, .kill_after_ms = DURATION_NONE },
		  true,
		  false },
		{ { .mode = MODE_PAUSE,
		    .grace_ms = 0,
		    .kill_after_ms = DURATION_NONE },
		  true,
		  true },
		{ { .grace_ms = DURATION_NONE, .kill_after_ms = 0 },
		  true,
		  true },
		{ { .grace_ms = DURATION_NONE,
		    .kill_after_ms = DURATION_NONE,
		    .delay_signal = SIGTERM },
		  true,
		  true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct event signal = { .kind = EVENT_SIGNAL };
		const struct event exit = { .kind = EVENT_COMMAND_EXITED };

		assert_int_equal(time_of(rows[i].is_signal ? &signal : &exit,
					 &rows[i].options) != 0,
				 rows[i].timed);
	}
}

/* The status of a child that runs the function as the leader of a session. */
static int in_session(int function(void))
{
	const pid_t child = fork();
	int wstatus = -1;

	if (child == 0) {
		const int status = setsid() > 0 ? function() : -1;

		/* valgrind reports open files. The terminal hangs up then. */
		(void)signal(SIGHUP, SIG_IGN);
		for (int file = STDERR_FILENO + 1; file < 64; file++)
			(void)close(file);
		_exit(status);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &wstatus, 0), child);
	return wstatus;
}

/* Makes a new terminal that of our session, which has none. */
static bool get_terminal(void)
{
	const int master = posix_openpt(O_RDWR | O_NOCTTY);

	return grantpt(master) == 0 && unlockpt(master) == 0 &&
	       open(ptsname(master), O_RDWR) >= 0;
}

/* Whether the kernel's signal counts as sent to COMMAND as well. */
static bool has_reached(struct start *start, int signum, bool is_pid_1)
{
	const struct options single = { .mode = MODE_SINGLE_CHILD,
					.grace_ms = DURATION_NONE,
					.kill_after_ms = DURATION_NONE };
	struct supervisor supervisor = idle(&single);
	const siginfo_t info = { .si_signo = signum, .si_code = SI_KERNEL };

	supervisor.start = start;
	supervisor.command = getpid();
	supervisor.lifecycle.is_pid_1 = is_pid_1;
	return has_reached_command(&supervisor, &info);
}

/* Returns 0 if all is right. SIGALRM is one of setitimer(2). */
static int miss_a_key(void)
{
	struct start start = { .missed = SIGNALS_BIT(SIGINT) };

	return !get_terminal() || has_reached(&start, SIGINT, true) ||
	       !has_reached(&start, SIGINT, true) ||
	       has_reached(&start, SIGALRM, true);
}

static void test_missed_signal_is_not_taken_for_the_next_one(void **state)
{
	(void)state;
	assert_int_equal(in_session(miss_a_key), 0);
}

/* Without a terminal. If it is not sent to PID 1, it is a key all the same. */
static int press_ctrl_alt_del(void)
{
	struct start start = { .missed = 0 };

	return has_reached(&start, SIGINT, true) ||
	       !has_reached(&start, SIGINT, false);
}

static void test_ctrl_alt_del_is_for_pid_1_alone(void **state)
{
	(void)state;
	assert_int_equal(in_session(press_ctrl_alt_del), 0);
}

static pid_t pid_of_no_process(void)
{
	const pid_t child = fork();

	if (child == 0)
		_exit(0);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	return child;
}

static void test_signal_that_cannot_be_sent_is_a_failure(void **state)
{
	/* This process would ignore it. */
	struct actions actions = { .signum = SIGURG, .target = TARGET_ALL };
	struct supervisor supervisor = idle(&none);

	(void)state;
	assert_false(may_signal(0));
	assert_true(may_signal(getpid()));
	assert_int_equal(send_to_all(&supervisor, &actions, NULL), 0);
	supervisor.command = pid_of_no_process();
	assert_int_equal(send_to_all(&supervisor, &actions, NULL), ESRCH);
	assert_false(send_to_command(&supervisor, TARGET_GROUP, SIGURG, NULL));
	assert_int_equal(supervisor.sent, 0);
	/* Only a SIGKILL that fails explains survivors. */
	actions.target = TARGET_GROUP;
	send_signal(&supervisor, &actions, NULL);
	assert_false(supervisor.kill_failed);
	actions.signum = SIGKILL;
	send_signal(&supervisor, &actions, NULL);
	assert_true(supervisor.kill_failed);
}

static void test_kill_by_a_signal_of_dumb_init_is_not_explained(void **state)
{
	(void)state;
	assert_true(is_expected(0, SIGPIPE));
	assert_false(is_expected(0, SIGSEGV));
	assert_false(is_expected(0, SIGKILL));
	assert_true(is_expected(SIGNALS_BIT(SIGKILL), SIGKILL));
	assert_false(is_expected(SIGNALS_BIT(SIGKILL), SIGSEGV));
}

/* A child that has stopped; traced: by this process. */
static siginfo_t stopped_child(bool traced)
{
	siginfo_t child = { .si_pid = 0 };
	const pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* if a check fails */
		if (traced)
			(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)kill(getpid(), SIGSTOP);
		for (;;)
			(void)pause();
	}
	assert_true(pid > 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &child, WSTOPPED | WNOWAIT),
			 0);
	return child;
}

/* The last moment before the process exits with the status of a failed exec. */
static void test_kill_of_a_process_whose_exec_failed_is_the_status(void **state)
{
	struct start start = { .failed = true };
	struct supervisor supervisor = idle(&none);
	const pid_t child = stopped_child(false).si_pid;
	siginfo_t exited;

	(void)state;
	supervisor.start = &start;
	supervisor.command = child;
	supervisor.sent = SIGNALS_BIT(SIGKILL);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child, &exited, WEXITED | WNOWAIT),
			 0);
	assert_true(reap_command(&supervisor, &exited, false));
	assert_int_equal(supervisor.lifecycle.status, 128 + SIGKILL);
}

static void kill_child(pid_t pid)
{
	siginfo_t exited;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &exited, WEXITED | WNOWAIT),
			 0);
}

static void test_only_a_child_that_has_exited_is_reaped(void **state)
{
	const siginfo_t child = stopped_child(false);
	siginfo_t exited;

	(void)state;
	assert_false(reap(child.si_pid, &exited, NULL));
	kill_child(child.si_pid);
	assert_true(reap(child.si_pid, &exited, NULL));
	assert_int_equal(exited.si_pid, child.si_pid);
	assert_int_equal(exited.si_code, CLD_KILLED);
	assert_int_equal(exited.si_status, SIGKILL);
}

static void test_detach_succeeds_only_for_a_traced_child(void **state)
{
	const siginfo_t child = stopped_child(true);
	siginfo_t exited;

	(void)state;
	assert_true(detach_traced(&child));
	assert_false(detach_traced(&child));
	kill_child(child.si_pid);
	assert_true(reap(child.si_pid, &exited, NULL));
}

static void test_stop_is_taken_without_a_wait(void **state)
{
	const siginfo_t child = stopped_child(false);
	siginfo_t left = { .si_pid = 0 };

	(void)state;
	errno = EPERM;
	assert_true(forget_stop(child.si_pid));
	assert_int_equal(
		waitid(P_PID, (id_t)child.si_pid, &left, WSTOPPED | WNOHANG),
		0);
	assert_int_equal(left.si_pid, 0);
	errno = EPERM;
	assert_true(forget_stop(child.si_pid));
	kill_child(child.si_pid);
	assert_true(reap(child.si_pid, &left, NULL));
	errno = EPERM;
	assert_false(forget_stop(child.si_pid));
	errno = ESRCH;
	assert_true(forget_stop(child.si_pid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wait_status_becomes_a_siginfo),
		cmocka_unit_test(test_idle_wait_has_no_timeout),
		cmocka_unit_test(test_timeout_is_the_shortest_pending_one),
		cmocka_unit_test(
			test_deadline_that_has_passed_is_a_timeout_of_0),
		cmocka_unit_test(
			test_clock_is_read_only_for_options_with_a_time),
		cmocka_unit_test(
			test_missed_signal_is_not_taken_for_the_next_one),
		cmocka_unit_test(test_ctrl_alt_del_is_for_pid_1_alone),
		cmocka_unit_test(test_signal_that_cannot_be_sent_is_a_failure),
		cmocka_unit_test(
			test_kill_of_a_process_whose_exec_failed_is_the_status),
		cmocka_unit_test(
			test_kill_by_a_signal_of_dumb_init_is_not_explained),
		cmocka_unit_test(test_only_a_child_that_has_exited_is_reaped),
		cmocka_unit_test(test_detach_succeeds_only_for_a_traced_child),
		cmocka_unit_test(test_stop_is_taken_without_a_wait),
	};

	return cmocka_run_group_tests_name("supervise", tests, NULL, NULL);
}
