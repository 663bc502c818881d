#include "lifecycle.h"

enum {
	STATUS_SIGNALED = 128, /* as shells count a death by signal */
};

/* Requests to stop, unless --kill-after names another signal. */
#define STOP_REQUESTS                                                          \
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

static bool is_in(signals_set set, int signum)
{
	return signum > 0 && (set & SIGNALS_BIT(signum)) != 0;
}

static bool in_job_stop(int signum)
{
	return is_in(SIGNALS_JOB_STOP, signum);
}

/* The signal that is sent for one that arrived; 0 when that is dropped. */
static int rewritten(const struct options *options, int signum, bool caught)
{
	int to = options->rewrites.to[signum];

	if (to == REWRITE_DROP)
		return 0;
	if (to != REWRITE_UNSET)
		return to;
	/*
	 * COMMAND's group is orphaned, as no process in its session is a parent
	 * of it: the kernel does not let these stop it, setpgid(2).
	 */
	if (options->mode == MODE_SESSION && in_job_stop(signum) && !caught)
		return SIGSTOP;
	return signum;
}

/* Whether COMMAND has a process group of its own. */
static bool leads_group(const struct options *options)
{
	return options->mode == MODE_SESSION || options->mode == MODE_GROUP;
}

/* COMMAND has exited, or the pause that is in its place; status is set. */
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
	/* --kill-after has fired: a newer process gets no grace either. */
	if (lifecycle->killed) {
		lifecycle->kill_at = now;
		lifecycle->give_up_at = LIFECYCLE_NEVER;
	}
	return actions;
}

/* There is no COMMAND: of a signal only the end of the pause follows. */
static struct actions pause_signalled(struct lifecycle *lifecycle, int signum,
				      int to, int64_t now)
{
	struct actions actions = nothing;

	if (to == SIGTERM || to == SIGINT) {
		actions = end(lifecycle, now);
		actions.end_pause = true;
	}
	if (in_job_stop(signum) && !lifecycle->is_pid_1)
		actions.suspend = signum;
	return actions;
}

/* Whether a signal that arrived as signum, and is sent as `to`, is one. */
static bool is_stop_request(const struct lifecycle *lifecycle, int signum,
			    int to)
{
	const struct options *options = lifecycle->options;

	if (options->kill_after_signal != 0)
		return signum == options->kill_after_signal;
	/* A pause drops all but these two. */
	if (lifecycle->phase == PHASE_RUNNING && options->mode == MODE_PAUSE)
		return to == SIGTERM || to == SIGINT;
	return to != 0 &&
	       (is_in(STOP_REQUESTS, signum) || is_in(STOP_REQUESTS, to));
}

/* Keeps whether COMMAND is stopped by what it was sent. */
static void note_sent(struct lifecycle *lifecycle, int signum, bool caught,
		      bool wake)
{
	const signals_set stops = SIGNALS_JOB_STOP | SIGNALS_BIT(SIGSTOP);

	if (signum == SIGCONT || wake)
		lifecycle->stopped = false;
	else if (is_in(stops, signum) && !caught)
		lifecycle->stopped = true;
}

/*
 * What stops COMMAND stops us, so that a shell notices. First the terminal is
 * ours again: a shell or another dumb-init above us looks who has it.
 */
static void stop_with_command(struct lifecycle *lifecycle,
			      struct actions *actions, int signum,
			      enum terminal_place place)
{
	lifecycle->lent = place == TERMINAL_LENT;
	if (lifecycle->is_pid_1)
		return; /* the kernel would not stop us */
	actions->take_terminal_back = lifecycle->lent;
	actions->suspend = signum;
}

static struct actions pass_on(struct lifecycle *lifecycle,
			      const struct event *event, int signum,
			      int64_t now)
{
	const struct options *options = lifecycle->options;
	const bool running = lifecycle->phase == PHASE_RUNNING;
	const int to = rewritten(options, signum, event->caught);
	struct actions actions = {
		.lend_terminal = running && signum == SIGCONT &&
				 options->mode == MODE_GROUP,
		/* A job in the background of a script has another stdin. */
		.only_on_stdin = !lifecycle->lent,
		.signum = to,
		.target = running ? options->target : TARGET_EVERYTHING,
		/* No shell continues the COMMAND of PID 1. */
		.wake = running && lifecycle->is_pid_1 && lifecycle->stopped &&
			to != 0 &&
			(is_stop_request(lifecycle, signum, to) ||
			 is_in(STOP_REQUESTS, to)),
	};

	if (running && options->mode == MODE_PAUSE)
		return pause_signalled(lifecycle, signum, to, now);
	note_sent(lifecycle, to, event->caught, actions.wake);
	if (in_job_stop(signum))
		stop_with_command(lifecycle, &actions, signum,
				  running ? event->place : TERMINAL_NONE);
	return actions;
}

static bool is_held(const struct lifecycle *lifecycle)
{
	return lifecycle->pass_held_at != LIFECYCLE_NEVER;
}

/* Forwards the signal that was held back. */
static struct actions release(struct lifecycle *lifecycle,
			      const struct event *event, int64_t now)
{
	struct actions actions =
		pass_on(lifecycle, event, lifecycle->options->delayed, now);

	actions.release = true;
	lifecycle->pass_held_at = LIFECYCLE_NEVER;
	return actions;
}

