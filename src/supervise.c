#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "explain.h"
#include "lifecycle.h"
#include "log.h"
#include "proc.h"
#include "processes.h"
#include "report.h"
#include "spawn.h"
#include "supervise.h"
#include "terminal.h"

/* After what time we look again, where no SIGCHLD tells of an exit; in ns. */
#define LOOK_INTERVAL (20 * SIGNALS_MS)

/*
 * When we do what can wait, such as reading how many OOM kills the cgroup has
 * counted so far, and when we try that again; in ns. It takes longer than all
 * else at our start, and a COMMAND that exits sooner is spared it.
 */
#define SETTLE_AFTER (5 * SIGNALS_MS)

/* How long a SIGCONT may come before we stop, in ns. */
#define SUSPEND_DELAY (50 * SIGNALS_MS)

enum {
	SETTLE_TRIES = SPAWN_PATIENCE_MS / 5, /* at SETTLE_AFTER each */
	STATUS_OF_KILLED = 128 + SIGKILL,     /* as a shell reports its child */
	SIGNAL_MASK = 0x7f, /* of the status of a traced process that stops */
};

struct supervisor {
	struct lifecycle lifecycle;
	struct start *start;
	pid_t command;     /* 0 when it has been reaped, or there is none */
	siginfo_t held;    /* what came with the signal that is held back */
	siginfo_t resumed; /* a SIGCONT that came in place of our stop; or 0 */
	signals_set got;   /* the signals that COMMAND got from us */
	struct processes_told told; /* that got a SIGTERM from us */
	int oom_kills;    /* of our cgroup, soon after COMMAND's start */
	int settle_tries; /* left; 0: that is done */
	bool has_begun;   /* the first wait is over */
	bool look_again;  /* an exit may raise no SIGCHLD, or was missed */
	bool kill_failed; /* the last SIGKILL did not reach all processes */
};

static bool send_with_value(pid_t pid, int signum, const siginfo_t *value)
{
	/* There may be no room for the value; the signal itself needs none. */
	return signals_queue(pid, signum, value) || kill(pid, signum) == 0;
}

/* To COMMAND's group or to COMMAND. info: NULL for a signal of our own. */
static bool send_to_command(const struct supervisor *supervisor,
			    const struct actions *actions,
			    const siginfo_t *info)
{
	const pid_t pid = supervisor->command;

	if (actions->target == TARGET_GROUP) {
		if (kill(-pid, actions->signum) == 0)
			return true;
		/* The group is empty: COMMAND may have moved to another, or
		 * seccomp(2) did not let it have one. Our own SIGTERM is for
		 * the group only. */
		return info && errno == ESRCH &&
		       kill(pid, actions->signum) == 0;
	}
	if (info && info->si_code == SI_QUEUE)
		return send_with_value(pid, actions->signum, info);
	return kill(pid, actions->signum) == 0;
}

/* Whether we may send signals to COMMAND, which has not been reaped. */
static bool may_signal(pid_t command)
{
	return command != 0 && kill(command, 0) == 0;
}

/* Returns an errno, or 0. */
static int send(struct supervisor *supervisor, const struct actions *actions,
		const siginfo_t *info)
{
	const signals_set bit = SIGNALS_BIT(actions->signum);
	const pid_t command = supervisor->command;
	struct actions resume = *actions;
	int error = 0;

	resume.signum = SIGCONT;
	if (actions->target != TARGET_EVERYTHING) {
		if (!send_to_command(supervisor, actions, info))
			return errno;
		supervisor->got |= bit;
		if (actions->wake)
			(void)send_to_command(supervisor, &resume, info);
		return 0;
	}
	/* The SIGTERM of --grace is not for those that have had one. */
	if (!processes_signal(command, actions->signum, actions->wake,
			      !info && actions->signum == SIGTERM
				      ? &supervisor->told
				      : NULL))
		error = errno;
	if (may_signal(command))
		supervisor->got |= bit;
	else if (command != 0 && error == 0)
		error = errno; /* kill(-1) of PID 1 succeeds if one was sent */
	return error;
}

/*
 * Under --grace: keeps which processes have had a SIGTERM, before it is sent. A
 * process that COMMAND starts when it gets it, to clean up, has had none.
 */
