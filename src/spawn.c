#include <errno.h>
#include <limits.h>
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
	STATUS_NO_PROCESS = 1,
	STATUS_NOT_RUNNABLE = 126,
	STATUS_NOT_FOUND = 127,
	FIRST_FILE_TO_CLOSE = STDERR_FILENO + 1,
	CHILD_STACK = 64 * 1024, /* bytes; PATH_MAX and a few calls deep */
	VARIABLE_MAX = sizeof("WATCHDOG_PID=-2147483648"),
	QUEUE_SHARE = 16, /* one of so many is not for us */
};

/*
 * In musl vfork(2) is a fork on many processors, and not on these. clone(2)
 * can do the same everywhere, but the stack that it wants costs a tenth of the
 * whole start.
 */
#if !defined(__GLIBC__) && !defined(__x86_64__) && !defined(__i386__) &&       \
	!defined(__arm__) && !defined(__s390x__)
#define VFORK_IS_FORK
#endif

/* What parent and child both see, for they share their memory. */
struct start {
	const struct options *options;
	const struct inherited *inherited;
	char listen_pid[VARIABLE_MAX];
	char watchdog_pid[VARIABLE_MAX];
	/*
	 * The errno of a program that did not run, or 0. Volatile: what the
	 * child writes before it ends is, to a compiler, written for nobody.
	 */
	volatile int error;
};

/*
 * In single-child mode what the terminal sends reaches COMMAND and us alike,
 * and is not passed on again (supervise.c). What it sent before COMMAND is born
 * has reached us alone: it loses the kernel's word that it was sent by it, and
 * so is passed on like any other.
 */
static void claim_early_signals(void)
{
	const signals_set early = SIGNALS_TERMINAL & signals_pending();
	siginfo_t info;

	for (int signum = 1; early >> (signum - 1) != 0; signum++) {
		if (!(early & SIGNALS_BIT(signum)) ||
		    !signals_take(SIGNALS_BIT(signum), &info))
			continue;
		if (info.si_code == SI_KERNEL)
			info.si_code = SI_USER;
		/* rt_sigqueueinfo(2) lets us tell ourselves anything. */
		(void)signals_queue(getpid(), signum, &info);
	}
}

