#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "explain.h"
#include "lifecycle.h"
#include "log.h"
#include "processes.h"
#include "report.h"
#include "spawn.h"
#include "supervise.h"
#include "terminal.h"

/* After what time we look again, where nobody tells us of an end; in ns. */
#define LOOK_INTERVAL (20 * SIGNALS_MS)

/*
 * When we look what the cgroup has counted so far; in ns. It takes longer than
 * all else at our start, and a COMMAND that ends sooner is spared it.
 */
#define OOM_KILLS_AFTER (5 * SIGNALS_MS)

enum {
	OOM_KILLS_UNREAD = EXPLAIN_UNKNOWN - 1,
};

struct supervisor {
	struct lifecycle lifecycle;
	pid_t command;   /* 0 when it has been collected, or is none */
	siginfo_t held;  /* what came with the signal that is held back */
	signals_set got; /* the set of signals that we know COMMAND got */
	int oom_kills;   /* of our cgroup, soon after COMMAND's start */
	bool look_again; /* nobody tells us of an end that is to come, or was */
};

static bool send_with_value(pid_t pid, int signum, const siginfo_t *value)
{
	/* There may be no room for the value; the signal itself needs none. */
	return signals_queue(pid, signum, value) || kill(pid, signum) == 0;
}

static bool send(const struct supervisor *supervisor,
		 const struct actions *actions, const siginfo_t *info)
{
	const pid_t pid = supervisor->command;

	switch (actions->target) {
	case TARGET_EVERYTHING:
		return processes_signal(pid, actions->signum, actions->wake);
	case TARGET_GROUP:
		if (kill(-pid, actions->signum) == 0)
			return true;
		/* COMMAND may have moved to another group, or seccomp(2) did
		 * not let it have one; what is ours is for its group alone. */
		return info && errno == ESRCH &&
		       kill(pid, actions->signum) == 0;
	case TARGET_COMMAND:
		break;
	}
	if (info && info->si_code == SI_QUEUE)
		return send_with_value(pid, actions->signum, info);
	return kill(pid, actions->signum) == 0;
}

/* info: what came with the signal; NULL for one that is our own. */
static void pass_on(struct supervisor *supervisor,
		    const struct actions *actions, const siginfo_t *info)
{
	/*
	 * Not because nobody is there: until we collect it COMMAND is a zombie
	 * at least, which takes signals. When it has ended, though, it may be
	 * the zombie that refuses.
	 */
	if (send(supervisor, actions, info))
		supervisor->got |= SIGNALS_BIT(actions->signum);
	else if (info || actions->wake)
		report_refusal(actions, supervisor->command, errno);
}

/*
 * Stops us, as COMMAND is. The kernel ignores that for PID 1, but would still
 * discard a SIGCONT that has come in the meantime (signal(7)). Such a SIGCONT
 * means that nobody wants us stopped any more.
 */
static void suspend(void)
{
	pid_t self = getpid();

	if (self != 1 && !(signals_pending() & SIGNALS_BIT(SIGCONT)))
		(void)kill(self, SIGSTOP);
}

/* Now, for what is timed; a signal that is passed on at once costs no clock. */
static int64_t time_of(const struct event *event, const struct options *options)
{
	const bool timed =
		options->delayed != 0 ||
		options->kill_after_ms != DURATION_NONE ||
		(options->grace_ms != DURATION_NONE &&
		 (event->kind != EVENT_SIGNAL || options->mode == MODE_PAUSE));

	return timed ? signals_clock() : 0;
}

static void take_terminal_back(const struct supervisor *supervisor)
{
	if (supervisor->lifecycle.options->mode == MODE_SESSION)
		terminal_take();
	else
		terminal_hand_over(supervisor->command, getpgrp());
}

/* info: what came with a signal; NULL for an event that is none. */
static void handle(struct supervisor *supervisor, const struct event *event,
		   const siginfo_t *info)
{
	struct lifecycle *lifecycle = &supervisor->lifecycle;
	const struct actions actions = lifecycle_step(
		lifecycle, event, time_of(event, lifecycle->options));

	if (actions.hold && info)
		supervisor->held = *info;
	if (actions.release)
		info = &supervisor->held;
	report_actions(event, info, &actions, supervisor->command);
	if (event->reached_command)
		supervisor->got |= SIGNALS_BIT(event->signum);
	if (actions.lend_terminal)
		terminal_hand_over(getpgrp(), supervisor->command);
	/* First: who hears of the end may count on the keys of the terminal. */
	if (actions.take_terminal_back)
		take_terminal_back(supervisor);
	if (actions.signum != 0)
		pass_on(supervisor, &actions, info);
	if (actions.suspend)
		suspend();
}

