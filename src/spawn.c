#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errors.h"
#include "execute.h"
#include "format.h"
#include "kernel.h"
#include "log.h"
#include "proc.h"
#include "spawn.h"
#include "terminal.h"

enum {
	FIRST_FILE_TO_CLOSE = STDERR_FILENO + 1,
	CHILD_STACK = 64 * 1024, /* bytes; for PATH_MAX and a few calls */
	QUEUE_SHARE = 16, /* we leave a sixteenth of the signal queue free */
	RELEASE_POLL_MS = 20,
};

/* start->released */
enum {
	NOT_RELEASED, /* all zeros, as before spawn */
	RELEASE_AWAITED,
	RELEASED,
};

static bool is_variable(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/*
 * Runs in COMMAND's process. If the variable holds our parent's PID, sets it to
 * our own; entry keeps the new text. Returns whether it did.
 */
static bool replace_pid(const char *name, char entry[SPAWN_VARIABLE_MAX])
{
	for (char **old = environ; *old; old++) {
		if (!is_variable(*old, name))
			continue;
		format_text(entry, SPAWN_VARIABLE_MAX, "%s=%d", name,
			    getppid());
		if (strcmp(*old, entry) != 0)
			return false;
		format_text(entry, SPAWN_VARIABLE_MAX, "%s=%d", name, getpid());
		*old = entry;
		return true;
	}
	return false;
}

static void remove_variable(const char *name)
{
	char **kept = environ;

	for (char **entry = environ; *entry; entry++) {
		if (!is_variable(*entry, name))
			*kept++ = *entry;
	}
	*kept = NULL;
}

/*
 * These variables name the process that they are for: sd_listen_fds(3),
 * sd_watchdog_enabled(3). LISTEN_PIDFDID names it too, by an inode.
 */
static void update_variables(struct start *start)
{
	if (replace_pid("LISTEN_PID", start->listen_pid))
		remove_variable("LISTEN_PIDFDID");
	(void)replace_pid("WATCHDOG_PID", start->watchdog_pid);
}

/*
 * Enters COMMAND's session or group. A new process leads no group, so setsid(2)
 * and setpgid(2) fail only where seccomp(2) forbids them; supervise.c copes
 * with a missing group.
 */
static void enter_group(const struct options *options)
{
	if (options->mode == MODE_SESSION)
		(void)setsid();
	else if (options->mode == MODE_GROUP)
		(void)setpgid(0, 0);
}

static void take_terminal(const struct start *start)
{
	const enum mode mode = start->options->mode;

	if (mode == MODE_SESSION && start->stdin_is_terminal)
		terminal_acquire();
	/* Without a terminal the first call saves two. */
	if (mode == MODE_GROUP && tcgetpgrp(STDIN_FILENO) >= 0)
		terminal_switch_stdin(getpgid(getppid()), getpid());
}

/*
 * seccomp(2) may forbid our parent to wake us, so each sleep has a timeout. The
 * parent may be dead or stopped, so their number has a bound.
 */
static void await_release(struct start *start)
{
	int released = NOT_RELEASED;

	(void)atomic_compare_exchange_strong(&start->released, &released,
					     RELEASE_AWAITED);
	for (int ms = 0; start->released != RELEASED && ms < SPAWN_PATIENCE_MS;
	     ms += RELEASE_POLL_MS)
		kernel_futex_wait(&start->released, RELEASE_AWAITED,
				  RELEASE_POLL_MS * NUMBERS_MS);
}

/*
 * Runs in the process that becomes COMMAND, with all signals blocked. A signal
 * to our whole group, before this process has left it, is pending in both: this
 * process discards its copy, and the parent forwards the other after exec. In
 * single-child mode this process stays in the group.
 */
static int become_command(void *argument)
{
	struct start *start = argument;
	char **command = start->options->command;
	struct inherited unused;
	signals_set discarded;
	int error, status;

	kernel_clear_at_exec(&start->starting);
	enter_group(start->options);
	discarded = delivery_discard();
	/* Only after the discard: from now on a key is meant for COMMAND. */
	take_terminal(start);
	await_release(start);
	if (start->options->mode == MODE_SINGLE_CHILD)
		discarded |= delivery_discard();
	/* The parent writes it, too, but only before the release. */
	start->missed |= discarded;
	start->ready = true;
	update_variables(start);
	error = delivery_restore(start->inherited) ? execute(command) : errno;
	/* log.h: a failing write must not kill this process. */
	(void)delivery_block_all(&unused);
	status = execute_explain(command, error);
	if (start->options->mode == MODE_GROUP)
		terminal_switch_stdin(getpid(), getpgid(getppid()));
	start->failed = true;
	return status; /* the exit status, clone(2) */
}

static void close_file(int file, int directory, void *argument)
{
	(void)argument;
	if (file >= FIRST_FILE_TO_CLOSE && file != directory)
		(void)close(file);
}

/*
 * Our copies of COMMAND's files would keep pipes open, and our directory would
 * keep a file system mounted. If these calls fail, COMMAND runs all the same.
 */
static void give_up_files(void)
{
	(void)!chdir("/");
	/*
	 * Before Linux 5.9 one by one. To close files while they are listed
	 * skips none: the kernel continues after the last number.
	 */
	if (kernel_close_from(FIRST_FILE_TO_CLOSE) < 0)
		(void)proc_each_number("/proc/self/fd", close_file, NULL);
}

/*
 * All processes of a user share one queue of pending signals
 * (RLIMIT_SIGPENDING). If it is full of signals for us, we cannot forward the
 * value of one, nor the same real-time signal twice. So we lower our own limit:
 * then our senders fail, and COMMAND has room. COMMAND keeps the limit that it
 * started with.
 */
static void leave_room_in_queue(void)
{
	uint64_t limit[2];

	if (kernel_get_queue_limit(limit) < 0)
		return;
	limit[0] -= limit[0] / QUEUE_SHARE;
	(void)kernel_set_queue_limit(limit);
}

/*
 * The process shares our memory: fork(2) would copy our page tables, which is a
 * fifth of the whole start. Unlike vfork(2), clone does not suspend us: until
 * the process has its own group, a stop signal for our group stops it, too, and
 * we must still react to SIGTERM.
 *
 * qemu's emulation of Linux refuses this clone with EINVAL, and runs a vfork as
 * a fork. There a signal that arrives at once may be forwarded too early.
 */
static pid_t start_process(struct start *start)
{
	const int like_vfork = CLONE_VM | CLONE_VFORK | SIGCHLD;
	char *stack;

	start->stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (start->stack == MAP_FAILED)
		return -1;
	stack = (char *)start->stack + CHILD_STACK;
#ifndef SPAWN_LIKE_VFORK /* valgrind(1) supports nothing else */
	start->starting = 1;
	pid_t pid = clone(become_command, stack, CLONE_VM | SIGCHLD, start);

	if (pid >= 0 || errno != EINVAL)
		return pid;
#endif
	start->starting = 0;
	start->released = RELEASED;
	/* This clone returns after exec, when a signal that is pending for us
	 * may have reached COMMAND as well. */
	start->missed = kernel_pending();
	return clone(become_command, stack, like_vfork, start);
}

/* Lets COMMAND's process exec: our copies of its files are closed. */
static void release(struct start *start)
{
	if (atomic_exchange(&start->released, RELEASED) == RELEASE_AWAITED)
		kernel_futex_wake(&start->released);
}

/* EINVAL: Linux before 3.4, or qemu's emulation, does not know the option. */
static bool set_attribute(int option, int value)
{
	return kernel_prctl(option, value) == 0 || errno == EINVAL;
}

static void set_attributes(const struct options *options)
{
	/* Has no effect if we are PID 1. */
	if (!set_attribute(PR_SET_CHILD_SUBREAPER, 1))
		log_warning("cannot become a child subreaper; orphans will not "
			    "be reaped: %s",
			    errors_text(errno));
	if (options->parent_death_signal != 0 &&
	    !set_attribute(PR_SET_PDEATHSIG, options->parent_death_signal))
		log_warning("cannot set the parent death signal (-p): %s",
			    errors_text(errno));
}

pid_t spawn(struct start *start, const struct options *options,
	    const struct inherited *inherited)
{
	pid_t pid;

	start->options = options;
	start->inherited = inherited;
	set_attributes(options);
	if (options->mode == MODE_PAUSE) {
		give_up_files();
		return SPAWN_NO_COMMAND;
	}
	if (options->mode == MODE_SESSION)
		start->stdin_is_terminal = terminal_release();
	pid = start_process(start);
	if (pid < 0) {
		log_reason(LOG_ERROR, "cannot create a process for '%s': %s",
			   options->program, errors_text(errno));
		return SPAWN_FAILED;
	}
	give_up_files();
	/* After this call, a signal to our group reaches COMMAND's process,
	 * too. That notes and discards it, or is COMMAND already. */
	if (options->mode == MODE_SINGLE_CHILD && start->released != RELEASED)
		start->missed |= kernel_pending();
	release(start);
	return pid;
}

void spawn_await_exec(struct start *start, pid_t pid)
{
	if (start->awaited)
		return;
	start->awaited = true;
	/* The process discards signals until it is ready: no limit before. */
	for (int ms = 0; start->starting != 0 && ms < SPAWN_PATIENCE_MS;
	     ms += start->ready) {
		siginfo_t child = { .si_pid = 0 };

		(void)waitid(P_PID, (id_t)pid, &child,
			     WEXITED | WSTOPPED | WNOHANG | WNOWAIT);
		if (child.si_pid != 0) {
			if (child.si_code != CLD_STOPPED || start->ready)
				return;
			/* A SIGSTOP for our group stopped both of us, and only
			 * we were continued. */
			(void)kill(pid, SIGCONT);
		}
		(void)poll(NULL, 0, 1);
	}
}

bool spawn_finish(struct start *start)
{
	if (spawn_is_starting(start))
		return false;
	/* The process may still run on this stack if we gave up waiting. */
	if (start->starting == 0)
		(void)munmap(start->stack, CHILD_STACK);
	leave_room_in_queue();
	return true;
}
