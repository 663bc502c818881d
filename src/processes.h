/*
 * Every process that we are responsible for: as PID 1 our PID namespace,
 * otherwise our descendants, whatever session or process group they are in.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The processes that a signal was sent to at some moment: those of a process
 * group that existed then.
 */
struct processes_told {
	pid_t group;  /* or PROCESSES_ALL */
	int64_t tick; /* the moment, as proc_stat.start; 0: there is none */
	pid_t newest; /* the PID given last before it; -1 if unknown */
};

enum {
	PROCESSES_ALL = 0,
};

/* The processes of the group that exist now. */
struct processes_told processes_told_now(pid_t group);

/*
 * Sends signum to all of them except those that were told and those that these
 * started later, and then, if wake, SIGCONT to all. To each once, and never to
 * another process that got the PID of one that has exited.
 *
 * command: a child of ours that has not been reaped, or 0. Where /proc does
 * not show our descendants, and we are not PID 1, it is the only one that gets
 * the signal. Where we are PID 1 then those that were told get it again.
 *
 * Returns false, with errno set, when a process could not be found or the
 * kernel did not let us send to it. That there is none is not a failure.
 */
bool processes_signal(pid_t command, int signum, bool wake,
		      const struct processes_told *told);

/*
 * Whether a process remains that is not our child, when we have no child left:
 * it entered our PID namespace from outside (setns(2)). Kernel threads, in the
 * PID namespace of a machine, do not count.
 */
bool processes_remain(void);

#endif