static void note_told(struct supervisor *supervisor,
		      const struct actions *actions)
{
	const struct options *options = supervisor->lifecycle.options;

	if (actions->signum == SIGTERM && options->grace_ms != DURATION_NONE &&
	    supervisor->lifecycle.phase == PHASE_RUNNING &&
	    actions->target != TARGET_COMMAND)
		supervisor->told = processes_told_now(
			actions->target == TARGET_GROUP ? supervisor->command
							: PROCESSES_ALL);
}

/* info: what came with the signal; NULL for one that is our own. */
static void pass_on(struct supervisor *supervisor,
		    const struct actions *actions, const siginfo_t *info)
{
	int error;

	note_told(supervisor, actions);
	error = send(supervisor, actions, info);
	if (actions->signum == SIGKILL)
		supervisor->kill_failed = error != 0;
	/*
	 * Our own SIGTERM for COMMAND's group may find no more than COMMAND's
	 * zombie, and that may refuse it. SIGKILL is sent again and again.
	 */
	if (error != 0 && (info || actions->wake || actions->last_resort))
		report_refusal(actions, supervisor->command, error);
}

/*
 * Stops us, as COMMAND is, by the default action of a job stop signal, which a
 * shell or a dumb-init above us expects. A signal that was sent to us may be
 * followed closely by a SIGCONT to undo it, which must not be lost.
 */
static void suspend(struct supervisor *supervisor,
		    const struct actions *actions, bool was_sent)
{
	const int signum = actions->suspend;
	const pid_t self = getpid();

	if (was_sent) {
		if (signals_stop_unless_continued(signum, SUSPEND_DELAY,
						  &supervisor->resumed))
			return;
		supervisor->resumed.si_signo = 0;
	} else {
		(void)kill(actions->suspend_group ? 0 : self, signum);
		signals_let_act(SIGNALS_BIT(signum));
	}
	/* In an orphaned process group that stops nothing. */
	if (!(signals_pending() & SIGNALS_BIT(SIGCONT)))
		(void)kill(self, SIGSTOP);
}

/* Now, for what is timed; a signal that is forwarded at once costs no clock. */
static int64_t time_of(const struct event *event, const struct options *options)
{
	const bool timed =
		options->delayed != 0 ||
		options->kill_after_ms != DURATION_NONE ||
		(options->grace_ms != DURATION_NONE &&
		 (event->kind != EVENT_SIGNAL || options->mode == MODE_PAUSE));

	return timed ? signals_clock() : 0;
}

static void lend_terminal(const struct supervisor *supervisor,
			  const struct actions *actions)
{
	if (actions->only_on_stdin)
		terminal_pass_on(getpgrp(), supervisor->command);
	else
		terminal_hand_over(getpgrp(), supervisor->command);
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
	if (actions.give_up)
		report_give_up(lifecycle->options, supervisor->command,
			       supervisor->kill_failed);
	if (event->reached_command)
		supervisor->got |= SIGNALS_BIT(event->signum);
	if (actions.lend_terminal)
		lend_terminal(supervisor, &actions);
	/* Before SIGTERM is sent: its receivers may expect ^C to work. */
	if (actions.take_terminal_back)
		take_terminal_back(supervisor);
	if (actions.signum != 0)
		pass_on(supervisor, &actions, info);
	if (actions.suspend != 0)
		suspend(supervisor, &actions,
			event->kind != EVENT_COMMAND_STOPPED);
}

/*
 * The kernel sends what comes from the terminal to its whole foreground group.
 * So COMMAND has it if it is in our group, which only single-child mode lets
 * it be. But of a hangup the kernel tells the session leader alone, and in its
 * first moments COMMAND's process discards signals (spawn.h).
 */
static bool has_reached_command(struct supervisor *supervisor,
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
	if (supervisor->start->missed & signal) {
		supervisor->start->missed &= ~signal;
		return false;
	}
	return getpgid(supervisor->command) == getpgrp();
}

/* Adds to an event of a job stop signal how COMMAND and the terminal stand. */
static void look_at_job(const struct supervisor *supervisor, int signum,
			struct event *event)
{
	const struct lifecycle *lifecycle = &supervisor->lifecycle;
	const enum mode mode = lifecycle->options->mode;
	const pid_t command = supervisor->command;

