#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lifecycle.h"
#include "log.h"
#include "report.h"
#include "supervise.h"

struct supervisor {
	struct lifecycle lifecycle;
	pid_t command;
};

static bool send_with_value(pid_t pid, int signum, const siginfo_t *value)
{
	if (signals_queue(pid, signum, value))
		return true;
	/* EAGAIN: no room for the value; the signal itself needs none. */
	return errno == EAGAIN && kill(pid, signum) == 0;
}

/* info: what came with the signal; NULL for one that is our own. */
static void pass_on(const struct supervisor *supervisor,
		    const struct actions *actions, const siginfo_t *info)
{
	pid_t pid = supervisor->command;
	bool sent;

	if (actions->target == TARGET_GROUP)
		sent = kill(-pid, actions->signum) == 0;
	else if (info && info->si_code == SI_QUEUE)
		sent = send_with_value(pid, actions->signum, info);
	else
		sent = kill(pid, actions->signum) == 0;
	/*
	 * Not because nobody is there: until we collect it COMMAND is a zombie
	 * at least, which takes signals. When it has ended, though, it may be
	 * the zombie that refuses.
	 */
	if (!sent && info)
		log_warning("cannot pass %s on to %s %d: %s",
			    signals_name(actions->signum).text,
			    report_target(actions->target), pid,
			    strerror(errno));
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

static void handle(struct supervisor *supervisor, const struct event *event,
		   const siginfo_t *info)
{
	const struct actions actions =
		lifecycle_step(&supervisor->lifecycle, event);

	report_actions(event, info, &actions, supervisor->command);
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
	const uint64_t hangup = SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGCONT);
	const uint64_t signal = SIGNALS_BIT(info->si_signo);

	if (info->si_code != SI_KERNEL || !(signal & SIGNALS_TERMINAL) ||
	    supervisor->lifecycle.options->mode != MODE_SINGLE_CHILD)
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

/*
 * Collects every dead child, for however many of them one SIGCHLD stood. Each
 * is looked at first: as long as COMMAND is not collected its PID stays its
 * own, and a signal to its group cannot hit another. __WALL: we may have
 * children that we did not start, of any kind of clone(2).
 */
static void reap(struct supervisor *supervisor)
{
	const int dead_now = WEXITED | WNOHANG | __WALL;
	siginfo_t dead;

	for (;;) {
		bool command;

		dead.si_pid = 0;
		if (waitid(P_ALL, 0, &dead, dead_now | WNOWAIT) < 0 ||
		    dead.si_pid == 0)
			return;
		command = dead.si_pid == supervisor->command;
		report_death(command ? "COMMAND" : "orphan", &dead);
		if (command) {
			const struct event event = {
				.kind = EVENT_COMMAND_ENDED,
				.cause = dead.si_code,
				.status = dead.si_status,
			};

			handle(supervisor, &event, NULL);
		}
		if (waitid(P_PID, (id_t)dead.si_pid, &dead, dead_now) < 0)
			return;
	}
}

int supervise(const struct options *options, pid_t command)
{
	struct supervisor supervisor = {
		.lifecycle = lifecycle_start(options),
		.command = command,
	};
	siginfo_t info;

	report_start(options, command);
	/* Who exec'ed us may have left us a zombie; no SIGCHLD tells of it. */
	reap(&supervisor);
	while (!supervisor.lifecycle.ended) {
		if (!signals_wait(&info))
			continue;
		if (info.si_signo == SIGCHLD)
			reap(&supervisor);
		else
			forward(&supervisor, &info);
	}
	return supervisor.lifecycle.status;
}