/*
 * The kernel sends what comes from the terminal to its whole foreground group.
 * So COMMAND has it if it is in our group, which only single-child mode lets
 * it be. But of a hangup the kernel tells the session leader alone.
 */
static bool has_reached_command(const struct supervisor *supervisor,
				const siginfo_t *info)
{
	const signals_set hangup = SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGCONT);
	const signals_set signal = SIGNALS_BIT(info->si_signo);

	if (info->si_code != SI_KERNEL || !(signal & SIGNALS_TERMINAL) ||
	    supervisor->lifecycle.options->mode != MODE_SINGLE_CHILD ||
	    supervisor->lifecycle.phase != PHASE_RUNNING)
		return false;
	if ((signal & hangup) && getsid(0) == getpid())
		return false;
	return getpgid(supervisor->command) == getpgrp();
}

static void forward(struct supervisor *supervisor, const siginfo_t *info)
{
	const struct event event = {
		.kind = EVENT_SIGNAL,
		.signum = info->si_signo,
		.reached_command = has_reached_command(supervisor, info),
	};

	handle(supervisor, &event, info);
}

/* How many OOM kills there were while COMMAND ran, or EXPLAIN_UNKNOWN. */
static int oom_kills_since(int before)
{
	const int now = explain_oom_kills();

	if (before < 0 || now < before)
		return EXPLAIN_UNKNOWN;
	return now - before;
}

/*
 * Of a death that we had no part in. What a key of the terminal has sent to
 * COMMAND in a group of its own we do not see, and its user knows it.
 */
static void explain_end(const struct supervisor *supervisor,
			const siginfo_t *dead)
{
	const signals_set keys = SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGINT) |
				 SIGNALS_BIT(SIGQUIT);
	signals_set signal;

	if (dead->si_code == CLD_EXITED)
		return;
	signal = SIGNALS_BIT(dead->si_status);
	/* Waiting for us, too: it was sent to both, and its turn is still to
	 * come. */
	if ((signal & (supervisor->got | signals_pending())) ||
	    ((signal & keys) && isatty(STDIN_FILENO)))
		return;
	report_cause(dead, signal == SIGNALS_BIT(SIGKILL)
				   ? oom_kills_since(supervisor->oom_kills)
				   : EXPLAIN_UNKNOWN);
}

static void handle_end(struct supervisor *supervisor, const siginfo_t *dead)
{
	const struct event event = {
		.kind = EVENT_COMMAND_ENDED,
		.cause = dead->si_code,
		.status = dead->si_status,
	};

	explain_end(supervisor, dead);
	handle(supervisor, &event, NULL);
	supervisor->command = 0;
	supervisor->oom_kills = EXPLAIN_UNKNOWN;
}

/*
 * Collects a child that has died. As long as COMMAND is not collected its PID
 * stays its own, and a signal to its group cannot hit another; so what follows
 * from its end comes first. __WALL: we may have children that we did not start,
 * of any kind of clone(2). Returns whether there was one to be collected.
 */
static bool collect(struct supervisor *supervisor, const siginfo_t *dead)
{
	const struct options *options = supervisor->lifecycle.options;
	const pid_t command = supervisor->command;
	const bool is_command = dead->si_pid == command;
	struct rusage usage;

	if (is_command) {
		report_death(options, dead, command);
		handle_end(supervisor, dead);
	}
	if (wait4(dead->si_pid, NULL, WNOHANG | __WALL,
		  is_command ? &usage : NULL) <= 0)
		return false;
	if (is_command)
		report_usage(&usage);
	else
		report_death(options, dead, command);
	return true;
}

/*
 * Whom a SIGCHLD tells of, without a look. That the kernel has sent it, and not
 * for a stop, is in si_code.
 */
static void collect_named(struct supervisor *supervisor, const siginfo_t *info)
{
	/* If it is gone, an earlier look has found it. */
	if (info->si_code >= CLD_EXITED && info->si_code <= CLD_DUMPED)
		(void)collect(supervisor, info);
}

