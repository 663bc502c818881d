#include <errno.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "delivery.h"
#include "lifecycle.h"
#include "log.h"
#include "oom.h"
#include "proc.h"
#include "processes.h"
#include "report.h"
#include "spawn.h"
#include "supervise.h"
#include "terminal.h"

/* The polling interval, for exits that raise no SIGCHLD; in ns. */
#define POLL_INTERVAL (20 * NUMBERS_MS)

/*
 * finish_start is called this long after the start, in ns, and again after the
 * same time if it was too early. It mostly reads the count of OOM kills, which
 * does not slow down a COMMAND that exits earlier.
 */
#define FINISH_START_AFTER (5 * NUMBERS_MS)

/* We wait so long for a SIGCONT before we stop, in ns. */
#define SUSPEND_DELAY (100 * NUMBERS_MS)

enum {
	FINISH_START_TRIES = SPAWN_PATIENCE_MS / 5,
	/* A shell exits with this if SIGKILL has killed its child. */
	STATUS_OF_KILLED = 128 + SIGKILL,
	IN_A_ROW_MAX = 1000, /* signals or children, before the other kind */
	/* After so many wake-ups the start ends without FINISH_START_AFTER:
	 * in a flood of signals there is no such pause. */
	EARLY_MAX = 8,
	SIGNAL_MASK = 0x7f, /* of the status of a traced process that stops */
};

struct supervisor {
	struct lifecycle lifecycle;
	struct start *start;
	pid_t command;     /* 0 once its exit is handled, and in MODE_PAUSE */
	siginfo_t delayed; /* of the signal that --delay holds back */
	siginfo_t resumed; /* a SIGCONT that replaced our stop, or 0 */
	signals_set sent;  /* the signals that COMMAND got from us */
	/* The processes that got a forwarded SIGTERM, for --grace. */
	struct processes_signaled terminated;
	int oom_kills_before; /* since about COMMAND's exec */
	int start_tries;      /* left, to finish the start; 0: it is finished */
	int early_wakeups;    /* before the start was finished */
	unsigned int signals_in_a_row; /* since any other wake-up */
	bool has_waited;               /* the first wait is over */
	bool must_poll;   /* there may be exits without a SIGCHLD */
	bool kill_failed; /* the last SIGKILL did not reach all processes */
};

/* Sends the signal with its value, or without it if the queue is full. */
static bool send_with_value(pid_t pid, int signum, const siginfo_t *value)
{
	return kernel_queue_signal(pid, signum, value) == 0 ||
	       kill(pid, signum) == 0;
}

/* To COMMAND or its group. info: NULL for a signal of our own. */
static bool send_to_command(const struct supervisor *supervisor,
			    enum target target, int signum,
			    const siginfo_t *info)
{
	const pid_t pid = supervisor->command;

	if (target == TARGET_GROUP) {
		if (kill(-pid, signum) == 0)
			return true;
		/* A signal of our own is for the group only. */
		if (!info)
			return false;
		/* The group is empty if COMMAND has moved to another, or
		 * seccomp(2) forbade setpgid: then COMMAND gets the signal. */
		return errno == ESRCH && kill(pid, signum) == 0;
	}
	if (info && info->si_code == SI_QUEUE)
		return send_with_value(pid, signum, info);
	return kill(pid, signum) == 0;
}

/* Whether we may send signals to COMMAND, which has not been reaped. */
static bool may_signal(pid_t command)
{
	return command != 0 && kill(command, 0) == 0;
}

/* Returns an errno, or 0. */
static int send_to_all(struct supervisor *supervisor,
		       const struct actions *actions, const siginfo_t *info)
{
	const pid_t command = supervisor->command;
	const bool own_sigterm = !info && actions->signum == SIGTERM;
	int error = 0;

	if (!processes_signal(command, actions->signum, actions->wake,
			      own_sigterm ? &supervisor->terminated : NULL))
		error = errno;
	/* As PID 1 it succeeds even if all processes refuse: check COMMAND. */
	if (may_signal(command))
		supervisor->sent |= SIGNALS_BIT(actions->signum);
	else if (command != 0 && error == 0)
		error = errno;
	return error;
}

