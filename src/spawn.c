#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errors.h"
#include "explain.h"
#include "format.h"
#include "log.h"
#include "proc.h"
#include "spawn.h"
#include "terminal.h"

/* close_range(2); MIPS has other numbers, and libc headers that know them. */
#if !defined(SYS_close_range) && !defined(__mips__)
#define SYS_close_range 436
#endif

enum {
	STATUS_NOT_RUNNABLE = 126,
	STATUS_NOT_FOUND = 127,
	FIRST_FILE_TO_CLOSE = STDERR_FILENO + 1,
	CHILD_STACK = 64 * 1024, /* bytes; PATH_MAX and a few calls deep */
	EXECUTE_TRIES = 4,
	QUEUE_SHARE = 16, /* one of so many is not for us */
	FUTEX_WAIT = 0,   /* linux/futex.h, as is the next */
	FUTEX_WAKE = 1,
};

/* start->released */
enum {
	RELEASE_NOT_YET, /* as start is zero before spawn */
	RELEASE_WAITED_FOR,
	RELEASED,
};

static bool is_variable(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/*
 * If the variable holds our PID (we are COMMAND's parent here), makes it hold
 * COMMAND's; renamed is where the new entry stays. Returns whether it did.
 */
static bool hand_over_pid(const char *name, char renamed[SPAWN_VARIABLE_MAX])
{
	for (char **entry = environ; *entry; entry++) {
		if (!is_variable(*entry, name))
			continue;
		format_text(renamed, SPAWN_VARIABLE_MAX, "%s=%d", name,
			    getppid());
		if (strcmp(*entry, renamed) != 0)
			return false;
		format_text(renamed, SPAWN_VARIABLE_MAX, "%s=%d", name,
			    getpid());
		*entry = renamed;
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
 * sd_listen_fds(3), sd_watchdog_enabled(3): these say which process they are
 * for. LISTEN_PIDFDID names the same process once more, as an inode.
 */
static void hand_over_variables(struct start *start)
{
	if (hand_over_pid("LISTEN_PID", start->listen_pid))
		remove_variable("LISTEN_PIDFDID");
	(void)hand_over_pid("WATCHDOG_PID", start->watchdog_pid);
}

/*
 * execve(2). Returns, if at all, the errno. Our parent's rt_sigtimedwait, which
 * takes milliseconds, may set the same errno to EAGAIN or EINTR at any moment:
 * so it is read once, and these two are believed only if they stay.
 */
static int execute(const char *path, char **argv)
{
	int error = EAGAIN;

	for (int i = 0; i < EXECUTE_TRIES; i++) {
		(void)execve(path, argv, environ);
		error = errno;
		if (error != EAGAIN && error != EINTR)
			break;
	}
	return error;
}

/* Runs the program at path. Returns, if at all, why that failed. */
static int run(const char *path, struct start *start)
{
	char **argv = start->options->command;
	char *name = argv[0];
	int error = execute(path, argv);

	if (error != ENOEXEC || !explain_may_be_script(path))
		return error;
	/* A script without "#!": execvp(3p) wants the shell to run it. */
	argv[-1] = "/bin/sh";
	argv[0] = (char *)path;
	(void)execute(argv[-1], argv - 1);
	argv[0] = name;
	return ENOEXEC;
}

/* 0 if there is a file at path. */
static int look(const char *path, struct start *start)
{
	(void)start;
	return access(path, F_OK) < 0 ? errno : 0;
}

/* 0 if it can be seen, and was said, why the file at path did not run. */
static int say_hint(const char *path, struct start *start)
{
	char hint[EXPLAIN_MAX];

	if (!explain_program(path, start->error, hint))
		return ENOENT;
	log_why(LOG_ERROR, "hint: %s", hint);
	return 0;
}

/*
 * The next "directory/name" of PATH that fits in size bytes; an empty directory
 * is the current one. list points to the rest of PATH and moves on. False at
 * the end of it.
 */
static bool next_candidate(char *candidate, size_t size, const char **list,
			   const char *name)
{
	while (*list) {
		const char *directory = *list;
		const char *colon = strchr(directory, ':');
		size_t length =
			colon ? (size_t)(colon - directory) : strlen(directory);
		const char *slash = length == 0 ? "" : "/";

		*list = colon ? colon + 1 : NULL;
		if (length + strlen(name) + sizeof("/") > size)
			continue;
		/* Cut off at the colon. */
		format_text(candidate, length + 1, "%s", directory);
		format_text(candidate + length, size - length, "%s%s", slash,
			    name);
		return true;
	}
	return false;
}

static const char *path_or_default(void)
{
	const char *path = getenv("PATH");

	return path ? path : "/usr/local/bin:/usr/bin:/bin";
}

/*
 * Tries the directories of PATH, until an attempt returns another error than
 * that this one is not the file. Returns that; or EACCES if a file is there
 * and may not be executed; or ENOENT.
 */
static int search_path(struct start *start,
		       int (*attempt)(const char *path, struct start *start))
{
	const char *name = start->options->command[0];
	const char *list = path_or_default();
	char candidate[PATH_MAX];
	int result = ENOENT;

	while (next_candidate(candidate, sizeof(candidate), &list, name)) {
		int error = attempt(candidate, start);

		switch (error) {
		case EACCES:
			/* Or was it a directory that we may not search? */
			if (look(candidate, start) == 0)
				result = EACCES;
			break;
		case ENOENT:
		case ENOTDIR:
		case ENODEV: /* these three: a network file system is gone */
		case ESTALE:
		case ETIMEDOUT:
			break;
		default:
			return error;
		}
	}
	return result;
}

/* Tries COMMAND where execvp(3) would. Returns the error. */
static int search(struct start *start,
		  int (*attempt)(const char *path, struct start *start))
{
	const char *name = start->options->command[0];

	if (*name == '\0')
		return ENOENT;
	if (strchr(name, '/'))
		return attempt(name, start);
	return search_path(start, attempt);
}

/*
 * Prints why COMMAND's program could not be executed. Returns the status to
 * exit with.
 */
static int say_why(struct start *start)
{
	const char *name = start->options->command[0];
	const bool missing = start->error == ENOENT || start->error == ENOTDIR;
	char hint[EXPLAIN_MAX];

	log_why(LOG_ERROR, "%s: %s", name, errors_text(start->error));
	/* A script is there even if its interpreter is not. */
	if (!missing || search(start, look) == 0) {
		(void)search(start, say_hint);
		return STATUS_NOT_RUNNABLE;
	}
	if (explain_missing(name, path_or_default(), hint))
		log_why(LOG_ERROR, "hint: %s", hint);
	return STATUS_NOT_FOUND;
}

/*
 * Takes COMMAND's place among the sessions and groups, as the process that
 * becomes it. A new process leads no group: setsid(2) and setpgid(2) can only
 * fail where seccomp(2) forbids them, and supervise.c copes with a missing
 * group.
 */
static void take_place(const struct start *start)
{
	if (start->options->mode == MODE_SESSION) {
		(void)setsid();
		if (start->stdin_is_terminal)
			terminal_take();
	} else if (start->options->mode == MODE_GROUP) {
		(void)setpgid(0, 0);
		if (tcgetpgrp(STDIN_FILENO) >= 0)
			terminal_pass_on(getpgid(getppid()), getpid());
	}
}

/* With a timeout: seccomp(2) may forbid our parent to wake us. */
static void wait_for_release(struct start *start)
{
	/* As the kernel has a struct timespec, futex(2): s and ns. */
	const long timeout[] = { 0, 20 * SIGNALS_MS };
	int released = RELEASE_NOT_YET;

	(void)atomic_compare_exchange_strong(&start->released, &released,
					     RELEASE_WAITED_FOR);
	while (start->released != RELEASED)
		(void)syscall(SYS_futex, &start->released, FUTEX_WAIT,
			      RELEASE_WAITED_FOR, timeout);
}

/*
 * Runs in the process that becomes COMMAND. All signals are blocked. Those that
 * were sent to our group while the process was in it are pending for it and for
 * us: it discards its copies, and we forward ours once its program runs.
 */
static int become_command(void *argument)
{
	struct start *start = argument;
	struct inherited unused;
	int status;

	/* set_tid_address(2): the kernel clears this when the program runs. */
	(void)syscall(SYS_set_tid_address, &start->starting);
	take_place(start);
	wait_for_release(start);
	start->missed |= signals_discard();
	start->ready = true;
	hand_over_variables(start);
	start->error = signals_hand_back(start->inherited) ? search(start, run)
							   : errno;
	/* Blocks the signals that a failing write raises, as log.h wants it. */
	(void)signals_take_over(&unused);
	status = say_why(start);
	if (start->options->mode == MODE_GROUP)
		terminal_pass_on(getpid(), getpgid(getppid()));
	start->failed = true;
	return status; /* clone(2): to exit with */
}

static void close_file(int file, int directory, void *argument)
{
	(void)argument;
	if (file >= FIRST_FILE_TO_CLOSE && file != directory)
		(void)close(file);
}

/*
 * A file or a directory that we held would keep a pipe from its end, a file
 * system from being unmounted. Failure is no harm to COMMAND.
 */
static void let_go(void)
{
	(void)!chdir("/");
	/*
	 * Before Linux 5.9 one by one. Closing files while they are listed
	 * misses none: the kernel goes on behind the last number.
	 */
	if (syscall(SYS_close_range, FIRST_FILE_TO_CLOSE, ~0U, 0) < 0)
		(void)proc_each_number("/proc/self/fd", close_file, NULL);
}

/*
 * Signals that wait for us and those that wait for COMMAND share the room that
 * its user has, if that is ours: who sends us the next may take the room of the
 * one that we are passing on. So some of it is not for us. What COMMAND started
 * with it keeps. Raw calls, for musl would see to threads.
 */
static void leave_room_in_queue(void)
{
	uint64_t limit[2]; /* the soft one, the hard one */

	if (syscall(SYS_prlimit64, 0, RLIMIT_SIGPENDING, NULL, limit) < 0)
		return;
	limit[0] -= limit[0] / QUEUE_SHARE;
	(void)syscall(SYS_prlimit64, 0, RLIMIT_SIGPENDING, limit, NULL);
}

/*
 * Starts a process that shares our memory: fork(2) would copy our page tables,
 * a fifth of the whole start. Unlike after vfork(2) we go on meanwhile. Until
 * the process has its own group, a stop signal for ours stops it too, and vfork
 * would keep us waiting for it, deaf to SIGTERM.
 *
 * qemu's emulation of Linux refuses that, with EINVAL, and makes a copy of us
 * if it is asked for a vfork. There a signal of the first moments may be
 * forwarded too early.
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
#ifndef SPAWN_LIKE_VFORK /* which is all that valgrind(1) knows */
	start->starting = 1;
	pid_t pid = clone(become_command, stack, CLONE_VM | SIGCHLD, start);

	if (pid >= 0 || errno != EINVAL)
		return pid;
#endif
	start->starting = 0;
	start->released = RELEASED;
	return clone(become_command, stack, like_vfork, start);
}

/* Lets COMMAND's program run: we hold none of its files any more. */
static void release(struct start *start)
{
	if (atomic_exchange(&start->released, RELEASED) == RELEASE_WAITED_FOR)
		(void)syscall(SYS_futex, &start->released, FUTEX_WAKE, 1);
}

/*
 * prctl(2). EINVAL: the kernel does not know this one, as Linux before 3.4 or
 * qemu's emulation of it.
 */
static void set_attribute(int attribute, int value, const char *otherwise)
{
	if (syscall(SYS_prctl, attribute, (long)value, 0L, 0L, 0L) < 0 &&
	    errno != EINVAL)
		log_warning("%s: %s", otherwise, errors_text(errno));
}

pid_t spawn(struct start *start, const struct options *options,
	    const struct inherited *inherited)
{
	pid_t pid;

	start->options = options;
	start->inherited = inherited;
	/* As PID 1 it has no effect. */
	set_attribute(PR_SET_CHILD_SUBREAPER, 1,
		      "cannot become a child subreaper; orphans will not be "
		      "reaped");
	if (options->parent_death_signal != 0)
		set_attribute(PR_SET_PDEATHSIG, options->parent_death_signal,
			      "cannot set the parent death signal (-p)");
	if (options->mode == MODE_PAUSE) {
		let_go();
		return SPAWN_NOBODY;
	}
	if (options->mode == MODE_SESSION)
		start->stdin_is_terminal = terminal_give_up();
	pid = start_process(start);
	if (pid < 0) {
		log_why(LOG_ERROR, "cannot start a process for %s: %s",
			options->command[0], errors_text(errno));
		return SPAWN_FAILED;
	}
	let_go();
	/* Before the release: what is sent later reaches the process as well,
	 * which either discards it, and tells us, or is COMMAND by then. */
	if (options->mode == MODE_SINGLE_CHILD)
		start->missed |= signals_pending();
	release(start);
	return pid;
}

void spawn_await(struct start *start, pid_t pid)
{
	if (start->awaited)
		return;
	start->awaited = true;
	for (int ms = 0; start->starting != 0 && ms < SPAWN_PATIENCE_MS; ms++) {
		siginfo_t child = { .si_pid = 0 };

		(void)waitid(P_PID, (id_t)pid, &child,
			     WEXITED | WSTOPPED | WNOHANG | WNOWAIT);
		if (child.si_pid != 0) {
			if (child.si_code != CLD_STOPPED || start->ready)
				return;
			/* A SIGSTOP for our group stopped it and us, and we
			 * were continued. */
			(void)kill(pid, SIGCONT);
		}
		(void)poll(NULL, 0, 1);
	}
}

bool spawn_settle(struct start *start)
{
	if (spawn_is_starting(start))
		return false;
	/* Not if the process may still run there. */
	if (start->starting == 0)
		(void)munmap(start->stack, CHILD_STACK);
	leave_room_in_queue();
	return true;
}
