#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "delivery.h"
#include "session.h"

/* Pipes to another process, which sends SIGHUP for each byte, and answers. */
static int asked[2] = { -1, -1 }, answered[2];
static bool hangup_before, hangup_between;

static void be_hung_up(void)
{
	char byte = 0;

	(void)!write(asked[1], &byte, 1);
	(void)!read(answered[0], &byte, 1);
}

/* In the place of kernel_pending: the SIGHUP comes right after it. */
static signals_set pending_then_hangup(void)
{
	const signals_set pending = kernel_pending();

	if (hangup_before)
		be_hung_up();
	hangup_before = false;
	return pending;
}

/* In the place of delivery_take: the SIGHUP comes after the first signal. */
static bool take_then_hangup(signals_set set, siginfo_t *info,
			     int64_t timeout_ns)
{
	const bool taken = delivery_take(set, info, timeout_ns);

	if (hangup_between)
		be_hung_up();
	hangup_between = false;
	return taken;
}

#define kernel_pending pending_then_hangup
#define delivery_take  take_then_hangup
/* The static functions of this module are tested. */
#include "terminal.c" /* NOLINT(bugprone-suspicious-include) */
#undef kernel_pending
#undef delivery_take

enum {
	HUP = 1 << (SIGHUP - 1),
	CONT = 1 << (SIGCONT - 1),
	STOPS = 1 << (SIGTSTP - 1) | 1 << (SIGTTIN - 1) | 1 << (SIGTTOU - 1),
};

/* Makes the file stdin. */
static bool set_stdin(int file)
{
	return file >= 0 && dup2(file, STDIN_FILENO) == STDIN_FILENO;
}

static bool lose_stdin(void)
{
	return set_stdin(open("/dev/null", O_RDWR | O_CLOEXEC));
}

/* Blocks all signals, and gets a terminal on stdin. */
static bool begin(void)
{
	struct inherited inherited;

	return delivery_block_all(&inherited) && set_stdin(get_terminal());
}

/* A child in a group of its own, until we exit. */
static pid_t start_child(void)
{
	const pid_t parent = getpid();
	const pid_t child = fork();
	char byte;

	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent && read(asked[0], &byte, 1) == 1) {
			(void)kill(parent, SIGHUP);
			(void)!write(answered[1], &byte, 1);
		}
		while (getppid() == parent)
			(void)pause();
		leave(0);
	}
	return setpgid(child, child) == 0 ? child : -1;
}

static bool has_terminal(void)
{
	return tcgetpgrp(STDIN_FILENO) >= 0;
}

static int release_what_is_no_terminal(void)
{
	return !begin() || !lose_stdin() || terminal_release();
}

static int release_terminal_of_no_session(void)
{
	const int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (grantpt(master) != 0 || unlockpt(master) != 0 ||
	    !set_stdin(open(ptsname(master), O_RDWR | O_NOCTTY)))
		return 1;
	return !terminal_release();
}

static int release_as_another_process(void)
{
	pid_t child;
	int wstatus = -1;

	if (!begin())
		return 1;
	child = fork();
	if (child == 0)
		leave(!terminal_release() || !has_terminal());
	return waitpid(child, &wstatus, 0) != child || wstatus != 0;
}

static void
test_only_the_leader_of_its_session_releases_a_terminal(void **state)
{
	(void)state;
	assert_int_equal(in_session(release_what_is_no_terminal), 0);
	assert_int_equal(in_session(release_terminal_of_no_session), 0);
	assert_int_equal(in_session(release_as_another_process), 0);
}

/* Releases the terminal. Returns whether these signals are pending then. */
static bool release_leaves(signals_set signals)
{
	return has_terminal() && terminal_release() && !has_terminal() &&
	       kernel_pending() == signals;
}

static int release_quietly(void)
{
	return !begin() || !release_leaves(0);
}

static int release_after_signals(void)
{
	return !begin() || kill(getpid(), SIGHUP) < 0 ||
	       kill(getpid(), SIGTSTP) < 0 || kill(getpid(), SIGTTIN) < 0 ||
	       kill(getpid(), SIGTTOU) < 0 || !release_leaves(HUP | STOPS);
}

