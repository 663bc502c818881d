#include "lifecycle.h"

enum {
	STATUS_SIGNALED = 128, /* plus the signal's number, as in shells */
};

/* The stop requests, unless --kill-after names another signal. */
#define STOP_REQUESTS                                                          \
	(SIGNALS_BIT(SIGTERM) | SIGNALS_BIT(SIGINT) | SIGNALS_BIT(SIGQUIT))

static const struct actions nothing = { .outcome = OUTCOME_NONE };

struct lifecycle lifecycle_start(const struct options *options)
{
	return (struct lifecycle){
		.options = options,
		.delay_ends_at = LIFECYCLE_NEVER,
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
	return earlier(lifecycle->delay_ends_at,
		       earlier(lifecycle->kill_at, lifecycle->give_up_at));
}

/* Sets the time of the first SIGKILL, unless there is an earlier one. */
static void kill_by(struct lifecycle *lifecycle, int64_t time, bool by_grace)
{
	if (time >= lifecycle->kill_at)
		return;
	lifecycle->kill_at = time;
	lifecycle->kill_by_grace = by_grace;
}

static bool is_in(signals_set set, int signum)
{
	return signum > 0 && (set & SIGNALS_BIT(signum)) != 0;
}

static bool is_job_stop(int signum)
{
	return is_in(SIGNALS_JOB_STOP, signum);
}

/* The signal to send for one that arrived; 0: drop it. */
static int rewrite(const struct options *options, int signum, bool unchanged)
{
	int to = options->rewrites.to[signum];

	if (to == REWRITE_DROP)
		return 0;
	if (to != REWRITE_UNSET)
		return to;
	/*
	 * COMMAND's group is an orphaned process group: each parent of its
	 * processes is in the group or in another session. The kernel does not
	 * let these signals stop it (setpgid(2)), but SIGSTOP does.
	 */
	if (options->mode == MODE_SESSION && is_job_stop(signum) && !unchanged)
		return SIGSTOP;
	return signum;
}

static bool command_leads_group(const struct options *options)
{
	return options->mode == MODE_SESSION || options->mode == MODE_GROUP;
}

/* COMMAND has exited, or the pause has ended. */
static struct actions command_exited(struct lifecycle *lifecycle, int64_t now)
{
	const struct options *options = lifecycle->options;
	const bool grace = options->grace_ms != DURATION_NONE;
	struct actions actions = nothing;

	lifecycle->phase =
		grace || options->wait_all ? PHASE_WAITING : PHASE_OVER;
	actions.take_terminal = options->mode == MODE_GROUP ||
				(options->mode == MODE_SESSION &&
				 lifecycle->phase == PHASE_WAITING);
	if (grace) {
		lifecycle->delay_ends_at = LIFECYCLE_NEVER;
		kill_by(lifecycle, now + options->grace_ms * NUMBERS_MS, true);
		actions.outcome = OUTCOME_TERMINATE;
		actions.signum = SIGTERM;
		actions.target = TARGET_ALL;
		actions.wake = true;
	} else if (!options->wait_all && command_leads_group(options) &&
		   options->target != TARGET_COMMAND) {
		actions.outcome = OUTCOME_TERMINATE;
		actions.signum = SIGTERM;
		actions.target = TARGET_GROUP;
	}
	/* --kill-after has expired: newer processes get no grace either, and
	 * the time until we give up begins again. */
	if (lifecycle->killed) {
		lifecycle->kill_at = now;
		lifecycle->give_up_at = LIFECYCLE_NEVER;
	}
	return actions;
}

/* In a pause there is no COMMAND: a signal ends the pause or is dropped. */
static struct actions signal_in_pause(struct lifecycle *lifecycle, int signum,
				      int to, int64_t now)
{
	struct actions actions = { .outcome = OUTCOME_DROPPED };

	if (to == SIGTERM || to == SIGINT) {
		actions = command_exited(lifecycle, now);
		actions.outcome = OUTCOME_PAUSE_ENDED;
	} else if (is_job_stop(signum) && !lifecycle->is_pid_1) {
		actions.suspend = signum;
	}
	return actions;
}

/* Whether a signal, which arrived as signum and is sent as `to`, requests a
 * stop. */
static bool is_stop_request(const struct lifecycle *lifecycle, int signum,
			    int to)
{
	const struct options *options = lifecycle->options;

	if (options->kill_after_signal != 0)
		return signum == options->kill_after_signal;
	/* A pause drops all signals except these two. */
	if (lifecycle->phase == PHASE_RUNNING && options->mode == MODE_PAUSE)
		return to == SIGTERM || to == SIGINT;
	return to != 0 &&
	       (is_in(STOP_REQUESTS, signum) || is_in(STOP_REQUESTS, to));
}

/* Keeps whether a signal from us has stopped COMMAND. */
static void note_sent(struct lifecycle *lifecycle, int signum, bool caught,
		      bool wake)
{
	const signals_set stops = SIGNALS_JOB_STOP | SIGNALS_BIT(SIGSTOP);

	if (signum == SIGCONT || wake)
		lifecycle->stopped = lifecycle->group_stopped = false;
	else if (is_in(stops, signum) && !caught)
		lifecycle->stopped = true;
}

/*
 * We stop when COMMAND stops, so that the shell notices. First we take the
 * terminal: the shell, or a dumb-init above us, looks at its owner.
 */
static void stop_with_command(struct lifecycle *lifecycle,
			      struct actions *actions, int signum,
			      enum terminal_owner owner)
{
	lifecycle->had_terminal = owner == TERMINAL_COMMANDS;
	if (lifecycle->is_pid_1)
		return;             /* the kernel would not stop us */
	lifecycle->stopped = false; /* SIGCONT for us continues both */
	actions->take_terminal = lifecycle->had_terminal;
	actions->suspend = signum;
}

static enum target target_of(const struct lifecycle *lifecycle, int signum)
{
	const enum target target = lifecycle->options->target;