	if (signum == 0 || !(SIGNALS_JOB_STOP & SIGNALS_BIT(signum)) ||
	    command == 0)
		return;
	event->caught = mode == MODE_SESSION && lifecycle->is_pid_1 &&
			proc_is_ours() && proc_catches(command, signum);
	if (mode == MODE_GROUP)
		event->place = terminal_place(command);
}

static void forward(struct supervisor *supervisor, const siginfo_t *info)
{
	struct event event = {
		.kind = EVENT_SIGNAL,
		.signum = info->si_signo,
		.reached_command = has_reached_command(supervisor, info),
	};

	look_at_job(supervisor, info->si_signo, &event);
	handle(supervisor, &event, info);
}

static void handle_deadline(struct supervisor *supervisor)
{
	struct event event = { .kind = EVENT_DEADLINE };

	look_at_job(supervisor, supervisor->lifecycle.options->delayed, &event);
	handle(supervisor, &event, NULL);
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
 * Whether the signal that killed COMMAND needs no explanation: it came from us,
 * or waits for us, too, as it was sent to both; or it is a key of the terminal,
 * which we do not see if COMMAND has its own group; or the end of a pipeline.
 */
static bool is_expected(const struct supervisor *supervisor, int signum)
{
	const signals_set keys = SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGINT) |
				 SIGNALS_BIT(SIGQUIT);
	const signals_set signal = SIGNALS_BIT(signum);

	return signum == SIGPIPE ||
	       (signal & (supervisor->got | signals_pending())) ||
	       ((signal & keys) && isatty(STDIN_FILENO));
}

static void explain_end(const struct supervisor *supervisor,
			const siginfo_t *dead)
{
	const bool exited = dead->si_code == CLD_EXITED;
	int oom_kills = EXPLAIN_UNKNOWN;

	if (exited ? dead->si_status != STATUS_OF_KILLED
		   : is_expected(supervisor, dead->si_status))
		return;
	if (exited || dead->si_status == SIGKILL)
		oom_kills = oom_kills_since(supervisor->oom_kills);
	if (!exited)
		report_cause(dead, oom_kills);
	else if (oom_kills > 0)
		report_oom_below(supervisor->lifecycle.options, dead);
}

/*
 * As long as COMMAND is not reaped its PID stays its own, and a signal to its
 * group cannot hit another: so what follows from its exit comes first.
 */
static void handle_end(struct supervisor *supervisor, const siginfo_t *dead)
{
	const struct event event = {
		.kind = supervisor->start->failed ? EVENT_NOT_STARTED
						  : EVENT_COMMAND_ENDED,
		.cause = dead->si_code,
		.status = dead->si_status,
	};

	if (event.kind == EVENT_COMMAND_ENDED) {
		report_death(supervisor->lifecycle.options, dead, dead->si_pid);
		explain_end(supervisor, dead);
	}
	handle(supervisor, &event, NULL);
	supervisor->command = 0;
	supervisor->settle_tries = 0;
	supervisor->oom_kills = EXPLAIN_UNKNOWN;
}

static bool is_exit(int cause)
{
	return cause == CLD_EXITED || cause == CLD_KILLED ||
	       cause == CLD_DUMPED;
}

/* What waitid(2) would say, from wait4(2). */
static siginfo_t from_wstatus(pid_t pid, int wstatus)
{
	siginfo_t child = { .si_code = CLD_TRAPPED };

	child.si_pid = pid;
	if (WIFEXITED(wstatus)) {
		child.si_code = CLD_EXITED;
		child.si_status = WEXITSTATUS(wstatus);
	} else if (WIFSIGNALED(wstatus)) {
		child.si_code = WCOREDUMP(wstatus) ? CLD_DUMPED : CLD_KILLED;
		child.si_status = WTERMSIG(wstatus);
	} else {
		child.si_status = WSTOPSIG(wstatus);
	}
	return child;
}

/*
 * A child that calls PTRACE_TRACEME makes us its tracer, and each signal for it
 * stops it and waits for our word: we let go of it, and it gets the signal. But
 * not the SIGTRAP of an execve(2), which no process has sent and which would
 * kill it; ptrace(2). Such a stop is reported whatever wait was asked for.
 */
