/*
 * Starts COMMAND: its process, session or group, terminal and program. And
 * gives up our copies of COMMAND's files and directory.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include <stdatomic.h>
#include <sys/types.h>

#include "delivery.h"
#include "options.h"

enum {
	SPAWN_FAILED = -1,
	SPAWN_NO_COMMAND = 0,     /* in MODE_PAUSE */
	SPAWN_PATIENCE_MS = 2000, /* see spawn_await_exec */
	SPAWN_VARIABLE_MAX = sizeof("WATCHDOG_PID=-2147483648"),
};

/*
 * The memory that we share with COMMAND's process until its program runs. All
 * zeros before spawn.
 */
struct start {
	const struct options *options;
	const struct inherited *inherited;
	/* 1 until exec or exit, when the kernel sets it to 0. */
	_Atomic pid_t starting;
	/* COMMAND's process waits for this before exec, until we have closed
	 * our copies of its files. Its values are in spawn.c. */
	_Atomic int released;
	_Atomic bool ready;     /* only exec is left to do */
	_Atomic bool failed;    /* the program cannot be executed */
	bool awaited;           /* we have waited for exec, or given up */
	bool stdin_is_terminal; /* known in session mode only */
	void *stack;            /* of COMMAND's process, before exec */
	/*
	 * Signals that COMMAND's process discarded, or that were pending before
	 * it existed. If the terminal sent one of these to our whole group, it
	 * has not reached COMMAND.
	 */
	signals_set missed;
	char listen_pid[SPAWN_VARIABLE_MAX];
	char watchdog_pid[SPAWN_VARIABLE_MAX];
};

/*
 * Starts options->command with the inherited mask and actions. Leaves us in "/"
 * with no open files except 0, 1 and 2. Returns the PID of the process that
 * becomes COMMAND; SPAWN_NO_COMMAND in MODE_PAUSE; or, after an error message,
 * SPAWN_FAILED if no process could be created.
 *
 * If the program cannot be executed, that process prints why, sets
 * start->failed and exits with 127 (not found) or 126.
 *
 * The two processes share errno until exec. After the release the parent makes
 * no call that fails, except rt_sigtimedwait(2), with EAGAIN or EINTR; unless
 * the exec takes longer than SPAWN_PATIENCE_MS, or the process is stopped.
 *
 * Modifies the environment, and options->command from -1 to 0: after exec
 * command[0] may be invalid.
 */
pid_t spawn(struct start *start, const struct options *options,
	    const struct inherited *inherited);

/* Whether COMMAND's process is still before exec, as far as we know. */
static inline bool spawn_is_starting(const struct start *start)
{
	return start->starting != 0 && !start->awaited;
}

/*
 * Waits for COMMAND's exec or exit. Needed before a signal is forwarded: one
 * that is sent earlier is discarded, or acts before the program can react.
 * Returns early if the process is ready but stopped, since signals wait for a
 * stopped process; before it is ready, continues it. Once it is ready, returns
 * after SPAWN_PATIENCE_MS in any case: the file system of the program hangs, or
 * the kernel does not clear start->starting (gVisor).
 */
void spawn_await_exec(struct start *start, pid_t pid);

/*
 * Ends the start after COMMAND's exec: frees the memory of the start, and
 * leaves room in the user's signal queue. A COMMAND that exits at once does not
 * need this. Returns false if it is too early.
 */
bool spawn_finish(struct start *start);

#endif