	if (lifecycle->phase != PHASE_RUNNING)
		return TARGET_ALL;
	if (signum == SIGCONT && target == TARGET_COMMAND &&
	    lifecycle->group_stopped)
		return TARGET_GROUP;
	return target;
}

static struct actions forward_signal(struct lifecycle *lifecycle,
				     const struct event *event, int signum,
				     int64_t now)
{
	const struct options *options = lifecycle->options;
	const bool running = lifecycle->phase == PHASE_RUNNING;
	/* A daemon, which outlives COMMAND, may handle a job stop signal. */
	const bool unchanged =
		event->caught || (!running && lifecycle->is_pid_1);
	const int to = rewrite(options, signum, unchanged);
	struct actions actions = {
		.outcome = to == 0 ? OUTCOME_DROPPED : OUTCOME_FORWARDED,
		.give_terminal = running && signum == SIGCONT &&
				 options->mode == MODE_GROUP,
		/* A script's background job has another stdin, and must not
		 * take the terminal; but COMMAND gets back what it had. */
		.stdin_only = !lifecycle->had_terminal,
		.signum = to,
		.target = target_of(lifecycle, to),
		/* No shell continues COMMAND, so that it could react. With
		 * -k SIG only SIG is a stop request, but COMMAND must be able
		 * to react to the usual ones as well. */
		.wake = lifecycle->stopped && to != 0 &&
			(is_stop_request(lifecycle, signum, to) ||
			 is_in(STOP_REQUESTS, to)),
	};

	if (running && options->mode == MODE_PAUSE)
		return signal_in_pause(lifecycle, signum, to, now);
	note_sent(lifecycle, to, event->caught, actions.wake);
	/* Even if it was rewritten, as in dumb-init 1.2.5. */
	if (is_job_stop(signum))
		stop_with_command(lifecycle, &actions, signum,
				  running ? event->owner : TERMINAL_NONE);
	return actions;
}

static struct actions forward_delayed(struct lifecycle *lifecycle,
				      const struct event *event, int64_t now)
{
	struct actions actions = forward_signal(
		lifecycle, event, lifecycle->options->delay_signal, now);

	actions.delay_ended = true;
	lifecycle->delay_ends_at = LIFECYCLE_NEVER;
	return actions;
}

/* Whether --delay applies. In the grace period there is no COMMAND to spare. */
static bool can_delay(const struct lifecycle *lifecycle)
{
	const struct options *options = lifecycle->options;

	return rewrite(options, options->delay_signal, false) != 0 &&
	       (lifecycle->phase == PHASE_RUNNING ||
		options->grace_ms == DURATION_NONE);
}

/* Starts the time of --kill-after at the first stop request. */
static void note_stop_request(struct lifecycle *lifecycle, int signum,
			      int64_t now)
{
	const struct options *options = lifecycle->options;

	if (options->kill_after_ms == DURATION_NONE ||
	    lifecycle->stop_requested ||
	    !is_stop_request(lifecycle, signum,
			     rewrite(options, signum, false)))
		return;
	lifecycle->stop_requested = true;
	kill_by(lifecycle, now + options->kill_after_ms * NUMBERS_MS, false);
}

static struct actions signal_arrived(struct lifecycle *lifecycle,
				     const struct event *event, int64_t now)
{
	const struct options *options = lifecycle->options;
	const int signum = event->signum;

	note_stop_request(lifecycle, signum, now);
	if (event->reached_command && lifecycle->phase == PHASE_RUNNING) {
		struct actions actions = { .outcome = OUTCOME_ALREADY_SENT };

		if (is_job_stop(signum) && !lifecycle->is_pid_1)
			actions.suspend = signum;
		return actions;
	}
	if (signum != options->delay_signal)
		return forward_signal(lifecycle, event, signum, now);
	if (lifecycle->delay_ends_at != LIFECYCLE_NEVER)
		return forward_delayed(lifecycle, event, now);
	if (!can_delay(lifecycle))
		return forward_signal(lifecycle, event, signum, now);
	lifecycle->delay_ends_at = now + options->delay_ms * NUMBERS_MS;
	return (struct actions){ .outcome = OUTCOME_DELAYED };
}

/*
 * In group mode COMMAND stops alone, and the shell that we are a job of watches
 * only us. So we stop as well, if COMMAND wanted the terminal or has it, or got
 * the signal of ^Z. But if COMMAND wanted the terminal and our own group has it
 * (after fg), COMMAND gets it and continues.
 */
static struct actions command_stopped(struct lifecycle *lifecycle,
				      const struct event *event)
{
	const bool job_stop = is_job_stop(event->signum);
	const bool wants_terminal =
		event->signum == SIGTTIN || event->signum == SIGTTOU;
	struct actions actions = nothing;

	if (wants_terminal && event->owner == TERMINAL_OURS) {
		lifecycle->stopped = lifecycle->group_stopped = false;
		lifecycle->had_terminal = true;
		return (struct actions){ .give_terminal = true,
					 .signum = SIGCONT,
					 .target = TARGET_GROUP };
	}
	lifecycle->group_stopped |= !lifecycle->stopped;
	lifecycle->stopped = true;
	if (event->owner == TERMINAL_COMMANDS ||
	    (job_stop && event->owner != TERMINAL_NONE)) {
		stop_with_command(lifecycle, &actions,
				  job_stop ? event->signum : SIGTSTP,
				  event->owner);
		/* Were COMMAND in our group, the terminal would have stopped
		 * all of that: the script that runs us, the other programs of
		 * a pipeline. */
		actions.suspend_group =
			actions.suspend != 0 &&
			(event->owner == TERMINAL_COMMANDS || wants_terminal);
	}
	return actions;
}

static int map_status(const struct options *options, int status)
{
	return (uint8_t)(status + options->status_change[status]);
}

void lifecycle_set_status(struct lifecycle *lifecycle, int cause, int status)
{
	if (cause != CLD_EXITED)
		status += STATUS_SIGNALED;
	lifecycle->status = map_status(lifecycle->options, status);
}

/*
 * A process survived SIGKILL: it is stuck in the kernel, or we may not signal
 * it. It must not delay our exit for ever.
 */
static struct actions give_up(struct lifecycle *lifecycle)
{
	if (lifecycle->phase == PHASE_RUNNING)
		lifecycle->status = map_status(lifecycle->options,
					       STATUS_SIGNALED + SIGKILL);
	lifecycle->phase = PHASE_OVER;
	return (struct actions){ .outcome = OUTCOME_GAVE_UP };
}

/*
 * SIGKILL for all processes. After COMMAND's exit it is repeated, to catch
 * processes that were being created meanwhile.
 */
static struct actions kill_all(struct lifecycle *lifecycle, int64_t now)
{
	const bool first = !lifecycle->killed;
	struct actions actions = { .signum = SIGKILL, .target = TARGET_ALL };

