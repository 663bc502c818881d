#include "lifecycle.h"

enum {
	STATUS_SIGNALED = 128, /* as shells count a death by signal */
};

struct lifecycle lifecycle_start(const struct options *options)
{
	return (struct lifecycle){ .options = options };
}

static bool in_job_stop(int signum)
{
	return (SIGNALS_JOB_STOP & SIGNALS_BIT(signum)) != 0;
}

/* What a signal is passed on as; 0 when it is dropped. */
static int rewritten(const struct options *options, int signum)
{
	int to = options->rewrites.to[signum];

	if (to == REWRITE_DROP)
		return 0;
	if (to != REWRITE_UNSET)
		return to;
	/*
	 * COMMAND's group is orphaned, as nobody in its session is a parent
	 * of it: the kernel does not let these stop it, setpgid(2).
	 */
	if (options->mode == MODE_SESSION && in_job_stop(signum))
		return SIGSTOP;
	return signum;
}

static struct actions signal_arrived(const struct options *options,
				     const struct event *event)
{
	return (struct actions){
		.signum = event->reached_command
				  ? 0
				  : rewritten(options, event->signum),
		.target = options->mode == MODE_SESSION ? TARGET_GROUP
							: TARGET_COMMAND,
		.suspend = in_job_stop(event->signum),
	};
}

static struct actions command_ended(struct lifecycle *lifecycle,
				    const struct event *event)
{
	struct actions actions = { .signum = 0 };

	lifecycle->ended = true;
	lifecycle->status = event->cause == CLD_EXITED
				    ? event->status
				    : STATUS_SIGNALED + event->status;
	if (lifecycle->options->mode == MODE_SESSION) {
		actions.signum = SIGTERM;
		actions.target = TARGET_GROUP;
	}
	return actions;
}

struct actions lifecycle_step(struct lifecycle *lifecycle,
			      const struct event *event)
{
	if (event->kind == EVENT_COMMAND_ENDED)
		return command_ended(lifecycle, event);
	return signal_arrived(lifecycle->options, event);
}
