/*
 * What we say while COMMAND runs. What only --verbose says costs a comparison
 * without it.
 */
#ifndef REPORT_H
#define REPORT_H

#include <sys/resource.h>
#include <sys/types.h>

#include "lifecycle.h"

/* COMMAND runs as pid, or there is none. */
void report_start(const struct options *options, pid_t pid);

/*
 * What becomes of an event. info came with the signal that the event or the
 * actions are about, and is NULL if there is none. command: COMMAND's PID.
 */
void report_actions(const struct event *event, const siginfo_t *info,
		    const struct actions *actions, pid_t command);

/* A warning: the target did not get its signal, by error (an errno). */
void report_refusal(const struct actions *actions, pid_t command, int error);

/* What waitid(2) says of a child; with --warn-on-reap a warning if an orphan.
 */
void report_death(const struct options *options, const siginfo_t *dead,
		  pid_t command);

/*
 * Why we end: a signal that is not from us killed COMMAND; and what may be
 * behind it. oom_kills: as explain_death takes it.
 */
void report_cause(const siginfo_t *dead, int oom_kills);

/*
 * Why we end: COMMAND exited with the status that a shell has for a child that
 * SIGKILL killed, and the cgroup has recorded an OOM kill.
 */
void report_oom_below(const struct options *options, const siginfo_t *dead);

/*
 * A warning: SIGKILL has not ended every process, and we exit. command:
 * COMMAND's PID if it is among them, or 0. failed: not all could be sent the
 * signal.
 */
void report_give_up(const struct options *options, pid_t command, bool failed);

/* A child made us its tracer; it goes on, with signum, or with none if 0. */
void report_traced(pid_t pid, int signum);

/* What COMMAND took, with the children that it waited for. */
void report_usage(const struct rusage *usage);

#endif
