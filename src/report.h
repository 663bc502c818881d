/*
 * The messages that are printed while COMMAND runs. They name COMMAND by
 * options->program and by its PID, command.
 */
#ifndef REPORT_H
#define REPORT_H

#include <sys/resource.h>
#include <sys/types.h>

#include "lifecycle.h"

/* --verbose: COMMAND was started; or in MODE_PAUSE: we wait. */
void report_start(const struct options *options, pid_t command);

/*
 * The outcome of an event. A first SIGKILL is a warning, other outcomes are for
 * --verbose. info: of the signal that arrived; NULL if none did.
 */
void report_outcome(const struct options *options, pid_t command,
		    const struct actions *actions, const siginfo_t *info);

/* A warning: actions->signum could not be sent to its target; error: errno. */
void report_refusal(const struct options *options, pid_t command,
		    const struct actions *actions, int error);

/*
 * A warning: processes survived SIGKILL, and we exit. command: 0 if COMMAND is
 * not among them. failed: SIGKILL could not be sent to all of them.
 */
void report_survivors(const struct options *options, pid_t command,
		      bool failed);

/* --verbose: COMMAND's exit, as waitid(2) describes it. */
void report_exit(const struct options *options, const siginfo_t *exited);

/*
 * A warning, and the reason for a failure: a signal that we did not send killed
 * COMMAND. oom_kills: the number while COMMAND ran, or OOM_UNKNOWN.
 */
void report_unexpected_kill(const struct options *options,
			    const siginfo_t *exited, int oom_kills);

/*
 * The same: COMMAND exited with 137, the status of a shell whose child was
 * killed by SIGKILL, and there was an OOM kill meanwhile.
 */
void report_oom_of_child(const struct options *options,
			 const siginfo_t *exited);

/* --verbose; --warn-on-reap: a warning. */
void report_orphan(const struct options *options, const siginfo_t *exited);

/* --verbose: a child made us its tracer; it continues, with signum if not 0. */
void report_traced(pid_t pid, int signum);

/* --verbose: the resources that COMMAND and its reaped children used. */
void report_usage(const struct options *options, const struct rusage *usage);

#endif
