#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "delivery.h"
#include "numbers.h"

static void test_blocked_signals_stay_pending_until_they_are_taken(void **state)
{
	const signals_set user = SIGNALS_BIT(SIGUSR1) | SIGNALS_BIT(SIGUSR2);
	struct inherited inherited;
	siginfo_t info;

	(void)state;
	assert_true(delivery_block_all(&inherited));
	/* Not raise(3), which would hide some. libc hides these signals. */
	for (int signum = 32; signum <= 34; signum++)
		assert_int_equal(kill(getpid(), signum), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_true(kernel_pending() & SIGNALS_BIT(SIGUSR1));
	assert_true(delivery_take(user, &info, 0));
	assert_int_equal(info.si_signo, SIGUSR1);
	assert_int_equal(info.si_pid, getpid());
	assert_false(delivery_take(user, &info, 0));
	for (int signum = 32; signum <= 34; signum++) {
		assert_true(delivery_wait(&info, KERNEL_FOREVER));
		assert_int_equal(info.si_signo, signum);
	}
	assert_int_equal(kernel_pending(), 0);
	delivery_restore(&inherited);
}

static void test_signals_are_waited_for_and_taken(void **state)
{
	/* valgrind reserves the other real-time signals, and the last one. */
	const signals_set others = SIGNALS_BIT(SIGKILL) | SIGNALS_BIT(SIGSTOP) |
				   SIGNALS_BIT(SIGILL) | SIGNALS_BIT(SIGBUS) |
				   SIGNALS_BIT(SIGFPE) | SIGNALS_BIT(SIGSEGV) |
				   SIGNALS_BIT(SIGTRAP) | SIGNALS_BIT(SIGSYS);
	struct inherited inherited;
	siginfo_t info;

	(void)state;
	assert_true(delivery_block_all(&inherited));
	for (int signum = 1; signum < SIGNALS_RTMAX; signum++) {
		if (others & SIGNALS_BIT(signum))
			continue;
		assert_int_equal(kill(getpid(), signum), 0);
		assert_int_equal(kernel_pending(), SIGNALS_BIT(signum));
		assert_true(delivery_wait(&info, KERNEL_FOREVER));
		assert_int_equal(info.si_signo, signum);
		assert_int_equal(kill(getpid(), signum), 0);
		assert_true(delivery_take(SIGNALS_BIT(signum), &info, 0));
		assert_int_equal(info.si_signo, signum);
		assert_int_equal(kernel_pending(), 0);
	}
	delivery_restore(&inherited);
}

/* Any wait, even for a nanosecond, is a voluntary context switch. */
static void test_take_does_not_wait_if_no_signal_is_pending(void **state)
{
	struct inherited inherited;
	struct rusage before, after;
	siginfo_t info;

	(void)state;
	assert_true(delivery_block_all(&inherited));
	assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
	for (int i = 0; i < 100; i++)
		assert_false(delivery_take(SIGNALS_BIT(SIGUSR1), &info, 0));
	assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
	assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, 50);
	delivery_restore(&inherited);
}

static void test_pending_signals_are_discarded(void **state)
{
	const signals_set sent =
		SIGNALS_BIT(SIGTERM) | SIGNALS_BIT(SIGUSR1) | SIGNALS_BIT(34);
	struct inherited inherited;

	(void)state;
	assert_true(delivery_block_all(&inherited));
	assert_int_equal(delivery_discard(), 0);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(kill(getpid(), 34), 0);
	assert_int_equal(delivery_discard(), sent);
	assert_int_equal(kernel_pending(), 0);
	delivery_restore(&inherited);
}

/* The pipe is full, so without the alarm write(2) would block for ever. */
static void test_alarm_interrupts_a_call_that_sleeps(void **state)
{
	const char filling[4096] = { 0 };
	int alarm;
	struct inherited inherited;
	struct sigaction action;
	siginfo_t info;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	while (write(ends[1], filling, sizeof(filling)) > 0)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	assert_true(delivery_block_all(&inherited));
	for (int i = 0; i < 2; i++) {
		assert_true(delivery_start_alarm(&alarm));
		assert_int_equal(write(ends[1], filling, 1), -1);
		assert_int_equal(errno, EINTR);
		delivery_stop_alarm(alarm);
		/* Restored; the pending SIGCHLD causes a check of children. */
		assert_int_equal(sigaction(SIGCHLD, NULL, &action), 0);
		assert_ptr_equal(action.sa_handler, SIG_DFL);
		assert_int_equal(kernel_pending(), SIGNALS_BIT(SIGCHLD));
		assert_true(delivery_take(SIGNALS_ALL, &info, 0));
	}
	delivery_restore(&inherited);
	close(ends[0]);
	close(ends[1]);
}

