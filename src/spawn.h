/*
 * Starting COMMAND: its session or group, its terminal, its program. And
 * giving up the files and the directory that are COMMAND's and not ours.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include <stdatomic.h>
#include <sys/types.h>

#include "options.h"

enum {
	SPAWN_FAILED = -1,
	SPAWN_NOBODY = 0,         /* in MODE_PAUSE */
	SPAWN_PATIENCE_MS = 2000, /* see spawn_await */
	SPAWN_VARIABLE_MAX = sizeof("WATCHDOG_PID=-2147483648"),
};

/*
 * The memory that we share with COMMAND's process until its program runs. Zero
 * before spawn.
 */
struct start {
	const struct options *options;
	const struct inherited *inherited;
	/* Not 0 until its program runs or it exits: the kernel clears it. */
	_Atomic pid_t starting;
	/* Its program waits until we have closed COMMAND's files. */
	_Atomic int released;
	_Atomic bool ready;  /* it only has to find and execute its program */
	_Atomic bool failed; /* its program cannot be executed */
	bool awaited;        /* spawn_await has returned once */
	bool stdin_is_terminal; /* asked in session mode only */
	int error;              /* the errno of execve(2); the process's own */
	void *stack;            /* the process's, until its program runs */
	/*
	 * The signals that the process discarded, or that were sent before it
	 * existed: of those that the terminal sends to our whole group, these
	 * have not reached COMMAND.
	 */
	signals_set missed;
	char listen_pid[SPAWN_VARIABLE_MAX];
	char watchdog_pid[SPAWN_VARIABLE_MAX];
};

/*
 * Starts options->command with the inherited mask and actions, and leaves us in
 * "/" with no open files but 0, 1 and 2. Returns the PID of the process that
 * becomes COMMAND; or SPAWN_NOBODY in MODE_PAUSE; or SPAWN_FAILED when there
 * could be no process, after an error message.
 *
 * If the program cannot be executed the process prints why, sets start->failed
 * and exits with 127 (not found) or 126.
 *
 * Until its program runs, errno belongs to both processes: we make no call that
 * fails, except rt_sigtimedwait(2), with EAGAIN or EINTR.
 *
 * Modifies options->command[-1] and the environment.
 */
pid_t spawn(struct start *start, const struct options *options,
	    const struct inherited *inherited);

/* Whether COMMAND's program does not run yet, as far as can be known. */
static inline bool spawn_is_starting(const struct start *start)
{
	return start->starting != 0 && !start->awaited;
}

/*
 * Waits until COMMAND's program runs, or its process has exited. Before a
 * signal is forwarded: signals that the process gets earlier are discarded, or
 * act on it before its program can react. Returns early when the process is
 * stopped (there is nothing to wait for, and signals wait for a stopped
 * process), and after SPAWN_PATIENCE_MS: its program is on a file system that
 * hangs, or the kernel does not clear start->starting (gVisor).
 */
void spawn_await(struct start *start, pid_t pid);

/*
 * Does what need not be done before COMMAND runs, and is wasted on a COMMAND
 * that exits at once: gives back the memory that the start took, and leaves
 * room in the user's signal queue. Returns false if it is too early.
 */
bool spawn_settle(struct start *start);

#endif