/*
 * Collects every dead child, for however many of them one SIGCHLD stood.
 * Returns whether a child is left. seccomp(2) may forbid either call: then that
 * is not known, or a dead one stays, and we are to look again.
 */
static bool reap(struct supervisor *supervisor)
{
	const int dead_now = WEXITED | WNOHANG | WNOWAIT | __WALL;
	siginfo_t dead;

	do {
		dead.si_pid = 0;
		if (waitid(P_ALL, 0, &dead, dead_now) < 0) {
			supervisor->look_again =
				errno != ECHILD || supervisor->command != 0;
			return supervisor->look_again;
		}
	} while (dead.si_pid != 0 && collect(supervisor, &dead));
	supervisor->look_again = dead.si_pid != 0;
	return true;
}

/* If COMMAND was stopped. A SIGCONT that waits for us means: not any more. */
static void notice_stop(struct supervisor *supervisor)
{
	siginfo_t stopped = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)supervisor->command, &stopped,
		   WSTOPPED | WNOHANG) == 0 &&
	    stopped.si_pid != 0 &&
	    !(signals_pending() & SIGNALS_BIT(SIGCONT))) {
		const struct event event = {
			.kind = EVENT_COMMAND_STOPPED,
			.signum = stopped.si_status,
			.place = terminal_place(supervisor->command),
		};

		handle(supervisor, &event, NULL);
	}
}

/* Sees to our children, and notices when nothing is left. */
static void look_after_children(struct supervisor *supervisor)
{
	const struct lifecycle *lifecycle = &supervisor->lifecycle;
	const bool children = reap(supervisor);

	if (lifecycle->phase == PHASE_RUNNING &&
	    lifecycle->options->mode == MODE_GROUP)
		notice_stop(supervisor);
	if (lifecycle->phase != PHASE_LEFT || children)
		return;
	supervisor->look_again = processes_left();
	if (!supervisor->look_again) {
		const struct event event = { .kind = EVENT_NOTHING_LEFT };

		handle(supervisor, &event, NULL);
	}
}

/* In ns, or SIGNALS_FOREVER. */
static int64_t time_left(const struct supervisor *supervisor)
{
	const struct lifecycle *lifecycle = &supervisor->lifecycle;
	const int64_t deadline = lifecycle_deadline(lifecycle);
	int64_t left = LIFECYCLE_NEVER;

	if (deadline != LIFECYCLE_NEVER)
		left = deadline - signals_clock();
	if (supervisor->look_again && left > LOOK_INTERVAL)
		left = LOOK_INTERVAL;
	if (supervisor->oom_kills == OOM_KILLS_UNREAD && left > OOM_KILLS_AFTER)
		left = OOM_KILLS_AFTER;
	if (left == LIFECYCLE_NEVER)
		return SIGNALS_FOREVER;
	return left < 0 ? 0 : left;
}

/* Returns whether a child may have died or stopped. */
static bool wait_for_event(struct supervisor *supervisor)
{
	static const struct event deadline = { .kind = EVENT_DEADLINE };
	const int64_t left = time_left(supervisor);
	siginfo_t info;

	if (left == 0)
		handle(supervisor, &deadline, NULL);
	else if (signals_wait(&info, left)) {
		if (info.si_signo != SIGCHLD) {
			forward(supervisor, &info);
			return supervisor->look_again;
		}
		collect_named(supervisor, &info);
	} else if (supervisor->oom_kills == OOM_KILLS_UNREAD)
		supervisor->oom_kills = explain_oom_kills();
	/* So too if the wait has failed: no SIGCHLD tells of an end then. */
	return true;
}

int supervise(const struct options *options, pid_t command)
{
	struct supervisor supervisor = {
		.lifecycle = lifecycle_start(options),
		.command = command,
		.oom_kills = command == SPAWN_NOBODY ? EXPLAIN_UNKNOWN
						     : OOM_KILLS_UNREAD,
	};

	report_start(options, command);
	/* Who exec'ed us may have left us a zombie; no SIGCHLD tells of it. */
	look_after_children(&supervisor);
	while (supervisor.lifecycle.phase != PHASE_OVER) {
		if (wait_for_event(&supervisor) ||
		    supervisor.lifecycle.phase == PHASE_LEFT)
			look_after_children(&supervisor);
	}
	return supervisor.lifecycle.status;
}