/* Returns an errno, or 0. */
static int send_to_target(struct supervisor *supervisor,
			  const struct actions *actions, const siginfo_t *info)
{
	if (actions->target == TARGET_ALL)
		return send_to_all(supervisor, actions, info);
	if (!send_to_command(supervisor, actions->target, actions->signum,
			     info))
		return errno;
	supervisor->sent |= SIGNALS_BIT(actions->signum);
	/* The whole group: the terminal may have stopped it. */
	if (actions->wake)
		(void)send_to_command(supervisor, TARGET_GROUP, SIGCONT, info);
	return 0;
}

/*
 * Keeps which processes get a forwarded SIGTERM, for --grace. Called before
 * that is sent: a process that COMMAND starts for its clean-up is not among
 * them.
 */
static void note_terminated(struct supervisor *supervisor,
			    const struct actions *actions)
{
	const struct options *options = supervisor->lifecycle.options;

	if (actions->signum == SIGTERM && options->grace_ms != DURATION_NONE &&
	    supervisor->lifecycle.phase == PHASE_RUNNING &&
	    actions->target != TARGET_COMMAND)
		supervisor->terminated = processes_now(
			actions->target == TARGET_GROUP ? supervisor->command
							: PROCESSES_ALL);
}

/* info: of a forwarded signal; NULL for a signal of our own. */
static void send_signal(struct supervisor *supervisor,
			const struct actions *actions, const siginfo_t *info)
{
	int error;

	note_terminated(supervisor, actions);
	error = send_to_target(supervisor, actions, info);
	if (actions->signum == SIGKILL)
		supervisor->kill_failed = error != 0;
	/*
	 * Our own SIGTERM to the group fails if only COMMAND's zombie is left
	 * in it, and a repeated SIGKILL has been reported.
	 */
	if (error != 0 && (info || actions->wake ||
			   actions->outcome == OUTCOME_GRACE_EXPIRED ||
			   actions->outcome == OUTCOME_KILL_AFTER_EXPIRED))
		report_refusal(supervisor->lifecycle.options,
			       supervisor->command, actions, error);
}

/*
 * Stops us by the default action of a job stop signal, which the shell or the
 * dumb-init above us expects. was_sent: we stop because such a signal was sent
 * to us; a SIGCONT that follows it closely must not be lost. Otherwise we stop
 * because COMMAND has stopped.
 */
static void suspend(struct supervisor *supervisor,
		    const struct actions *actions, bool was_sent)
{
	const int signum = actions->suspend;
	const pid_t self = getpid();

	if (was_sent) {
		if (delivery_stop_unless_continued(signum, SUSPEND_DELAY,
						   &supervisor->resumed))
			return;
		supervisor->resumed.si_signo = 0;
	} else {
		(void)kill(actions->suspend_group ? 0 : self, signum);
		delivery_let_act(signum);
	}
	/* A pending SIGCONT shows that we were stopped and continued. Without
	 * one, the signal did not stop us: our group is orphaned. We stop all
	 * the same after a forwarded stop signal. But if COMMAND has stopped,
	 * no shell would continue us; and if a key was for our whole group,
	 * COMMAND in that group is not stopped either. */
	if (kernel_pending() & SIGNALS_BIT(SIGCONT))
		return;
	if (!was_sent)
		supervisor->lifecycle.stopped = true;
	else if (actions->outcome != OUTCOME_ALREADY_SENT)
		(void)kill(self, SIGSTOP);
}

/* The current time if a deadline can depend on it, otherwise 0: to forward a
 * signal should not cost a call of the clock. */
