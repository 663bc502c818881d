#include "lifecycle.h"

enum {
	STATUS_SIGNALED = 128, /* as shells count a death by signal */
};

/* With these people ask a program to end. */
#define ASKS_TO_END                                                            \
	(SIGNALS_BIT(SIGTERM) | SIGNALS_BIT(SIGINT) | SIGNALS_BIT(SIGQUIT))

static const struct actions nothing = { .signum = 0 };

struct lifecycle lifecycle_start(const struct options *options)
{
	return (struct lifecycle){
		.options = options,
		.pass_held_at = LIFECYCLE_NEVER,
		.kill_at = LIFECYCLE_NEVER,
		.give_up_at = LIFECYCLE_NEVER,
	};
}

static int64_t earlier(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

int64_t lifecycle_deadline(const struct lifecycle *lifecycle)
{
	return earlier(lifecycle->pass_held_at,
		       earlier(lifecycle->kill_at, lifecycle->give_up_at));
}

/* Everything gets SIGKILL then, or before. */
static void kill_by(struct lifecycle *lifecycle, int64_t time)
{
	lifecycle->kill_at = earlier(lifecycle->kill_at, time);
}

static bool in_job_stop(int signum)
{
	return signum > 0 && (SIGNALS_JOB_STOP & SIGNALS_BIT(signum)) != 0;
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

/* Whether COMMAND has a process group of its own. */
static bool leads_group(const struct options *options)
{
	return options->mode == MODE_SESSION || options->mode == MODE_GROUP;
}

/* COMMAND has ended, or the pause that is in its place; status is set. */
static struct actions end(struct lifecycle *lifecycle, int64_t now)
{
	const struct options *options = lifecycle->options;
	const bool grace = options->grace_ms != DURATION_NONE;
	struct actions actions = nothing;

	lifecycle->phase = grace || options->wait_all ? PHASE_LEFT : PHASE_OVER;
	actions.take_terminal_back =
		options->mode == MODE_GROUP || (options->mode == MODE_SESSION &&
						lifecycle->phase == PHASE_LEFT);
	if (grace) {
		lifecycle->pass_held_at = LIFECYCLE_NEVER;
		kill_by(lifecycle, now + options->grace_ms * SIGNALS_MS);
		actions.signum = SIGTERM;
		actions.target = TARGET_EVERYTHING;
		actions.wake = true;
	} else if (!options->wait_all && leads_group(options) &&
		   options->target != TARGET_COMMAND) {
		actions.signum = SIGTERM;
		actions.target = TARGET_GROUP;
	}
	/* What came to be since then is not to stay longer than the rest. */
	if (lifecycle->killed)
		lifecycle->kill_at = now;
	return actions;
}

/* There is nobody to pass a signal on to: only its end matters. */
static struct actions pause_signalled(struct lifecycle *lifecycle, int signum,
				      int to, int64_t now)
{
	struct actions actions = nothing;

	if (to == SIGTERM || to == SIGINT) {
		actions = end(lifecycle, now);
		actions.end_pause = true;
	}
	actions.suspend = in_job_stop(signum);
	return actions;
}

static struct actions pass_on(struct lifecycle *lifecycle, int signum,
			      int64_t now)
{
	const struct options *options = lifecycle->options;
	const bool running = lifecycle->phase == PHASE_RUNNING;
	int to = rewritten(options, signum);

	if (running && options->mode == MODE_PAUSE)
		return pause_signalled(lifecycle, signum, to, now);
	if (to != 0 && (ASKS_TO_END & SIGNALS_BIT(to)) != 0 &&
	    options->kill_after_ms != DURATION_NONE &&
	    !lifecycle->asked_to_end) {
		lifecycle->asked_to_end = true;
		kill_by(lifecycle, now + options->kill_after_ms * SIGNALS_MS);
	}
	return (struct actions){
		.lend_terminal = running && signum == SIGCONT &&
				 options->mode == MODE_GROUP,
		.signum = to,
		.target = running ? options->target : TARGET_EVERYTHING,
		.suspend = in_job_stop(signum),
	};
}

static bool is_held(const struct lifecycle *lifecycle)
{
	return lifecycle->pass_held_at != LIFECYCLE_NEVER;
}

/* Passes the signal on that was held back. */
static struct actions release(struct lifecycle *lifecycle, int64_t now)
{
	struct actions actions =
		pass_on(lifecycle, lifecycle->options->delayed, now);

	actions.release = true;
	lifecycle->pass_held_at = LIFECYCLE_NEVER;
	return actions;
}

static bool is_to_be_held(const struct lifecycle *lifecycle)
{
	const struct options *options = lifecycle->options;

	/* In the grace period there is no COMMAND to spare any more. */
	return rewritten(options, options->delayed) != 0 &&
	       (lifecycle->phase == PHASE_RUNNING ||
		options->grace_ms == DURATION_NONE);
}

static struct actions signal_arrived(struct lifecycle *lifecycle,
				     const struct event *event, int64_t now)
{
	const struct options *options = lifecycle->options;

	if (event->reached_command && lifecycle->phase == PHASE_RUNNING)
		return (struct actions){ .suspend =
						 in_job_stop(event->signum) };
	if (event->signum == options->delayed) {
		if (is_held(lifecycle))
			return release(lifecycle, now);
		if (is_to_be_held(lifecycle)) {
			lifecycle->pass_held_at =
				now + options->delay_ms * SIGNALS_MS;
			return (struct actions){ .hold = true };
		}
	}
	return pass_on(lifecycle, event->signum, now);
}

/*
 * In a group of its own COMMAND stops without us, and a shell that we are a job
 * of does not see it. So stop as well, if it wanted the terminal or has it. But
 * if our own group is in the foreground (fg), COMMAND only lacks the terminal.
 */
static struct actions command_stopped(const struct event *event)
{
	const bool job_stop = in_job_stop(event->signum);

	if (job_stop && event->place == TERMINAL_OURS)
		return (struct actions){ .lend_terminal = true,
					 .signum = SIGCONT,
					 .target = TARGET_GROUP };
	return (struct actions){
		.suspend = event->place == TERMINAL_LENT ||
			   (job_stop && event->place == TERMINAL_AWAY),
	};
}

static int exit_status(const struct options *options, const struct event *event)
{
	int status = event->cause == CLD_EXITED
			     ? event->status
			     : STATUS_SIGNALED + event->status;

	return (uint8_t)(status + options->status_change[status]);
}

/*
 * SIGKILL for everything. When COMMAND has ended it is sent again and again,
 * for what was being born meanwhile. But what is stuck in the kernel does not
 * die even so, and does not hold us for ever.
 */
static struct actions time_is_up(struct lifecycle *lifecycle, int64_t now)
{
	const bool first = !lifecycle->killed;

	if (now >= lifecycle->give_up_at) {
		lifecycle->phase = PHASE_OVER;
		return nothing;
	}
	lifecycle->killed = true;
	lifecycle->kill_at = LIFECYCLE_NEVER;
	if (lifecycle->phase == PHASE_LEFT) {
		lifecycle->kill_at = now + LIFECYCLE_KILL_AGAIN;
		/* To find them all for the first may have taken its time. */
		if (!first && lifecycle->give_up_at == LIFECYCLE_NEVER)
			lifecycle->give_up_at = now + LIFECYCLE_GIVE_UP;
	}
	return (struct actions){ .signum = SIGKILL,
				 .target = TARGET_EVERYTHING,
				 .last_resort = first };
}

struct actions lifecycle_step(struct lifecycle *lifecycle,
			      const struct event *event, int64_t now)
{
	switch (event->kind) {
	case EVENT_SIGNAL:
		return signal_arrived(lifecycle, event, now);
	case EVENT_COMMAND_STOPPED:
		return command_stopped(event);
	case EVENT_COMMAND_ENDED:
		lifecycle->status = exit_status(lifecycle->options, event);
		return end(lifecycle, now);
	case EVENT_NOTHING_LEFT:
		lifecycle->phase = PHASE_OVER;
		return nothing;
	case EVENT_DEADLINE:
		if (now >= lifecycle->pass_held_at)
			return release(lifecycle, now);
		return time_is_up(lifecycle, now);
	}
	return nothing;
}