enum {
	NO_TIMERS = 1,
	STOP_OF_ANOTHER = 2, /* one comes, and has to remain pending */
	CONTINUED = 0,       /* the exit status of the child */
	STOPPED = 1,
	WRONG = 2,
};

static void wait_for_stop_of_another(void)
{
	siginfo_t stop;

	if (!delivery_take(SIGNALS_BIT(SIGTSTP), &stop,
			   INT64_C(60000) * NUMBERS_MS) ||
	    stop.si_code != SI_USER || stop.si_pid != getppid())
		_exit(WRONG);
}

/* A child that stops after the delay, in a group of its own. */
static pid_t start_stop(int64_t delay_ns, int flags)
{
	const struct rlimit none = { 0, 0 };
	struct inherited inherited;
	siginfo_t resumed = { .si_signo = 0 };
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* if a check fails */
	(void)setpgid(0, 0);
	if (!delivery_block_all(&inherited) ||
	    ((flags & NO_TIMERS) && setrlimit(RLIMIT_SIGPENDING, &none) < 0))
		_exit(WRONG);
	if (!delivery_stop_unless_continued(SIGTSTP, delay_ns, &resumed))
		_exit(STOPPED);
	if (resumed.si_signo != SIGCONT)
		_exit(WRONG);
	if (flags & STOP_OF_ANOTHER)
		wait_for_stop_of_another();
	_exit(CONTINUED);
}

/* /proc/PID/syscall, proc(5), begins with the number of the call. */
static bool waits_for_signals(pid_t pid)
{
	char path[64], text[256] = "";
	int file;

	(void)snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	file = open(path, O_RDONLY);
	assert_true(read(file, text, sizeof(text) - 1) > 0);
	close(file);
	return strtol(text, NULL, 10) == SYS_rt_sigtimedwait;
}

static void assert_ends(pid_t pid, int code, int status)
{
	siginfo_t child;

	assert_int_equal(waitid(P_PID, (id_t)pid, &child, WEXITED | WSTOPPED),
			 0);
	assert_int_equal(child.si_code, code);
	assert_int_equal(child.si_status, status);
}

static void test_process_stops_unless_it_is_continued(void **state)
{
	const char *preloaded = getenv("LD_PRELOAD");

	(void)state;
	if (preloaded && strstr(preloaded, "vgpreload"))
		skip(); /* valgrind(1) does not stop at SIGTSTP */
	for (int flags = 0; flags <= NO_TIMERS; flags++) {
		const pid_t pid = start_stop(NUMBERS_MS, flags);

		assert_ends(pid, CLD_STOPPED, SIGTSTP);
		assert_int_equal(kill(pid, SIGCONT), 0);
		assert_ends(pid, CLD_EXITED, STOPPED);
	}
}

/* The SIGTSTP discards the SIGCONT if that is still pending. */
static void test_sigcont_in_the_delay_prevents_the_stop_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		const int flags = i < 2 ? 0 : STOP_OF_ANOTHER;
		const pid_t pid =
			start_stop(INT64_C(60000) * NUMBERS_MS, flags);

		while (!waits_for_signals(pid))
			(void)sched_yield();
		assert_int_equal(kill(pid, SIGCONT), 0);
		if (flags)
			assert_int_equal(kill(pid, SIGTSTP), 0);
		assert_ends(pid, CLD_EXITED, CONTINUED);
	}
}

static void test_alarm_needs_a_timer(void **state)
{
	const struct rlimit none = { 0, 0 };
	const pid_t pid = fork();
	int timer;

	(void)state;
	if (pid == 0) {
		if (setrlimit(RLIMIT_SIGPENDING, &none) < 0)
			_exit(2);
		_exit(delivery_start_alarm(&timer));
	}
	assert_ends(pid, CLD_EXITED, 0);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void test_clock_is_monotonic(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		const int64_t before = now_ns();
		const int64_t now = kernel_clock();

		assert_true(before <= now && now <= now_ns());
	}
}

