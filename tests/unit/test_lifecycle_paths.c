/*
 * Proof by exploration: every state that lifecycle can reach, by any events in
 * any order, for every combination of the options that matter; and every
 * sequence of events to a depth that is limited by time. At each step `check`
 * compares the actions of lifecycle with the contract. Its own record of the
 * path is struct watch, in the contract's terms.
 * docs/design.md lists the properties.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lifecycle.h"

enum {
	TICK = 10, /* ms; this much or no time passes between two events */
	DELAY = 30,
	GRACE = 50,
	KILL_AFTER = 40,
	WALK_SECONDS = 18,
	STATES_MAX = 1 << 18, /* of one combination */
	SLOTS = 2 * STATES_MAX,
};

/* The history of a path. Times are as in struct lifecycle. */
struct watch {
	bool ended;
	int status; /* COMMAND's, as in section 4.1 */
	int64_t held_until;
	int64_t grace_until;
	int64_t kill_after_until;
	bool asked;         /* there was a stop request */
	bool killed;        /* a SIGKILL was sent */
	bool stopped;       /* COMMAND, and not dumb-init */
	bool group_stopped; /* and not by a forwarded signal */
	bool lent;          /* the terminal, when COMMAND last stopped */
	int64_t kill_again_at;
	int64_t killing_until;
};

struct path {
	int64_t now;
	struct lifecycle lifecycle;
	struct watch watch;
};

struct step {
	const char *name;
	struct event event;
	enum {
		ALWAYS,
		IN_SINGLE_CHILD,
		IN_GROUP,
		STOP_IN_GROUP,
		CAUGHT,
		RUNNING,
		LEFT,
		DUE,
		PASS
	} when;
	int cause, status; /* of COMMAND's exit, waitid(2) */
	bool orphaned; /* the kernel does not let our group stop, setpgid(2) */
};

/* clang-format off */
#define STEP(text, happens, ...)                                               \
	{                                                                      \
		.name = (text), .event = { __VA_ARGS__ }, .when = (happens)    \
	}