	if (now >= lifecycle->give_up_at)
		return give_up(lifecycle);
	if (first)
		actions.outcome = lifecycle->kill_by_grace
					  ? OUTCOME_GRACE_EXPIRED
					  : OUTCOME_KILL_AFTER_EXPIRED;
	lifecycle->killed = true;
	lifecycle->kill_at = LIFECYCLE_NEVER;
	if (lifecycle->phase == PHASE_RUNNING) {
		/* A pause goes on: there is no COMMAND that could survive. */
		if (lifecycle->options->mode != MODE_PAUSE)
			lifecycle->give_up_at = now + LIFECYCLE_GIVE_UP_LATE;
		return actions;
	}
	lifecycle->kill_at = now + LIFECYCLE_KILL_AGAIN;
	/* Counted from the second: to find all processes takes time, too. */
	if (!first && lifecycle->give_up_at == LIFECYCLE_NEVER)
		lifecycle->give_up_at = now + LIFECYCLE_GIVE_UP;
	return actions;
}

struct actions lifecycle_step(struct lifecycle *lifecycle,
			      const struct event *event, int64_t now)
{
	switch (event->kind) {
	case EVENT_SIGNAL:
		return signal_arrived(lifecycle, event, now);
	case EVENT_COMMAND_STOPPED:
		return command_stopped(lifecycle, event);
	case EVENT_COMMAND_EXITED:
		return command_exited(lifecycle, now);
	case EVENT_EXEC_FAILED:
		lifecycle->status = event->status;
		lifecycle->phase = PHASE_OVER;
		return nothing;
	case EVENT_ALL_EXITED:
		lifecycle->phase = PHASE_OVER;
		return nothing;
	case EVENT_DEADLINE:
		if (now >= lifecycle->delay_ends_at)
			return forward_delayed(lifecycle, event, now);
		return kill_all(lifecycle, now);
	}
	return nothing;
}