static void test_wait_ends_at_its_timeout(void **state)
{
	static const int64_t rows[] = { 0, 1, 30, 1100 };
	struct inherited inherited;
	siginfo_t info;

	(void)state;
	assert_true(delivery_block_all(&inherited));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t start = now_ns();

		assert_false(delivery_wait(&info, rows[i] * NUMBERS_MS));
		assert_in_range(now_ns() - start, rows[i] * NUMBERS_MS,
				(rows[i] + 10000) * NUMBERS_MS);
	}
	/* More milliseconds than an int can hold; a signal ends the wait. */
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_true(
		delivery_wait(&info, INT64_C(1000) * INT32_MAX * NUMBERS_MS));
	assert_int_equal(info.si_signo, SIGUSR1);
	delivery_restore(&inherited);
}

static void test_signal_is_queued_with_its_siginfo(void **state)
{
	siginfo_t sent = { .si_code = SI_QUEUE };
	struct inherited inherited;
	siginfo_t info;

	(void)state;
	sent.si_value.sival_int = 42;
	sent.si_pid = 77;
	assert_true(delivery_block_all(&inherited));
	assert_int_equal(kernel_queue_signal(getpid(), 40, &sent), 0);
	assert_true(delivery_take(SIGNALS_BIT(40), &info, 0));
	assert_int_equal(info.si_value.sival_int, 42);
	assert_int_equal(info.si_pid, 77);
	delivery_restore(&inherited);
	assert_int_equal(kernel_queue_signal(getpid(), 1234, &sent), -1);
	assert_int_equal(errno, EINVAL);
}

static void test_signal_state_is_restored_as_inherited(void **state)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct inherited inherited;
	struct sigaction action;
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	assert_int_equal(sigprocmask(SIG_SETMASK, &set, NULL), 0);
	assert_int_equal(sigaction(SIGCHLD, &ignore, NULL), 0);
	assert_true(delivery_block_all(&inherited));
	assert_int_equal(inherited.mask, SIGNALS_BIT(SIGUSR2));
	assert_int_equal(sigaction(SIGCHLD, NULL, &action), 0);
	assert_ptr_equal(action.sa_handler, SIG_DFL);
	delivery_restore(&inherited);
	assert_int_equal(sigaction(SIGCHLD, NULL, &action), 0);
	assert_ptr_equal(action.sa_handler, SIG_IGN);
	assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &set), 0);
	for (int signum = 1; signum < 32; signum++)
		assert_int_equal(sigismember(&set, signum), signum == SIGUSR2);
}

/* The signal queue has no room, so that timer_create(2) fails. */
static void test_exit_of_a_child_is_not_lost_without_an_alarm(void **state)
{
	struct inherited inherited;
	struct rlimit before, none;
	int timer;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_SIGPENDING, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_true(delivery_block_all(&inherited));
	assert_int_equal(kill(getpid(), SIGCHLD), 0);
	assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &none), 0);
	assert_false(delivery_start_alarm(&timer));
	assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &before), 0);
	assert_int_equal(delivery_discard(), SIGNALS_BIT(SIGCHLD));
	delivery_restore(&inherited);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_blocked_signals_stay_pending_until_they_are_taken),
		cmocka_unit_test(test_signals_are_waited_for_and_taken),
		cmocka_unit_test(
			test_take_does_not_wait_if_no_signal_is_pending),
		cmocka_unit_test(test_pending_signals_are_discarded),
		cmocka_unit_test(test_alarm_interrupts_a_call_that_sleeps),
		cmocka_unit_test(test_process_stops_unless_it_is_continued),
		cmocka_unit_test(
			test_sigcont_in_the_delay_prevents_the_stop_alone),
		cmocka_unit_test(test_alarm_needs_a_timer),
		cmocka_unit_test(test_clock_is_monotonic),
		cmocka_unit_test(test_wait_ends_at_its_timeout),
		cmocka_unit_test(test_signal_is_queued_with_its_siginfo),
		cmocka_unit_test(test_signal_state_is_restored_as_inherited),
		cmocka_unit_test(
			test_exit_of_a_child_is_not_lost_without_an_alarm),
	};

	return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
