#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "session.h"
/* Whether there is always one more child that has exited; and their count. */
static bool endless;
static int children_found;

/* In the place of waitid. */
static int find_child(idtype_t type, id_t id, siginfo_t *child, int options)
{
	if (!endless || children_found > 10000)
		return waitid(type, id, child, options);
	if (type == P_ALL)
		children_found++;
	*child = (siginfo_t){ .si_code = CLD_EXITED };
	child->si_pid = INT_MAX; /* no process has this PID */
	return 0;
}

#define waitid find_child
/* The static functions of this module are tested. */
#include "supervise.c" /* NOLINT(bugprone-suspicious-include) */
#undef waitid

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
	static struct start started;

	return (struct supervisor){ .lifecycle = lifecycle_start(options),
				    .start = &started };
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

	return get_terminal() < 0 || has_reached(&start, SIGINT, true) ||
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
	errno = EPERM; /* of another call */
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

/* A zombie. */
static pid_t dead_child(void)
{
	const pid_t pid = stopped_child(false).si_pid;

	kill_child(pid);
	return pid;
}

static bool is_reaped(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static bool is_traced(pid_t pid)
{
	siginfo_t info;

	return ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0;
}

static void end_child(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_child_that_waitid_finds_is_reaped_or_continues(void **state)
{
	struct supervisor supervisor = idle(&none);
	const siginfo_t traced = stopped_child(true);
	const siginfo_t stopped = stopped_child(false);
	siginfo_t exited = { .si_code = CLD_KILLED };

	(void)state;
	assert_true(reap_found(&supervisor, &traced));
	assert_false(is_traced(traced.si_pid));
	end_child(traced.si_pid);
	/* As one that has been killed since. */
	assert_true(reap_found(&supervisor, &stopped));
	end_child(stopped.si_pid);
	exited.si_pid = dead_child();
	assert_true(reap_found(&supervisor, &exited));
	assert_true(is_reaped(exited.si_pid));
	assert_false(reap_found(&supervisor, &exited));
}

static void test_sigchld_names_a_child_to_reap_but_not_command(void **state)
{
	struct supervisor supervisor = idle(&none);
	siginfo_t info = { .si_code = CLD_STOPPED };

	(void)state;
	info.si_pid = dead_child();
	reap_named(&supervisor, &info);
	info.si_code = CLD_EXITED;
	supervisor.command = info.si_pid;
	reap_named(&supervisor, &info);
	assert_false(is_reaped(info.si_pid)); /* this waitpid reaps it */
	supervisor.command = 0;
	reap_named(&supervisor, &info);
	info.si_pid = dead_child();
	reap_named(&supervisor, &info);
	assert_true(is_reaped(info.si_pid));
	/* A SIGCHLD is no proof: this child has not exited. */
	info.si_pid = stopped_child(false).si_pid;
	reap_named(&supervisor, &info);
	end_child(info.si_pid);
}

static void test_wait4_alone_reaps_all_children_and_command(void **state)
{
	struct supervisor supervisor = idle(&none);
	const siginfo_t traced = stopped_child(true);
	const pid_t command = dead_child();
	const pid_t orphan = fork();
	siginfo_t exited;

	(void)state;
	if (orphan == 0)
		_exit(7);
	assert_int_equal(
		waitid(P_PID, (id_t)orphan, &exited, WEXITED | WNOWAIT), 0);
	supervisor.command = command;
	supervisor.sent = SIGNALS_BIT(SIGKILL);
	supervisor.start_tries = 1;
	assert_true(reap_by_wait4(&supervisor));
	errno = ECHILD; /* of the waitid before */
	assert_true(reap_by_wait4(&supervisor));
	assert_true(is_reaped(orphan));
	assert_int_equal(supervisor.command, 0);
	assert_int_equal(supervisor.start_tries, 0);
	assert_int_equal(supervisor.lifecycle.status, 128 + SIGKILL);
	assert_false(is_traced(traced.si_pid));
	end_child(traced.si_pid);
	assert_false(reap_by_wait4(&supervisor));
}

static void
test_all_dead_children_are_reaped_and_a_living_one_remains(void **state)
{
	struct supervisor supervisor = idle(&none);
	pid_t dead[2], living;

	(void)state;
	assert_false(reap_all(&supervisor));
	assert_false(supervisor.must_poll);
	dead[0] = dead_child();
	living = stopped_child(false).si_pid;
	dead[1] = dead_child();
	assert_true(reap_all(&supervisor));
	assert_false(supervisor.must_poll);
	assert_true(is_reaped(dead[0]));
	assert_true(is_reaped(dead[1]));
	end_child(living);
}

/* Others must have their turn in a flood of exits. */
static void test_a_round_reaps_a_thousand_children_and_is_repeated(void **state)
{
	struct supervisor supervisor = idle(&none);

	(void)state;
	endless = true;
	assert_true(reap_all(&supervisor));
	endless = false;
	assert_true(supervisor.must_poll);
	assert_int_equal(children_found, IN_A_ROW_MAX);
	assert_false(reap_all(&supervisor));
	assert_false(supervisor.must_poll);
}

/* As if a seccomp(2) filter made waitid fail with ECHILD. */
static void test_command_that_is_not_found_is_polled_for(void **state)
{
	struct supervisor supervisor = idle(&none);

	(void)state;
	supervisor.command = pid_of_no_process();
	assert_false(reap_all(&supervisor));
	assert_true(supervisor.must_poll);
}

static void test_start_is_finished_after_exec_or_the_last_try(void **state)
{
	struct start start = { .starting = 1 };
	struct supervisor supervisor = idle(&none);

	(void)state;
	supervisor.start = &start;
	supervisor.start_tries = 3;
	supervisor.command = SPAWN_NO_COMMAND;
	finish_start(&supervisor);
	assert_int_equal(supervisor.start_tries, 0);
	supervisor.command = getpid();
	supervisor.start_tries = 3;
	supervisor.oom_kills_before = OOM_UNKNOWN - 1;
	for (int left = 2; left > 0; left--) {
		finish_start(&supervisor);
		assert_int_equal(supervisor.start_tries, left);
		assert_false(start.awaited);
	}
	assert_int_equal(supervisor.oom_kills_before, OOM_UNKNOWN - 1);
	finish_start(&supervisor);
	assert_int_equal(supervisor.start_tries, 0);
	assert_true(start.awaited);
	assert_int_not_equal(supervisor.oom_kills_before, OOM_UNKNOWN - 1);
}

/* In a session with a terminal, whose foreground group is ours. */
static int look_for_job_state(void)
{
	const struct options group = { .mode = MODE_GROUP };
	struct supervisor supervisor = idle(&group);
	struct event event = { .owner = TERMINAL_NONE };

	if (get_terminal() < 0)
		return 1;
	add_job_state(&supervisor, SIGTSTP, &event);
	supervisor.command = getpid();
	add_job_state(&supervisor, 0, &event);
	add_job_state(&supervisor, SIGTERM, &event);
	if (event.owner != TERMINAL_NONE)
		return 1;
	add_job_state(&supervisor, SIGTSTP, &event);
	return event.owner != TERMINAL_OURS;
}

static void test_job_state_is_of_command_and_for_a_job_stop_only(void **state)
{
	(void)state;
	assert_int_equal(in_session(look_for_job_state), 0);
}

static void test_start_is_finished_after_some_signals_or_a_timeout(void **state)
{
	const struct options delay = { .grace_ms = DURATION_NONE,
				       .kill_after_ms = DURATION_NONE,
				       .delay_signal = SIGURG };
	struct start start = { .starting = 1, .awaited = true };
	struct supervisor supervisor = idle(&none);
	struct inherited inherited;

	(void)state;
	supervisor.start = &start;
	supervisor.command = stopped_child(false).si_pid;
	supervisor.start_tries = 2;
	assert_true(delivery_block_all(&inherited));
	for (unsigned int i = 1; i <= EARLY_MAX + 1; i++) {
		assert_int_equal(supervisor.start_tries, 2);
		assert_int_equal(kill(getpid(), SIGURG), 0);
		handle_next(&supervisor);
		assert_int_equal(supervisor.signals_in_a_row, i);
	}
	assert_int_equal(supervisor.start_tries, 0);
	supervisor.start_tries = 1;
	handle_next(&supervisor);
	assert_int_equal(supervisor.start_tries, 0);
	assert_int_equal(supervisor.signals_in_a_row, 0);
	/* A deadline, too, ends a row of signals. */
	supervisor.lifecycle.options = &delay;
	supervisor.lifecycle.delay_ends_at = 1;
	supervisor.signals_in_a_row = 1;
	handle_next(&supervisor);
	assert_int_equal(supervisor.signals_in_a_row, 0);
	delivery_restore(&inherited);
	end_child(supervisor.command);
}

static void test_delayed_signal_keeps_its_value(void **state)
{
	const struct options delay = { .grace_ms = DURATION_NONE,
				       .kill_after_ms = DURATION_NONE,
				       .delay_signal = SIGTERM,
				       .delay_ms = 1 };
	const struct event term = { .kind = EVENT_SIGNAL, .signum = SIGTERM };
	const struct event user = { .kind = EVENT_SIGNAL, .signum = SIGUSR1 };
	const struct event deadline = { .kind = EVENT_DEADLINE };
	const siginfo_t first = { .si_signo = SIGTERM };
	const siginfo_t second = { .si_signo = SIGUSR1 };
	struct supervisor supervisor = idle(&delay);
	const siginfo_t *info = &first;

	(void)state;
	supervisor.command = getpid();
	assert_int_equal(decide(&supervisor, &term, &info).outcome,
			 OUTCOME_DELAYED);
	info = &second;
	(void)decide(&supervisor, &user, &info);
	info = NULL;
	supervisor.lifecycle.delay_ends_at = 0;
	(void)decide(&supervisor, &deadline, &info);
	assert_ptr_equal(info, &supervisor.delayed);
	assert_int_equal(supervisor.delayed.si_signo, SIGTERM);
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
		cmocka_unit_test(
			test_child_that_waitid_finds_is_reaped_or_continues),
		cmocka_unit_test(
			test_sigchld_names_a_child_to_reap_but_not_command),
		cmocka_unit_test(
			test_wait4_alone_reaps_all_children_and_command),
		cmocka_unit_test(
			test_all_dead_children_are_reaped_and_a_living_one_remains),
		cmocka_unit_test(
			test_a_round_reaps_a_thousand_children_and_is_repeated),
		cmocka_unit_test(test_command_that_is_not_found_is_polled_for),
		cmocka_unit_test(
			test_start_is_finished_after_exec_or_the_last_try),
		cmocka_unit_test(
			test_job_state_is_of_command_and_for_a_job_stop_only),
		cmocka_unit_test(
			test_start_is_finished_after_some_signals_or_a_timeout),
		cmocka_unit_test(test_delayed_signal_keeps_its_value),
	};

	return cmocka_run_group_tests_name("supervise", tests, NULL, NULL);
}