static int64_t time_of(const struct event *event, const struct options *options)
{
	const bool timed =
		options->delay_signal != 0 ||
		options->kill_after_ms != DURATION_NONE ||
		(options->grace_ms != DURATION_NONE &&
		 (event->kind != EVENT_SIGNAL || options->mode == MODE_PAUSE));

	return timed ? kernel_clock() : 0;
}

static void give_terminal(const struct supervisor *supervisor, bool stdin_only)
{
	if (stdin_only)
		terminal_switch_stdin(getpgrp(), supervisor->command);
	else
		terminal_switch(getpgrp(), supervisor->command);
}

static void take_terminal(const struct supervisor *supervisor)
{
	if (supervisor->lifecycle.options->mode == MODE_SESSION)
		terminal_acquire();
	else
		terminal_switch(supervisor->command, getpgrp());
}

/* Lets lifecycle decide about an event. Sets info to the delayed signal's if
 * the decision is about that. */
static struct actions decide(struct supervisor *supervisor,
			     const struct event *event, const siginfo_t **info)
{
	struct lifecycle *lifecycle = &supervisor->lifecycle;
	const struct actions actions = lifecycle_step(
		lifecycle, event, time_of(event, lifecycle->options));

	if (*info && actions.outcome == OUTCOME_DELAYED)
		supervisor->delayed = **info;
	if (actions.delay_ended)
		*info = &supervisor->delayed;
	if (event->reached_command)
		supervisor->sent |= SIGNALS_BIT(event->signum);
	return actions;
}

static void carry_out(struct supervisor *supervisor, const struct event *event,
		      const struct actions *actions, const siginfo_t *info)
{
	if (actions->outcome == OUTCOME_GAVE_UP)
		report_survivors(supervisor->lifecycle.options,
				 supervisor->command, supervisor->kill_failed);
	if (actions->give_terminal)
		give_terminal(supervisor, actions->stdin_only);
	/* Before SIGTERM is sent: its receivers may expect ^C to work. */
	if (actions->take_terminal)
		take_terminal(supervisor);
	if (actions->signum != 0)
		send_signal(supervisor, actions, info);
	if (actions->suspend != 0)
		suspend(supervisor, actions,
			event->kind != EVENT_COMMAND_STOPPED);
}

/* info: of the signal that the event is about; NULL if it is about none. */
static void handle(struct supervisor *supervisor, const struct event *event,
		   const siginfo_t *info)
{
	const struct actions actions = decide(supervisor, event, &info);

	report_outcome(supervisor->lifecycle.options, supervisor->command,
		       &actions, info);
	carry_out(supervisor, event, &actions, info);
}

/*
 * The kernel sends a terminal signal to the whole foreground group, so COMMAND
 * has it if it is in our group, as in single-child mode. Exceptions: a hangup
 * is sent to the session leader alone; a machine's PID 1, which has no
 * terminal, gets SIGINT for Ctrl-Alt-Del (reboot(2)); and COMMAND's process
 * discards signals before exec (spawn.h).
 */
static bool has_reached_command(struct supervisor *supervisor,
				const siginfo_t *info)
{
	const signals_set hangup = SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGCONT);
	const signals_set signal = SIGNALS_BIT(info->si_signo);
	const bool missed = (supervisor->start->missed & signal) != 0;

	supervisor->start->missed &= ~signal;
	if (missed || info->si_code != SI_KERNEL ||
	    !(signal & SIGNALS_TERMINAL) ||
	    supervisor->lifecycle.options->mode != MODE_SINGLE_CHILD ||
	    supervisor->lifecycle.phase != PHASE_RUNNING)
		return false;
	if ((signal & hangup) && getsid(0) == getpid())
		return false;
	if (info->si_signo == SIGINT && supervisor->lifecycle.is_pid_1 &&
	    !terminal_exists())
		return false;
	return getpgid(supervisor->command) == getpgrp();
}

/* For a job stop signal: whether COMMAND handles it, and owns the terminal. */
static void add_job_state(const struct supervisor *supervisor, int signum,
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
		event->owner = terminal_owner(command);
}