static bool let_go_of_traced(const siginfo_t *child)
{
	int signum = child->si_status & SIGNAL_MASK;
	siginfo_t info = { .si_code = 0 };

	if (signum == SIGTRAP &&
	    ptrace(PTRACE_GETSIGINFO, child->si_pid, NULL, &info) == 0 &&
	    info.si_code == SI_USER && info.si_pid == child->si_pid)
		signum = 0;
	report_traced(child->si_pid, signum);
	return ptrace(PTRACE_DETACH, child->si_pid, NULL, (long)signum) == 0;
}

/*
 * We could not let go of a traced child. ESRCH: it was killed in this moment,
 * and its exit will be found. Otherwise seccomp(2) forbids it: the stop must
 * not be found again. Without WEXITED the wait takes no exit.
 */
static bool forget_stop(pid_t pid)
{
	siginfo_t child;

	return errno == ESRCH || waitid(P_PID, (id_t)pid, &child,
					WSTOPPED | WNOHANG | __WALL) == 0;
}

/* A child that wait4(2) has returned. */
static void handle_reaped(struct supervisor *supervisor, const siginfo_t *child)
{
	if (!is_exit(child->si_code))
		(void)let_go_of_traced(child);
	else
		report_death(supervisor->lifecycle.options, child,
			     supervisor->command);
}

/*
 * Deals with the child that waitid(2) has found, and left as it is. Returns
 * whether it will not be found again. __WALL: we may have children that we did
 * not start, of any kind of clone(2).
 */
static bool reap_child(struct supervisor *supervisor, const siginfo_t *child)
{
	const bool is_command = child->si_pid == supervisor->command;
	const bool exited = is_exit(child->si_code);
	struct rusage usage;

	if (!exited)
		return let_go_of_traced(child) || forget_stop(child->si_pid);
	if (is_command)
		handle_end(supervisor, child);
	if (wait4(child->si_pid, NULL, WNOHANG | __WALL,
		  is_command ? &usage : NULL) <= 0)
		return false;
	if (!is_command)
		report_death(supervisor->lifecycle.options, child,
			     supervisor->command);
	else if (!supervisor->start->failed)
		report_usage(&usage);
	return true;
}

/*
 * The orphan that a SIGCHLD names is reaped without a search for it. Only its
 * PID is taken from there: cause and status are those of the first thread, and
 * not always those of the process (design.md).
 */
static void reap_named(struct supervisor *supervisor, const siginfo_t *info)
{
	siginfo_t child;
	int wstatus;

	if (!is_exit(info->si_code) || info->si_pid == supervisor->command ||
	    wait4(info->si_pid, &wstatus, WNOHANG | __WALL, NULL) <= 0)
		return;
	child = from_wstatus(info->si_pid, wstatus);
	handle_reaped(supervisor, &child);
}

/* Where waitid(2) fails, by seccomp(2). Returns whether a child remains. */
static bool reap_by_wait4(struct supervisor *supervisor)
{
	int wstatus;
	pid_t pid;

	while ((pid = wait4(-1, &wstatus, WNOHANG | __WALL, NULL)) > 0) {
		const siginfo_t child = from_wstatus(pid, wstatus);

		if (pid == supervisor->command && is_exit(child.si_code))
			handle_end(supervisor, &child);
		else
			handle_reaped(supervisor, &child);
	}
	return pid == 0 || errno != ECHILD;
}

/*
 * Reaps all dead children: SIGCHLD does not queue, so one may stand for many.
 * Returns whether a child remains. seccomp(2) may forbid either call: then that
 * is not known, or a dead one stays, and we must look again.
 */
static bool reap(struct supervisor *supervisor)
{
	const int dead_now = WEXITED | WNOHANG | WNOWAIT | __WALL;
	siginfo_t child;

	do {
		child.si_pid = 0;
		if (waitid(P_ALL, 0, &child, dead_now) < 0) {
			supervisor->look_again =
				errno != ECHILD || supervisor->command != 0;
			return supervisor->look_again &&
			       reap_by_wait4(supervisor);
		}
	} while (child.si_pid != 0 && reap_child(supervisor, &child));
	supervisor->look_again = child.si_pid != 0;
	return true;
}