static bool is_to_be_held(const struct lifecycle *lifecycle)
{
	const struct options *options = lifecycle->options;

	/* In the grace period there is no COMMAND to spare any more. */
	return rewritten(options, options->delayed, false) != 0 &&
	       (lifecycle->phase == PHASE_RUNNING ||
		options->grace_ms == DURATION_NONE);
}

/* --kill-after: everything gets SIGKILL so long after the first request. */
static void note_stop_request(struct lifecycle *lifecycle, int signum,
			      int64_t now)
{
	const struct options *options = lifecycle->options;

	if (options->kill_after_ms == DURATION_NONE ||
	    lifecycle->stop_requested ||
	    !is_stop_request(lifecycle, signum,
			     rewritten(options, signum, false)))
		return;
	lifecycle->stop_requested = true;
	kill_by(lifecycle, now + options->kill_after_ms * SIGNALS_MS);
}

static struct actions signal_arrived(struct lifecycle *lifecycle,
				     const struct event *event, int64_t now)
{
	const struct options *options = lifecycle->options;

	note_stop_request(lifecycle, event->signum, now);
	if (event->reached_command && lifecycle->phase == PHASE_RUNNING) {
		struct actions actions = nothing;

		if (in_job_stop(event->signum) && !lifecycle->is_pid_1)
			actions.suspend = event->signum;
		return actions;
	}
	if (event->signum == options->delayed) {
		if (is_held(lifecycle))
			return release(lifecycle, event, now);
		if (is_to_be_held(lifecycle)) {
			lifecycle->pass_held_at =
				now + options->delay_ms * SIGNALS_MS;
			return (struct actions){ .hold = true };
		}
	}
	return pass_on(lifecycle, event, event->signum, now);
}

/*
 * In a group of its own COMMAND stops without us, and a shell that we are a job
 * of does not see it. So stop as well, if it wanted the terminal or has it. But
 * if our own group is in the foreground (fg), COMMAND only lacks the terminal.
 *
 * The terminal would have stopped our group too if COMMAND were in it: the
 * script that runs us, the rest of a pipeline.
 */
static struct actions command_stopped(struct lifecycle *lifecycle,
				      const struct event *event)
{
	const bool job_stop = in_job_stop(event->signum);
	const bool wants_terminal =
		event->signum == SIGTTIN || event->signum == SIGTTOU;
	struct actions actions = nothing;

	if (job_stop && event->place == TERMINAL_OURS) {
		lifecycle->lent = true;
		return (struct actions){ .lend_terminal = true,
					 .signum = SIGCONT,
					 .target = TARGET_GROUP };
	}
	if (event->place == TERMINAL_LENT ||
	    (job_stop && event->place == TERMINAL_AWAY)) {
		stop_with_command(lifecycle, &actions,
				  job_stop ? event->signum : SIGTSTP,
				  event->place);
		actions.suspend_group =
			actions.suspend != 0 &&
			(event->place == TERMINAL_LENT || wants_terminal);
	}
	return actions;
}

static int map_status(const struct options *options, int status)
{
	return (uint8_t)(status + options->status_change[status]);
}

static int exit_status(const struct options *options, const struct event *event)
{
	return map_status(options, event->cause == CLD_EXITED
					   ? event->status
					   : STATUS_SIGNALED + event->status);
}

/*
 * SIGKILL does not end all processes: one may be stuck in the kernel, or we may
 * not be permitted to kill it. It does not hold us for ever.
 */
static struct actions give_up(struct lifecycle *lifecycle)
{
	if (lifecycle->phase == PHASE_RUNNING)
		lifecycle->status = map_status(lifecycle->options,
					       STATUS_SIGNALED + SIGKILL);
	lifecycle->phase = PHASE_OVER;
	return (struct actions){ .give_up = true };
}

/*
 * SIGKILL for everything. When COMMAND has exited it is sent again and again,
 * to catch the processes that were just being started.
 */
static struct actions time_is_up(struct lifecycle *lifecycle, int64_t now)
{
	const bool first = !lifecycle->killed;

	if (now >= lifecycle->give_up_at)
		return give_up(lifecycle);
	lifecycle->killed = true;
	lifecycle->kill_at = LIFECYCLE_NEVER;
	if (lifecycle->phase == PHASE_RUNNING) {
		lifecycle->give_up_at = now + LIFECYCLE_GIVE_UP_LATE;
	} else {
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
		return command_stopped(lifecycle, event);
	case EVENT_COMMAND_ENDED:
		lifecycle->status = exit_status(lifecycle->options, event);
		return end(lifecycle, now);
	case EVENT_NOT_STARTED:
		lifecycle->status = event->status;
		lifecycle->phase = PHASE_OVER;
		return nothing;
	case EVENT_NOTHING_LEFT:
		lifecycle->phase = PHASE_OVER;
		return nothing;
	case EVENT_DEADLINE:
		if (now >= lifecycle->pass_held_at)
			return release(lifecycle, event, now);
		return time_is_up(lifecycle, now);
	}
	return nothing;
}