#define SIGNAL(number)                                                         \
	STEP(#number, ALWAYS, .kind = EVENT_SIGNAL, .signum = (number))
#define REACHED(number)                                                        \
	STEP(#number " from the terminal", IN_SINGLE_CHILD,                    \
	     .kind = EVENT_SIGNAL, .signum = (number), .reached_command = true)
#define FORWARDED_STOP(number, where)                                          \
	STEP(#number " with the terminal in " #where, STOP_IN_GROUP,           \
	     .kind = EVENT_SIGNAL, .signum = (number), .owner = (where))
#define STOPPED(number, where)                                                 \
	STEP("COMMAND stopped by " #number " in " #where, IN_GROUP,            \
	     .kind = EVENT_COMMAND_STOPPED, .signum = (number),                \
	     .owner = (where))
#define STOPPED_ALONE(number, where)                                           \
	{                                                                      \
		.name = "COMMAND stopped alone by " #number " in " #where,     \
		.event = { .kind = EVENT_COMMAND_STOPPED,                      \
			   .signum = (number), .owner = (where) },             \
		.when = IN_GROUP, .orphaned = true                             \
	}
#define EXITED(how, number)                                                    \
	{                                                                      \
		.name = "COMMAND exited, " #how " " #number,                   \
		.event = { .kind = EVENT_COMMAND_EXITED }, .when = RUNNING,    \
		.cause = (how), .status = (number)                             \
	}
/* clang-format on */

static const struct step steps[] = {
	SIGNAL(SIGTERM),
	SIGNAL(SIGINT),
	SIGNAL(SIGHUP),
	SIGNAL(SIGTSTP),
	SIGNAL(SIGCONT),
	FORWARDED_STOP(SIGTSTP, TERMINAL_COMMANDS),
	FORWARDED_STOP(SIGTSTP, TERMINAL_OURS),
	STEP("SIGTSTP, which COMMAND handles", CAUGHT, .kind = EVENT_SIGNAL,
	     .signum = SIGTSTP, .caught = true),
	REACHED(SIGTERM),
	REACHED(SIGTSTP),
	STOPPED(SIGTSTP, TERMINAL_NONE),
	STOPPED(SIGTSTP, TERMINAL_OURS),
	STOPPED(SIGTTIN, TERMINAL_OURS),
	STOPPED(SIGTSTP, TERMINAL_COMMANDS),
	STOPPED_ALONE(SIGTSTP, TERMINAL_COMMANDS),
	STOPPED(SIGTTOU, TERMINAL_OTHER),
	STOPPED(SIGSTOP, TERMINAL_OURS),
	STOPPED(SIGSTOP, TERMINAL_COMMANDS),
	STOPPED(SIGSTOP, TERMINAL_OTHER),
	EXITED(CLD_EXITED, 3),
	EXITED(CLD_KILLED, SIGTERM),
	STEP("all have exited", LEFT, .kind = EVENT_ALL_EXITED),
	STEP("a deadline", DUE, .kind = EVENT_DEADLINE),
	/* No event: time passes. A deadline may be handled a little late. */
	STEP("time passes", PASS, .kind = EVENT_DEADLINE),
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

/* For the message of a failure: the steps to the current state. */
static const struct step *trail[256];
static size_t trail_length;
static const struct options *trail_options;
static bool trail_is_pid_1;

static void require_that(bool holds, const char *property)
{
	if (holds)
		return;
	print_error("%smode %d, target %d, delay %d, grace %d, kill-after %d, "
		    "wait-all %d, rewrites %d:\n",
		    trail_is_pid_1 ? "PID 1, " : "", (int)trail_options->mode,
		    (int)trail_options->target,
		    (int)trail_options->delay_signal,
		    (int)trail_options->grace_ms,
		    (int)trail_options->kill_after_ms, trail_options->wait_all,
		    trail_options->rewrites.to[SIGHUP] != 0);
	for (size_t i = 0; i < trail_length; i++)
		print_error("  %s\n", trail[i]->name);
	fail_msg("property does not hold: %s", property);
}

#define require(condition) require_that((condition), #condition)

static int64_t earliest(const int64_t *times, size_t count)
{
	int64_t first = LIFECYCLE_NEVER;

	for (size_t i = 0; i < count; i++)
		first = times[i] < first ? times[i] : first;
	return first;
}

static int64_t expected_deadline(const struct watch *watch)
{
	const int64_t times[] = { watch->held_until, watch->grace_until,
				  watch->kill_after_until, watch->kill_again_at,
				  watch->killing_until };

	return earliest(times, sizeof(times) / sizeof(times[0]));
}

static bool stops_a_job(int signum)
{
	return signum == SIGTSTP || signum == SIGTTIN || signum == SIGTTOU;
}

static bool asks_to_end(int signum)
{
	return signum == SIGTERM || signum == SIGINT || signum == SIGQUIT;
}

static int expected_signal(const struct options *options, int signum,
			   bool caught)
{
	int to = options->rewrites.to[signum];

	if (to == REWRITE_DROP)
		return 0;
	if (to != REWRITE_UNSET)
		return to;
	return options->mode == MODE_SESSION && stops_a_job(signum) && !caught
		       ? SIGSTOP
		       : signum;
}

/* The table of section 1, -k; `to` is the signal that is sent. */
static bool is_stop_request(const struct options *options, int signum, int to,
			    bool pausing)
{
	if (options->kill_after_signal != 0)
		return signum == options->kill_after_signal;
	if (pausing)
		return to == SIGTERM || to == SIGINT;
	return to != 0 && (asks_to_end(signum) || asks_to_end(to));
}

static bool is_first_kill(const struct actions *actions)
{
	return actions->outcome == OUTCOME_GRACE_EXPIRED ||
	       actions->outcome == OUTCOME_KILL_AFTER_EXPIRED;
}

/* COMMAND has exited with status, or the pause has ended. */
static void check_end(const struct options *options, int status,
		      const struct actions *actions, const struct path *after,
		      struct watch *watch)
{
	const bool grace = options->grace_ms != DURATION_NONE;
	const bool stay = grace || options->wait_all;
	const bool group = !stay && options->mode != MODE_SINGLE_CHILD &&
			   options->mode != MODE_PAUSE &&
			   options->target != TARGET_COMMAND;

	watch->ended = true;
	watch->status = status;
	require(after->lifecycle.phase == (stay ? PHASE_WAITING : PHASE_OVER));
	require(actions->signum == (grace || group ? SIGTERM : 0));
	require(actions->wake == grace);
	if (actions->signum != 0)
		require(actions->target == (grace ? TARGET_ALL : TARGET_GROUP));
	require(!actions->suspend_group);
	require(actions->take_terminal ==
		(options->mode == MODE_GROUP ||
		 (options->mode == MODE_SESSION && stay)));
	if (grace) {
		watch->held_until = LIFECYCLE_NEVER;
		watch->grace_until =
			after->now + options->grace_ms * NUMBERS_MS;
	}
	/* --kill-after has expired: all processes must be killed. */
	if (watch->killed) {
		watch->kill_again_at = after->now;
		watch->killing_until = LIFECYCLE_NEVER;
	}
}

/* The signal that dumb-init stops itself with after signum; section 3.2. */
static int expected_stop(const struct path *after, int signum)
{
	return stops_a_job(signum) && !after->lifecycle.is_pid_1 ? signum : 0;
}

static void check_pause(const struct options *options, int signum,
			const struct actions *actions, const struct path *after,
			struct watch *watch)
{
	const int to = expected_signal(options, signum, false);

	require((actions->outcome == OUTCOME_PAUSE_ENDED) ==
		(to == SIGTERM || to == SIGINT));
	require(actions->suspend == expected_stop(after, signum));
	require(!actions->give_terminal && !actions->suspend_group);
	if (actions->outcome == OUTCOME_PAUSE_ENDED)
		check_end(options, 0, actions, after, watch);
	else
		require(actions->signum == 0);
}

/* Not COMMAND alone, if the whole group was stopped. */
static enum target expected_target(const struct options *options, int to,
				   const struct watch *watch)
{
	if (watch->ended)
		return TARGET_ALL;
	return options->target == TARGET_COMMAND && to == SIGCONT &&
			       watch->group_stopped
		       ? TARGET_GROUP
		       : options->target;
}

static void check_passed_on(const struct options *options,
			    const struct event *event, int signum,
			    const struct actions *actions,
			    const struct path *after, struct watch *watch)
{
	const bool ran = !watch->ended;
	const int to = expected_signal(
		options, signum,
		event->caught || (!ran && after->lifecycle.is_pid_1));
	bool wake;

	if (options->mode == MODE_PAUSE && ran) {
		check_pause(options, signum, actions, after, watch);
		return;
	}
	wake = watch->stopped && to != 0 &&
	       (asks_to_end(to) || is_stop_request(options, signum, to, false));
	require(actions->signum == to);
	require(actions->outcome ==
		(to == 0 ? OUTCOME_DROPPED : OUTCOME_FORWARDED));
	if (to != 0)
		require(actions->target == expected_target(options, to, watch));
	require(actions->wake == wake);
	require(actions->suspend == expected_stop(after, signum));
	require(!actions->suspend_group);
	if (to == SIGCONT || wake)
		watch->stopped = watch->group_stopped = false;
	else if (to == SIGSTOP || (stops_a_job(to) && !event->caught))
		watch->stopped = true;
	if (actions->suspend)
		watch->stopped = false;
	if (stops_a_job(signum))
		watch->lent = ran && event->owner == TERMINAL_COMMANDS;
	require(actions->take_terminal == (stops_a_job(signum) && watch->lent &&
					   !after->lifecycle.is_pid_1));
	require(actions->give_terminal ==
		(signum == SIGCONT && options->mode == MODE_GROUP && ran));
	if (actions->give_terminal)
		require(actions->stdin_only == !watch->lent);
}

static void check_signal(const struct options *options,
			 const struct event *event,
			 const struct actions *actions,
			 const struct path *after, struct watch *watch)
{
	const bool delayed = event->signum == options->delay_signal;
	const bool held = watch->held_until != LIFECYCLE_NEVER;
	const int to = expected_signal(options, event->signum, false);

	if (options->kill_after_ms != DURATION_NONE && !watch->asked &&
	    is_stop_request(options, event->signum, to,
			    options->mode == MODE_PAUSE && !watch->ended)) {
		watch->asked = true;
		watch->kill_after_until =
			after->now + options->kill_after_ms * NUMBERS_MS;
	}
	if (event->reached_command && !watch->ended) {
		require(actions->signum == 0);
		require(actions->outcome == OUTCOME_ALREADY_SENT);
		require(actions->suspend ==
			expected_stop(after, event->signum));
		return;
	}
	require(actions->delay_ended == (delayed && held));
	if (delayed && !held && to != 0 &&
	    (!watch->ended || options->grace_ms == DURATION_NONE)) {
		require(actions->outcome == OUTCOME_DELAYED);
		require(actions->signum == 0 && !actions->suspend);
		watch->held_until = after->now + options->delay_ms * NUMBERS_MS;
		return;
	}
	if (delayed)
		watch->held_until = LIFECYCLE_NEVER;
	check_passed_on(options, event, event->signum, actions, after, watch);
}

/* Section 2.3: the terminal would have stopped dumb-init, too. */
static void check_stopped(const struct event *event,
			  const struct actions *actions,
			  const struct path *after, struct watch *watch)
{
	const bool job = stops_a_job(event->signum);
	const bool reads = event->signum == SIGTTIN || event->signum == SIGTTOU;
	const bool called = reads && event->owner == TERMINAL_OURS;
	const bool lent = event->owner == TERMINAL_COMMANDS;
	const bool seen = job && event->owner != TERMINAL_NONE && !called;
	const bool stop = (lent || seen) && !after->lifecycle.is_pid_1;

	require(actions->suspend == (!stop ? 0
				     : job ? event->signum
					   : SIGTSTP));
	require(actions->suspend_group == (stop && (lent || reads)));
	require(actions->take_terminal == (stop && lent));
	require(actions->give_terminal == called && !actions->stdin_only);
	require(actions->signum == (called ? SIGCONT : 0));
	if (called)
		require(actions->target == TARGET_GROUP);
	watch->group_stopped =
		!called && (watch->group_stopped || !watch->stopped);
	watch->stopped = !called && !stop;
	if (called || lent || seen)
		watch->lent = called || lent;
}

static int expected_status(const struct step *step)
{
	int status =
		step->cause == CLD_EXITED ? step->status : 128 + step->status;

	return status == 143 ? 9 : status == 3 ? 0 : status;
}

static void check_ended(const struct options *options, const struct step *step,
			const struct actions *actions, const struct path *after,
			struct watch *watch)
{
	require(!actions->suspend && !actions->delay_ended);
	require(actions->outcome ==
		(actions->signum == 0 ? OUTCOME_NONE : OUTCOME_TERMINATE));
	check_end(options, expected_status(step), actions, after, watch);
}

static void check_deadline(const struct options *options,
			   const struct actions *actions,
			   const struct path *after, struct watch *watch)
{
	const int64_t now = after->now;

	const struct event none = { .kind = EVENT_DEADLINE };

	require(actions->delay_ended == (watch->held_until <= now));
	if (watch->held_until <= now) {
		watch->held_until = LIFECYCLE_NEVER;
		check_passed_on(options, &none, options->delay_signal, actions,
				after, watch);
		return;
	}
	require(!actions->suspend && !actions->wake);
	require((actions->outcome == OUTCOME_GAVE_UP) ==
		(watch->killing_until <= now));
	if (watch->killing_until <= now) {
		require(after->lifecycle.phase == PHASE_OVER);
		require(actions->signum == 0);
		/* Section 4.4: COMMAND still exists, but the status is 137. */
		if (!watch->ended)
			watch->status = 137;
		watch->ended = true;
		return;
	}
	require(actions->signum == SIGKILL);
	require(actions->target == TARGET_ALL);
	require(watch->grace_until <= now || watch->kill_after_until <= now ||
		watch->kill_again_at <= now);
	require(is_first_kill(actions) == !watch->killed);
	if (actions->outcome == OUTCOME_GRACE_EXPIRED)
		require(watch->grace_until <= now &&
			watch->grace_until <= watch->kill_after_until);
	if (actions->outcome == OUTCOME_KILL_AFTER_EXPIRED)
		require(watch->kill_after_until <= now &&
			watch->kill_after_until <= watch->grace_until);
	/* A second from the first SIGKILL, or from COMMAND's exit after it. */
	if (watch->ended && watch->killed &&
	    watch->killing_until == LIFECYCLE_NEVER)
		watch->killing_until = now + 980 * NUMBERS_MS;
	if (!watch->ended && options->mode != MODE_PAUSE)
		watch->killing_until = now + 1000 * NUMBERS_MS;
	watch->killed = true;
	watch->grace_until = LIFECYCLE_NEVER;
	watch->kill_after_until = LIFECYCLE_NEVER;
	if (!watch->ended)
		return;
	watch->kill_again_at = now + 20 * NUMBERS_MS;
}

static void check(const struct step *step, const struct actions *actions,
		  struct path *path)
{
	const struct options *options = path->lifecycle.options;
	struct watch *watch = &path->watch;

	switch (step->event.kind) {
	case EVENT_SIGNAL:
		check_signal(options, &step->event, actions, path, watch);
		break;
	case EVENT_COMMAND_STOPPED:
		check_stopped(&step->event, actions, path, watch);
		break;
	case EVENT_COMMAND_EXITED:
		check_ended(options, step, actions, path, watch);
		break;
	case EVENT_EXEC_FAILED: /* test_lifecycle.c */
	case EVENT_ALL_EXITED:
		require(path->lifecycle.phase == PHASE_OVER);
		require(actions->signum == 0 && !actions->suspend);
		break;
	case EVENT_DEADLINE:
		check_deadline(options, actions, path, watch);
		break;
	}
	require((path->lifecycle.phase == PHASE_RUNNING) == !watch->ended);
	if (watch->ended)
		require(path->lifecycle.status == watch->status);
	/* The contract has no other deadline: no wake-up without a reason. */
	if (path->lifecycle.phase != PHASE_OVER)
		require(lifecycle_deadline(&path->lifecycle) ==
			expected_deadline(watch));
}

static bool can_happen(const struct step *step, const struct path *path)
{
	const enum mode mode = path->lifecycle.options->mode;
	const int64_t deadline = lifecycle_deadline(&path->lifecycle);
	const bool running = path->lifecycle.phase == PHASE_RUNNING;

	switch (step->when) {
	case IN_SINGLE_CHILD:
		return mode == MODE_SINGLE_CHILD;
	case IN_GROUP:
	case STOP_IN_GROUP:
		return mode == MODE_GROUP && running;
	case CAUGHT:
		return mode == MODE_SESSION && running &&
		       path->lifecycle.is_pid_1;
	case RUNNING:
		return running && mode != MODE_PAUSE;
	case LEFT:
		return !running;
	case DUE:
		return deadline != LIFECYCLE_NEVER;
	case PASS:
		return deadline != LIFECYCLE_NEVER && path->now <= deadline;
	default:
		return true;
	}
}

/* Takes one step. False if the path ends with it. */
static bool go(const struct step *step, struct path *path)
{
	struct actions actions;

	if (step->when == PASS) {
		path->now += TICK * NUMBERS_MS;
		return true;
	}
	if (step->when == DUE) {
		const int64_t deadline = lifecycle_deadline(&path->lifecycle);

		path->now = deadline > path->now ? deadline : path->now;
	}
	actions = lifecycle_step(&path->lifecycle, &step->event, path->now);
	if (step->event.kind == EVENT_COMMAND_EXITED)
		lifecycle_set_status(&path->lifecycle, step->cause,
				     step->status);
	check(step, &actions, path);
	/* As supervise.c does. */
	if (step->orphaned)
		path->lifecycle.stopped = path->watch.stopped = true;
	return path->lifecycle.phase != PHASE_OVER;
}

static struct path beginning(const struct options *options)
{
	struct path path = {
		.lifecycle = lifecycle_start(options),
		.watch = {
			.held_until = LIFECYCLE_NEVER,
			.grace_until = LIFECYCLE_NEVER,
			.kill_after_until = LIFECYCLE_NEVER,
			.kill_again_at = LIFECYCLE_NEVER,
			.killing_until = LIFECYCLE_NEVER,
		},
	};

	path.lifecycle.is_pid_1 = trail_is_pid_1;
	require(path.lifecycle.phase == PHASE_RUNNING);
	require(lifecycle_deadline(&path.lifecycle) == LIFECYCLE_NEVER);
	return path;
}

/*
 * Two paths with the same key have the same future. It contains the whole
 * state, with times relative to now.
 */
enum { KEY_LENGTH = 22 };

struct key {
	int64_t numbers[KEY_LENGTH];
};

static int64_t from_now(int64_t time, int64_t now)
{
	return time == LIFECYCLE_NEVER ? time : time - now;
}

static struct key key_of(const struct path *path)
{
	const struct lifecycle *lifecycle = &path->lifecycle;
	const struct watch *watch = &path->watch;
	const int64_t now = path->now;

	return (struct key){ {
		lifecycle->phase,
		lifecycle->status,
		lifecycle->stop_requested,
		lifecycle->killed,
		lifecycle->kill_by_grace,
		lifecycle->stopped,
		lifecycle->group_stopped,
		lifecycle->had_terminal,
		from_now(lifecycle->delay_ends_at, now),
		from_now(lifecycle->kill_at, now),
		from_now(lifecycle->give_up_at, now),
		watch->ended,
		watch->asked,
		watch->killed,
		watch->stopped,
		watch->group_stopped,
		watch->lent,
		from_now(watch->held_until, now),
		from_now(watch->grace_until, now),
		from_now(watch->kill_after_until, now),
		from_now(watch->kill_again_at, now),
		from_now(watch->killing_until, now),
	} };
}

/* The states found so far, in the order of discovery. */
static struct state {
	struct key key;
	struct path path;
	size_t parent, depth;
	const struct step *step; /* from the parent */
} * states;
static size_t states_found;
static uint32_t *table; /* by hash of the key: 1 + index in states */

static bool is_new(const struct key *key)
{
	uint64_t hash = 0;
	size_t slot;

	for (size_t i = 0; i < KEY_LENGTH; i++)
		hash = (hash ^ (uint64_t)key->numbers[i]) *
		       UINT64_C(0x9e3779b97f4a7c15);
	for (slot = hash >> 40;; slot++) {
		uint32_t *entry = &table[slot % SLOTS];

		if (*entry == 0) {
			*entry = (uint32_t)states_found + 1;
			return true;
		}
		if (memcmp(&states[*entry - 1].key, key, sizeof(*key)) == 0)
			return false;
	}
}

static void add_state(const struct path *path, size_t parent, size_t depth,
		      const struct step *step)
{
	const struct key key = key_of(path);

	if (!is_new(&key))
		return;
	assert_true(states_found < STATES_MAX);
	states[states_found++] =
		(struct state){ key, *path, parent, depth, step };
}

static void set_trail(size_t state)
{
	trail_length = states[state].depth;
	assert_true(trail_length < sizeof(trail) / sizeof(trail[0]));
	for (; state != 0; state = states[state].parent)
		trail[states[state].depth - 1] = states[state].step;
}

struct counts {
	uint64_t states, steps, depth;
};

static void find_every_state(const struct options *options, void *argument)
{
	struct counts *counts = argument;
	const struct path start = beginning(options);

	memset(table, 0, SLOTS * sizeof(*table));
	states_found = 0;
	add_state(&start, 0, 0, NULL);
	for (size_t i = 0; i < states_found; i++) {
		set_trail(i);
		for (size_t step = 0; step < STEPS; step++) {
			struct path path = states[i].path;

			if (!can_happen(&steps[step], &path))
				continue;
			trail[trail_length++] = &steps[step];
			counts->steps++;
			if (go(&steps[step], &path))
				add_state(&path, i, states[i].depth + 1,
					  &steps[step]);
			trail_length--;
		}
		if (states[i].depth > counts->depth)
			counts->depth = states[i].depth;
	}
	counts->states += states_found;
}

/* tini's behaviour is -g with COMMAND as the target. */
static const struct {
	enum mode mode;
	enum target target;
} scopes[] = {
	{ MODE_SESSION, TARGET_GROUP },
	{ MODE_SESSION, TARGET_ALL },
	{ MODE_GROUP, TARGET_GROUP },
	{ MODE_GROUP, TARGET_ALL },
	{ MODE_GROUP, TARGET_COMMAND },
	{ MODE_SINGLE_CHILD, TARGET_COMMAND },
	{ MODE_SINGLE_CHILD, TARGET_ALL },
	{ MODE_PAUSE, TARGET_GROUP },
	{ MODE_PAUSE, TARGET_ALL },
};

/* Durations and rewrites. */
static const struct {
	int delay_ms, grace_ms, kill_after_ms;
	uint8_t hangup, interrupt, terminate;
	int kill_after_signal;
} variants[] = {
	{ .delay_ms = DELAY, .grace_ms = GRACE, .kill_after_ms = KILL_AFTER },
	{ .delay_ms = 0, .grace_ms = 0, .kill_after_ms = 0 },
	{ DELAY, GRACE, KILL_AFTER, SIGQUIT, REWRITE_DROP, 0, 0 },
	{ DELAY, GRACE, KILL_AFTER, SIGTERM, SIGTSTP, REWRITE_DROP, 0 },
	{ DELAY, GRACE, KILL_AFTER, 0, 0, SIGUSR1, SIGHUP },
};

enum {
	SCOPES = sizeof(scopes) / sizeof(scopes[0]),
	VARIANTS = sizeof(variants) / sizeof(variants[0]),
	DELAYS = 2, /* without, with */
	ENDS = 3,   /* without, with --grace, with --wait-all */
	KILLS = 2,
	PLACES = 2, /* PID 1, and not */
	COMBINATIONS = SCOPES * VARIANTS * DELAYS * ENDS * KILLS * PLACES,
};

static struct options combination(int number)
{
	const int scope = number % SCOPES;
	const int variant = number / SCOPES % VARIANTS;
	const int choice = number / SCOPES / VARIANTS;
	const int end = choice / DELAYS % ENDS;
	const bool kill = choice / DELAYS / ENDS % KILLS == 1;
	struct options options = {
		.mode = scopes[scope].mode,
		.target = scopes[scope].target,
		.delay_signal = choice % DELAYS == 1 ? SIGTERM : 0,
		.delay_ms = variants[variant].delay_ms,
		.grace_ms =
			end == 1 ? variants[variant].grace_ms : DURATION_NONE,
		.wait_all = end == 2,
		.kill_after_ms =
			kill ? variants[variant].kill_after_ms : DURATION_NONE,
		.kill_after_signal =
			kill ? variants[variant].kill_after_signal : 0,
	};

	options.rewrites.to[SIGHUP] = variants[variant].hangup;
	options.rewrites.to[SIGINT] = variants[variant].interrupt;
	options.rewrites.to[SIGTERM] = variants[variant].terminate;
	options.status_change[143] = (uint8_t)(9 - 143);
	options.status_change[3] = (uint8_t)(0 - 3);
	options.status_change[9] = 1; /* a result is not mapped again */
	return options;
}

/* Calls visit for every combination of the options that matter. */
static void each_combination(void (*visit)(const struct options *, void *),
			     void *argument)
{
	for (int number = 0; number < COMBINATIONS; number++) {
		const struct options options = combination(number);

		trail_options = &options;
		trail_is_pid_1 = number >= COMBINATIONS / PLACES;
		trail_length = 0;
		visit(&options, argument);
	}
}

static void test_every_state_keeps_the_contract(void **state)
{
	struct counts counts = { 0 };

	(void)state;
	states = calloc(STATES_MAX, sizeof(*states));
	table = calloc(SLOTS, sizeof(*table));
	assert_non_null(states);
	assert_non_null(table);
	each_combination(find_every_state, &counts);
	print_message("%d combinations of options: every state is one of "
		      "%ju, %ju steps between them, the farthest %ju events "
		      "away\n",
		      COMBINATIONS, (uintmax_t)counts.states,
		      (uintmax_t)counts.steps, (uintmax_t)counts.depth);
	free(states);
	free(table);
}

struct walk {
	size_t depth;
	uint64_t paths; /* walked to their end, or to depth */
};

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than depth. */
static void walk_on(const struct path *path, struct walk *walk)
{
	if (trail_length == walk->depth) {
		walk->paths++;
		return;
	}
	for (size_t step = 0; step < STEPS; step++) {
		struct path next = *path;

		/* A stop and passing time leave no trace in the state. */
		if (steps[step].when == PASS || steps[step].when == IN_GROUP ||
		    steps[step].when == STOP_IN_GROUP ||
		    !can_happen(&steps[step], path))
			continue;
		trail[trail_length++] = &steps[step];
		if (go(&steps[step], &next))
			walk_on(&next, walk);
		else
			walk->paths++;
		trail_length--;
	}
}

static void walk_every_path(const struct options *options, void *argument)
{
	const struct path start = beginning(options);

	walk_on(&start, argument);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Keeps no states, so it does not depend on the completeness of the key. */
static void test_every_path_keeps_the_contract(void **state)
{
	const double start = seconds();
	double took = 0, before = 0;
	struct walk walk = { 0 };

	(void)state;
	/* While there is time for the next depth, estimated by the growth. */
	for (size_t depth = 1;
	     depth < 4 ||
	     seconds() - start + took * took / before < WALK_SECONDS;
	     depth++) {
		const double begun = seconds();

		walk = (struct walk){ .depth = depth };
		each_combination(walk_every_path, &walk);
		before = took;
		took = seconds() - begun;
	}
	print_message("every path of up to %zu events: %ju paths, %.0f s\n",
		      walk.depth, (uintmax_t)walk.paths, seconds() - start);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_keeps_the_contract),
		cmocka_unit_test(test_every_path_keeps_the_contract),
	};

	return cmocka_run_group_tests_name("lifecycle_paths", tests, NULL,
					   NULL);
}