static void handle_signal(struct supervisor *supervisor, const siginfo_t *info)
{
	struct event event = {
		.kind = EVENT_SIGNAL,
		.signum = info->si_signo,
		.reached_command = has_reached_command(supervisor, info),
	};

	add_job_state(supervisor, info->si_signo, &event);
	handle(supervisor, &event, info);
}

static void handle_deadline(struct supervisor *supervisor)
{
	struct event event = { .kind = EVENT_DEADLINE };

	add_job_state(supervisor, supervisor->lifecycle.options->delay_signal,
		      &event);
	handle(supervisor, &event, NULL);
}

/*
 * Whether the signal that killed COMMAND needs no explanation: we sent it; or
 * it is pending for us, since it was sent to both; or it may be a key of the
 * terminal, which does not reach us if COMMAND has its own group; or it is
 * SIGPIPE, the usual end of the first program of a pipeline.
 */
static bool is_expected(signals_set sent, int signum)
{
	const signals_set keys = SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGINT) |
				 SIGNALS_BIT(SIGQUIT);
	const signals_set signal = SIGNALS_BIT(signum);

	return signum == SIGPIPE || (signal & (sent | kernel_pending())) ||
	       ((signal & keys) && terminal_is_stdin());
}

/*
 * Prints one line about COMMAND's exit: the reason for a failure, if any. sent:
 * the signals that we had sent to COMMAND.
 */
static void report_end(const struct supervisor *supervisor,
		       const siginfo_t *exited, signals_set sent)
{
	const struct options *options = supervisor->lifecycle.options;
	const bool killed = exited->si_code != CLD_EXITED;
	const int before = supervisor->oom_kills_before;

	if (killed && !is_expected(sent, exited->si_status))
		report_unexpected_kill(options, exited,
				       exited->si_status == SIGKILL
					       ? oom_kills_since(before)
					       : OOM_UNKNOWN);
	else if (!killed && exited->si_status == STATUS_OF_KILLED &&
		 oom_kills_since(before) > 0)
		report_oom_of_child(options, exited);
	else
		report_exit(options, exited);
}

static bool is_exit(int cause)
{
	return cause == CLD_EXITED || cause == CLD_KILLED ||
	       cause == CLD_DUMPED;
}

/* The siginfo of waitid(2), from a status of wait4(2). */
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
 * A child that calls PTRACE_TRACEME makes us its tracer. Each signal for it
 * then stops it, and waitid(2) reports that stop whatever its flags are. We
 * detach, and deliver the signal; but not the SIGTRAP that the kernel raises
 * for execve(2), which would kill the child (ptrace(2)).
 */
static bool detach_traced(const siginfo_t *child)
{
	int signum = child->si_status & SIGNAL_MASK;
	siginfo_t info = { .si_code = 0 };

	if (signum == SIGTRAP &&
	    kernel_ptrace(PTRACE_GETSIGINFO, child->si_pid, (uintptr_t)&info) ==
		    0 &&
	    info.si_code == SI_USER && info.si_pid == child->si_pid)
		signum = 0;
	report_traced(child->si_pid, signum);
	return kernel_ptrace(PTRACE_DETACH, child->si_pid, (uintptr_t)signum) ==
	       0;
}

/*
 * After a PTRACE_DETACH that failed. ESRCH: the child has just been killed, and
 * its exit will be found. Otherwise (seccomp(2)) the stop must not be found
 * again and again: a wait without WEXITED takes the stop but no exit.
 */
static bool forget_stop(pid_t pid)
{
	siginfo_t child;

	return errno == ESRCH || waitid(P_PID, (id_t)pid, &child,
					WSTOPPED | WNOHANG | __WALL) == 0;
}

/* A child other than COMMAND, which wait4(2) has returned. */
static void handle_waited(struct supervisor *supervisor, const siginfo_t *child)
{
	if (is_exit(child->si_code))
		report_orphan(supervisor->lifecycle.options, child);
	else
		(void)detach_traced(child);
}