static void test_only_the_signals_of_the_release_are_discarded(void **state)
{
	(void)state;
	assert_int_equal(in_session(release_quietly), 0);
	assert_int_equal(in_session(release_after_signals), 0);
}

/* Whether the SIGHUP of the other process is pending after the release. */
static int release_while_hung_up(void)
{
	siginfo_t info = { .si_pid = 0 };
	pid_t child;

	if (!begin() || pipe2(asked, O_CLOEXEC) < 0 ||
	    pipe2(answered, O_CLOEXEC) < 0)
		return 1;
	child = start_child();
	return child < 0 || !release_leaves(HUP) ||
	       !delivery_take(HUP, &info, 0) || info.si_pid != child;
}

static int release_while_hung_up_before(void)
{
	hangup_before = true;
	return release_while_hung_up();
}

static int release_while_hung_up_between(void)
{
	hangup_between = true;
	return release_while_hung_up();
}

static void test_sighup_of_another_process_is_kept_in_a_release(void **state)
{
	(void)state;
	assert_int_equal(in_session(release_while_hung_up_before), 0);
	assert_int_equal(in_session(release_while_hung_up_between), 0);
}

/* The owners as a process sees them that does not lead its session. */
static bool sees_owners(pid_t command, pid_t other)
{
	const pid_t self = getpgrp();
	bool right =
		terminal_exists() && terminal_owner(command) == TERMINAL_OURS;

	/* From a group that does not have the terminal, nothing changes. */
	terminal_switch(other, command);
	right = right && terminal_owner(command) == TERMINAL_OURS;
	terminal_switch(self, command);
	right = right && terminal_owner(command) == TERMINAL_COMMANDS &&
		terminal_owner(other) == TERMINAL_OTHER;
	terminal_switch(command, self);
	return right && terminal_owner(command) == TERMINAL_OURS;
}

/* Whether a process of its own sees the owners, and leaves no file open. */
static bool another_process_sees_owners(void)
{
	const pid_t command = start_child(), other = start_child();
	const pid_t child = fork();
	int wstatus = -1;

	if (child == 0) {
		const int free = dup(STDERR_FILENO);
		bool right = setpgid(0, 0) == 0;

		terminal_switch(getpgid(getppid()), getpgrp());
		right = right && sees_owners(command, other) &&
			close(free) == 0 && dup(STDERR_FILENO) == free;
		(void)close(free);
		terminal_switch(getpgrp(), getpgid(getppid()));
		leave(!right);
	}
	return command > 0 && other > 0 &&
	       waitpid(child, &wstatus, 0) == child && wstatus == 0;
}

static int look_at_owners(void)
{
	/* On stdin, and as /dev/tty. */
	return !begin() || !another_process_sees_owners() || !lose_stdin() ||
	       !another_process_sees_owners();
}

static void test_owner_is_the_foreground_group(void **state)
{
	(void)state;
	assert_int_equal(in_session(look_at_owners), 0);
}

/* No shell has the leader of a session as a job. */
static int look_as_a_leader(void)
{
	pid_t command;

	if (terminal_exists() || terminal_owner(getpid()) != TERMINAL_NONE ||
	    !begin() || terminal_owner(getpid()) != TERMINAL_OURS)
		return 1;
	command = start_child();
	terminal_switch_stdin(getpgrp(), command);
	return terminal_owner(command) != TERMINAL_NONE || !terminal_exists();
}

static void test_leader_of_a_session_is_not_in_the_background(void **state)
{
	(void)state;
	assert_int_equal(in_session(look_as_a_leader), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_only_the_leader_of_its_session_releases_a_terminal),
		cmocka_unit_test(
			test_only_the_signals_of_the_release_are_discarded),
		cmocka_unit_test(
			test_sighup_of_another_process_is_kept_in_a_release),
		cmocka_unit_test(test_owner_is_the_foreground_group),
		cmocka_unit_test(
			test_leader_of_a_session_is_not_in_the_background),
	};

	return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