/* If COMMAND was stopped. A SIGCONT that waits for us means: not any more. */
static void notice_stop(struct supervisor *supervisor)
{
	siginfo_t stopped = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)supervisor->command, &stopped,
		   WSTOPPED | WNOHANG) == 0 &&
	    stopped.si_pid != 0 && stopped.si_code == CLD_STOPPED &&
	    !(signals_pending() & SIGNALS_BIT(SIGCONT))) {
		const struct event event = {
			.kind = EVENT_COMMAND_STOPPED,
			.signum = stopped.si_status,
			.place = terminal_place(supervisor->command),
		};

		handle(supervisor, &event, NULL);
	}
}

/* Reaps, and notices when no process remains. */
static void look_after_children(struct supervisor *supervisor)
{
	const struct lifecycle *lifecycle = &supervisor->lifecycle;
	const bool children = reap(supervisor);

	if (lifecycle->phase == PHASE_RUNNING &&
	    lifecycle->options->mode == MODE_GROUP &&
	    !spawn_is_starting(supervisor->start))
		notice_stop(supervisor);
	if (lifecycle->phase != PHASE_LEFT || children)
		return;
	supervisor->look_again = processes_remain();
	if (!supervisor->look_again) {
		const struct event event = { .kind = EVENT_NOTHING_LEFT };

		handle(supervisor, &event, NULL);
	}
}

/* What could wait until COMMAND runs. */
static void settle(struct supervisor *supervisor)
{
	if (supervisor->command != SPAWN_NOBODY) {
		supervisor->settle_tries--;
		if (!spawn_settle(supervisor->start) &&
		    supervisor->settle_tries > 0)
			return;
		supervisor->start->awaited = true;
		supervisor->oom_kills = explain_oom_kills();
	}
	supervisor->settle_tries = 0;
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
	if (supervisor->settle_tries > 0 && left > SETTLE_AFTER)
		left = SETTLE_AFTER;
	if (left == LIFECYCLE_NEVER)
		return SIGNALS_FOREVER;
	return left < 0 ? 0 : left;
}

/* Returns whether a child may have exited or stopped. */
static bool wait_for_event(struct supervisor *supervisor)
{
	const int64_t left = time_left(supervisor);
	bool has_signal;
	siginfo_t info;

	if (supervisor->resumed.si_signo != 0) {
		info = supervisor->resumed;
		supervisor->resumed.si_signo = 0;
		forward(supervisor, &info);
		return true;
	}
	if (left == 0) {
		handle_deadline(supervisor);
		return true;
	}
	has_signal = signals_wait(&info, left);
	/* Not before COMMAND runs, which it would delay. */
	if (!supervisor->has_begun) {
		supervisor->has_begun = true;
		supervisor->lifecycle.is_pid_1 = getpid() == 1;
	}
	if (!has_signal) {
		if (supervisor->settle_tries > 0)
			settle(supervisor);
		/* If the wait has failed, too: no SIGCHLD tells of an exit. */
		return true;
	}
	spawn_await(supervisor->start, supervisor->command);
	if (info.si_signo != SIGCHLD) {
		forward(supervisor, &info);
		return supervisor->look_again;
	}
	reap_named(supervisor, &info);
	return true;
}

int supervise(const struct options *options, struct start *start, pid_t command)
{
	/* Not on the stack: a page of that, once touched, stays resident. */
	static struct supervisor supervisor;

	supervisor = (struct supervisor){
		.lifecycle = lifecycle_start(options),
		.start = start,
		.command = command,
		.oom_kills = EXPLAIN_UNKNOWN,
		.settle_tries = SETTLE_TRIES,
	};
	if (log_says(LOG_VERBOSE)) {
		spawn_await(start, command);
		if (!start->failed)
			report_start(options, command);
	}
	while (supervisor.lifecycle.phase != PHASE_OVER) {
		if (wait_for_event(&supervisor) ||
		    supervisor.lifecycle.phase == PHASE_LEFT)
			look_after_children(&supervisor);
	}
	return supervisor.lifecycle.status;
}