/*
 * Reaps a dead child. Sets exited to its cause and status; and usage, unless it
 * is NULL or seccomp(2) forbids wait4.
 */
static bool reap(pid_t pid, siginfo_t *exited, struct rusage *usage)
{
	int wstatus;

	if (wait4(pid, &wstatus, WNOHANG | __WALL, usage) > 0) {
		*exited = from_wstatus(pid, wstatus);
		return true;
	}
	exited->si_pid = 0;
	return waitid(P_PID, (id_t)pid, exited, WEXITED | WNOHANG | __WALL) ==
		       0 &&
	       exited->si_pid != 0;
}

/*
 * Handles COMMAND's exit. Until COMMAND is reaped, its PID, which is also that
 * of its group, cannot be assigned to another process and may be signaled. But
 * only the wait that reaps it returns the status of the process on all kernels:
 * before Linux 5.17 (5.10 was tested) waitid with WNOWAIT returns that of the
 * first thread. reaped: by reap_by_wait4. Returns whether COMMAND is reaped.
 */
static bool reap_command(struct supervisor *supervisor, const siginfo_t *child,
			 bool reaped)
{
	const struct options *options = supervisor->lifecycle.options;
	const pid_t command = supervisor->command;
	const signals_set sent = supervisor->sent;
	const bool failed =
		supervisor->start->failed && child->si_code == CLD_EXITED;
	const struct event event = {
		.kind = failed ? EVENT_EXEC_FAILED : EVENT_COMMAND_EXITED,
		.status = child->si_status,
	};
	const siginfo_t *info = NULL;
	const struct actions actions = decide(supervisor, &event, &info);
	struct rusage usage = { .ru_maxrss = 0 };
	siginfo_t exited = *child;

	carry_out(supervisor, &event, &actions, NULL);
	supervisor->command = 0;
	supervisor->start_tries = 0;
	if (!reaped)
		reaped = reap(child->si_pid, &exited, &usage);
	if (failed)
		return reaped;
	lifecycle_set_status(&supervisor->lifecycle, exited.si_code,
			     exited.si_status);
	report_end(supervisor, &exited, sent);
	report_outcome(options, command, &actions, NULL);
	report_usage(options, &usage);
	return reaped;
}

/*
 * Reaps the child that waitid(2) has found, or lets it continue if it is
 * traced. Returns whether waitid cannot find it again. __WALL: the program that
 * became dumb-init by exec may have started children by any kind of clone(2).
 */
static bool reap_found(struct supervisor *supervisor, const siginfo_t *child)
{
	siginfo_t exited;

	if (!is_exit(child->si_code))
		return detach_traced(child) || forget_stop(child->si_pid);
	if (child->si_pid == supervisor->command)
		return reap_command(supervisor, child, false);
	if (!reap(child->si_pid, &exited, NULL))
		return false;
	report_orphan(supervisor->lifecycle.options, &exited);
	return true;
}

/*
 * Reaps the orphan that a SIGCHLD names. If it was the only one, this saves a
 * waitid call to find it. Only the PID counts: cause and status in a SIGCHLD
 * are those of the process's first thread, which may have exited otherwise than
 * the process (docs/design.md).
 */
static void reap_named(struct supervisor *supervisor, const siginfo_t *info)
{
	siginfo_t child;
	int wstatus;

	if (!is_exit(info->si_code) || info->si_pid == supervisor->command ||
	    wait4(info->si_pid, &wstatus, WNOHANG | __WALL, NULL) <= 0)
		return;
	child = from_wstatus(info->si_pid, wstatus);
	handle_waited(supervisor, &child);
}

