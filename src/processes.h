/*
 * All processes that we are responsible for, whatever their session or group:
 * as PID 1 the PID namespace, otherwise our descendants.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Stands for the processes of a group that existed at some moment. */
struct processes_signaled {
	pid_t group;  /* or PROCESSES_ALL */
	int64_t tick; /* the moment, in the unit of proc_stat.start; 0: none */
	pid_t newest; /* the last PID that had been assigned; -1: unknown */
};

enum {
	PROCESSES_ALL = 0,
};

/* The processes of the group, or PROCESSES_ALL, that exist now. */
struct processes_signaled processes_now(pid_t group);

/*
 * Sends signum to all processes, once to each, and then, if wake, SIGCONT.
 * If the kernel has pidfds and we are not PID 1, it never signals a new process
 * that got the PID of one that has exited.
 *
 * spared: processes that have got signum already. They are skipped, together
 * with the processes that they have started since. NULL: none. As PID 1,
 * without /proc, none is skipped.
 *
 * command: our child that has not been reaped, or 0. Where /proc does not show
 * our descendants, and we are not PID 1, only it gets the signal.
 *
 * Returns false, with errno set, when a process could not be found or signaled.
 * To find none is no failure.
 */
bool processes_signal(pid_t command, int signum, bool wake,
		      const struct processes_signaled *spared);

/*
 * Whether other processes remain in our PID namespace when no child is left:
 * they have joined it from outside (setns(2), docker exec). Kernel threads,
 * which a machine's PID 1 sees, do not count.
 */
bool processes_remain(void);

#endif