static bool is_variable(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/*
 * If the variable holds our PID (we are COMMAND's parent here), makes it hold
 * COMMAND's; renamed is where the new entry stays. Returns whether it did.
 */
static bool hand_over_pid(const char *name, char renamed[VARIABLE_MAX])
{
	for (char **entry = environ; *entry; entry++) {
		if (!is_variable(*entry, name))
			continue;
		format_text(renamed, VARIABLE_MAX, "%s=%d", name, getppid());
		if (strcmp(*entry, renamed) != 0)
			return false;
		format_text(renamed, VARIABLE_MAX, "%s=%d", name, getpid());
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

/* Runs the program at path. Returns, if at all, why that failed. */
static int run(const char *path, const struct start *start)
{
	char **argv = start->options->command;
	char *name = argv[0];

	(void)execve(path, argv, environ);
	if (errno != ENOEXEC || !explain_may_be_script(path))
		return errno;
	/* A script without "#!": execvp(3p) wants the shell to run it. */
	argv[-1] = "/bin/sh";
	argv[0] = (char *)path;
	(void)execve(argv[-1], argv - 1, environ);
	argv[0] = name;
	return ENOEXEC;
}

/* 0 if there is a file at path. */
static int look(const char *path, const struct start *start)
{
	(void)start;
	return access(path, F_OK) < 0 ? errno : 0;
}

/* 0 if it can be seen, and was said, why the file at path did not run. */
static int say_hint(const char *path, const struct start *start)
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
static int search_path(const struct start *start,
		       int (*attempt)(const char *path,
				      const struct start *start))
{
	const char *name = start->options->command[0];
	const char *list = path_or_default();
	/*
	 * What is needed and not PATH_MAX at once, for a page of stack that was
	 * touched stays resident.
	 */
	const size_t needed = strlen(list) + strlen(name) + sizeof("/");
	const size_t size = needed < PATH_MAX ? needed : PATH_MAX;
	char candidate[size];
	int result = ENOENT;

	while (next_candidate(candidate, size, &list, name)) {
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
static int search(const struct start *start,
		  int (*attempt)(const char *path, const struct start *start))
{
	const char *name = start->options->command[0];

	if (*name == '\0')
		return ENOENT;
	if (strchr(name, '/'))
		return attempt(name, start);
	return search_path(start, attempt);
}

/*
 * The child, while its parent stands still. Everything is blocked and
 * there are no handlers, so nothing but what is said here happens.
 */
static int become_command(void *argument)
{
	struct start *start = argument;

	if (start->options->mode == MODE_SESSION) {
		/* Cannot fail, as a new process leads no group, if not for a
		 * seccomp(2) that forbids it: supervise.c lives with that. */
		(void)setsid();
		terminal_take();
	} else if (start->options->mode == MODE_GROUP) {
		pid_t ours = getpgrp();

		(void)setpgid(0, 0); /* as for setsid */
		terminal_pass_on(ours, getpid());
	}
	hand_over_variables(start);
	start->error = signals_hand_back(start->inherited) ? search(start, run)
							   : errno;
	_exit(STATUS_NOT_RUNNABLE);
}

/*
 * Returns what to end with. Not inlined: a page of stack that was touched below
 * its buffer would stay resident.
 */
__attribute__((noinline)) static int say_why(const struct start *start)
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
 * A child that shares our memory and lets us go on only when it has become
 * COMMAND, or ended: what fork(2) is not, so that nothing can be passed on
 * before there is a COMMAND to take it. Returns its PID, or -1 with errno set.
 */
#ifndef VFORK_IS_FORK
static pid_t start_command(struct start *start)
{
	pid_t pid = vfork();

	if (pid == 0)
		become_command(start);
	return pid;
}
#else
static pid_t start_command(struct start *start)
{
	char *stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pid_t pid;

	if (stack == MAP_FAILED)
		return -1;
	pid = clone(become_command, stack + CHILD_STACK,
		    CLONE_VM | CLONE_VFORK | SIGCHLD, start);
	(void)munmap(stack, CHILD_STACK);
	return pid;
}
#endif

/*
 * prctl(2), whose wrapper in libc takes more room than the call. EINVAL: the
 * kernel does not know this one, as Linux before 3.4 or what qemu makes of it.
 */
static void set_attribute(int attribute, int value, const char *otherwise)
{
	if (syscall(SYS_prctl, attribute, (long)value, 0L, 0L, 0L) < 0 &&
	    errno != EINVAL)
		log_warning("%s: %s", otherwise, errors_text(errno));
}

pid_t spawn(const struct options *options, const struct inherited *inherited,
	    int *status)
{
	struct start start = { .options = options, .inherited = inherited };
	pid_t pid;

	/* Not needed as PID 1. */
	if (getpid() != 1)
		set_attribute(PR_SET_CHILD_SUBREAPER, 1,
			      "orphans go to another");
	if (options->parent_death_signal != 0)
		set_attribute(PR_SET_PDEATHSIG, options->parent_death_signal,
			      "no signal when our parent dies");
	if (options->mode == MODE_PAUSE) {
		let_go();
		return SPAWN_NOBODY;
	}
	if (options->mode == MODE_SESSION)
		terminal_give_up();
	else if (options->mode == MODE_SINGLE_CHILD)
		claim_early_signals();
	pid = start_command(&start);
	if (pid < 0) {
		log_why(LOG_ERROR, "cannot start a process for %s: %s",
			options->command[0], errors_text(errno));
		*status = STATUS_NO_PROCESS;
		return SPAWN_FAILED;
	}
	if (start.error != 0) {
		terminal_pass_on(pid, getpgrp());
		(void)wait4(pid, NULL, 0, NULL);
		*status = say_why(&start);
		return SPAWN_FAILED;
	}
	leave_room_in_queue();
	let_go();
	return pid;
}