/* For a waitid(2) that fails (seccomp(2)). Returns whether a child remains. */
static bool reap_by_wait4(struct supervisor *supervisor)
{
	int wstatus;
	pid_t pid;

	while ((pid = wait4(-1, &wstatus, WNOHANG | __WALL, NULL)) > 0) {
		const siginfo_t child = from_wstatus(pid, wstatus);

		if (pid == supervisor->command && is_exit(child.si_code))
			(void)reap_command(supervisor, &child, true);
		else
			handle_waited(supervisor, &child);
	}
	return pid == 0 || errno != ECHILD;
}

/*
 * Reaps all dead children: SIGCHLD does not queue, so one may stand for many.
 * Returns whether a child remains. WNOWAIT: see reap_command. If a call fails
 * (seccomp(2)), or there are too many for one round, we must look again: the
 * SIGCHLD of the others may have been taken.
 */
static bool reap_all(struct supervisor *supervisor)
{
	const int flags = WEXITED | WNOHANG | WNOWAIT | __WALL;
	siginfo_t child;
	int found = 0;

	do {
		child.si_pid = 0;
		if (waitid(P_ALL, 0, &child, flags) < 0) {
			/* ECHILD while COMMAND is not reaped is a filter's. */
			supervisor->must_poll =
				errno != ECHILD || supervisor->command != 0;
			return supervisor->must_poll &&
			       reap_by_wait4(supervisor);
		}
	} while (child.si_pid != 0 && reap_found(supervisor, &child) &&
		 ++found < IN_A_ROW_MAX);
	supervisor->must_poll = child.si_pid != 0;
	return true;
}

/* In group mode. A pending SIGCONT will continue COMMAND when it is forwarded.
 */
static void check_for_stop(struct supervisor *supervisor)
{
	siginfo_t stopped = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)supervisor->command, &stopped,
		   WSTOPPED | WNOHANG) < 0 ||
	    stopped.si_pid == 0)
		return;
	if (stopped.si_code != CLD_STOPPED) {
		(void)detach_traced(&stopped);
	} else if (!(kernel_pending() & SIGNALS_BIT(SIGCONT))) {
		const struct event event = {
			.kind = EVENT_COMMAND_STOPPED,
			.signum = stopped.si_status,
			.owner = terminal_owner(supervisor->command),
		};

		handle(supervisor, &event, NULL);
	}
}

/* Reaps children; notices COMMAND's stop, and the exit of the last process. */
static void check_children(struct supervisor *supervisor)
{
	const struct lifecycle *lifecycle = &supervisor->lifecycle;
	const bool children_remain = reap_all(supervisor);

	if (lifecycle->phase == PHASE_RUNNING &&
	    lifecycle->options->mode == MODE_GROUP &&
	    !spawn_is_starting(supervisor->start))
		check_for_stop(supervisor);
	if (lifecycle->phase != PHASE_WAITING || children_remain)
		return;
	supervisor->must_poll = processes_remain();
	if (!supervisor->must_poll) {
		const struct event event = { .kind = EVENT_ALL_EXITED };

		handle(supervisor, &event, NULL);
	}
}

/* The part of the start that can wait until COMMAND runs. */
static void finish_start(struct supervisor *supervisor)
{
	supervisor->start_tries--;
	if (supervisor->command == SPAWN_NO_COMMAND) {
		supervisor->start_tries = 0;
		return;
	}
	if (supervisor->start_tries == 0)
		supervisor->start->awaited = true;
	if (!spawn_finish(supervisor->start))
		return;
	supervisor->oom_kills_before = oom_kills();
	supervisor->start_tries = 0;
}

/* In ns; 0: a deadline has passed; or KERNEL_FOREVER. */
static int64_t next_timeout(const struct supervisor *supervisor)
{
	const int64_t deadline = lifecycle_deadline(&supervisor->lifecycle);
	int64_t left = LIFECYCLE_NEVER;

	if (deadline != LIFECYCLE_NEVER) {
		left = deadline - kernel_clock();
		if (left <= 0)
			return 0;
	}
	if (supervisor->must_poll && left > POLL_INTERVAL)
		left = POLL_INTERVAL;
	if (supervisor->start_tries > 0 && left > FINISH_START_AFTER)
		left = FINISH_START_AFTER;
	return left == LIFECYCLE_NEVER ? KERNEL_FOREVER : left;
}

enum wakeup {
	WAKEUP_SIGNAL, /* a signal to forward */
	WAKEUP_CHILD,  /* a SIGCHLD */
	WAKEUP_DEADLINE,
	WAKEUP_TIMEOUT, /* to poll or to finish the start; or the wait failed */
};

/* Fills info in the first two cases. */
static enum wakeup wait_for_wakeup(struct supervisor *supervisor,
				   siginfo_t *info)
{
	const int64_t timeout_ns = next_timeout(supervisor);
	bool arrived;

	if (supervisor->resumed.si_signo != 0) {
		*info = supervisor->resumed;
		supervisor->resumed.si_signo = 0;
		return WAKEUP_SIGNAL;
	}
	if (timeout_ns == 0)
		return WAKEUP_DEADLINE;
	arrived = delivery_wait(info, timeout_ns);
	/* Only now, so that COMMAND's start does not wait for the call. */
	if (!supervisor->has_waited) {
		supervisor->has_waited = true;
		supervisor->lifecycle.is_pid_1 = getpid() == 1;
	}
	if (!arrived)
		return WAKEUP_TIMEOUT;
	return info->si_signo == SIGCHLD ? WAKEUP_CHILD : WAKEUP_SIGNAL;
}

/*
 * After each wake-up without a signal to forward (the count is 0 then), and
 * after each thousandth signal in a row: the kernel delivers the lowest number
 * first, so a flood of these hides SIGCHLD. A single signal costs two calls.
 */
static bool must_check_children(const struct supervisor *supervisor)
{
	const enum phase phase = supervisor->lifecycle.phase;

	return phase == PHASE_WAITING ||
	       (phase == PHASE_RUNNING &&
		(supervisor->must_poll ||
		 supervisor->signals_in_a_row % IN_A_ROW_MAX == 0));
}

/* Waits for an event, handles it, and looks at our children if need be. */
static void handle_next(struct supervisor *supervisor)
{
	siginfo_t info;
	const enum wakeup wakeup = wait_for_wakeup(supervisor, &info);

	switch (wakeup) {
	case WAKEUP_SIGNAL:
		spawn_await_exec(supervisor->start, supervisor->command);
		handle_signal(supervisor, &info);
		supervisor->signals_in_a_row++;
		break;
	case WAKEUP_CHILD:
		/* It may be about a stop of COMMAND's process before exec. */
		spawn_await_exec(supervisor->start, supervisor->command);
		reap_named(supervisor, &info);
		supervisor->signals_in_a_row = 0;
		break;
	case WAKEUP_DEADLINE:
		handle_deadline(supervisor);
		supervisor->signals_in_a_row = 0;
		break;
	case WAKEUP_TIMEOUT:
		supervisor->signals_in_a_row = 0;
		break;
	}
	if (supervisor->start_tries > 0 &&
	    (wakeup == WAKEUP_TIMEOUT ||
	     ++supervisor->early_wakeups > EARLY_MAX))
		finish_start(supervisor);
	if (must_check_children(supervisor))
		check_children(supervisor);
}

int supervise(const struct options *options, struct start *start, pid_t command)
{
	/* Static: a page of stack, once touched, would stay resident. */
	static struct supervisor supervisor;

	supervisor = (struct supervisor){
		.lifecycle = lifecycle_start(options),
		.start = start,
		.command = command,
		.oom_kills_before = OOM_UNKNOWN,
		.start_tries = FINISH_START_TRIES,
	};
	if (log_prints(LOG_VERBOSE)) {
		spawn_await_exec(start, command);
		if (!start->failed)
			report_start(options, command);
	}
	while (supervisor.lifecycle.phase != PHASE_OVER)
		handle_next(&supervisor);
	return supervisor.lifecycle.status;
}
