#include <string.h>

#include "errors.h"
#include "format.h"
#include "log.h"
#include "oom.h"
#include "proc.h"
#include "report.h"

enum {
	COMM_MAX = sizeof("123456789012345"), /* proc_pid_comm(5) */
	SENDER_MAX = sizeof("a process outside this PID namespace "
			    "(UID 4294967295)"),
	TARGET_MAX = 256, /* a longer program name is cut */
};

static const char *const modes[] = {
	[MODE_SESSION] = "new session",
	[MODE_GROUP] = "new process group",
	[MODE_SINGLE_CHILD] = "single-child mode",
};

/* Fills text, at most size bytes. Returns its length. */
static size_t format_target(char *text, size_t size,
			    const struct options *options, pid_t command,
			    enum target target)
{
	if (target == TARGET_ALL)
		return format_text(text, size, "all processes");
	return format_text(text, size, "%s%s (PID %d)",
			   target == TARGET_GROUP ? "the process group of "
						  : "",
			   options->program, command);
}

void report_start(const struct options *options, pid_t command)
{
	if (options->mode == MODE_PAUSE)
		log_verbose("waiting for SIGTERM or SIGINT (--pause)");
	else
		log_verbose("started %s as PID %d (%s)", options->program,
			    command, modes[options->mode]);
}

/* The name of the program that runs as pid; false if it cannot be read. */
static bool read_name(char name[COMM_MAX], pid_t pid)
{
	char path[sizeof("/proc/-2147483648/comm")];
	char comm[PROC_LINE_MAX];

	format_text(path, sizeof(path), "/proc/%d/comm", pid);
	if (!proc_is_ours() || !proc_find_line(path, "", comm))
		return false;
	format_text(name, COMM_MAX, "%s", comm);
	return true;
}

static void format_process(char sender[SENDER_MAX], pid_t pid, uid_t uid)
{
	char name[COMM_MAX];

	if (pid == 0)
		format_text(sender, SENDER_MAX,
			    "a process outside this PID namespace (UID %u)",
			    uid);
	else if (read_name(name, pid))
		format_text(sender, SENDER_MAX, "%s (PID %d, UID %u)", name,
			    pid, uid);
	else
		format_text(sender, SENDER_MAX, "PID %d (UID %u)", pid, uid);
}

static void format_sender(char sender[SENDER_MAX], const siginfo_t *info)
{
	switch (info->si_code) {
	case SI_USER: /* only these three have a sender, sigaction(2) */
	case SI_QUEUE:
	case SI_TKILL:
		format_process(sender, info->si_pid, info->si_uid);
		return;
	}
	if (info->si_code == SI_KERNEL &&
	    (SIGNALS_TERMINAL & SIGNALS_BIT(info->si_signo)))
		format_text(sender, SENDER_MAX, "the terminal");
	else
		format_text(sender, SENDER_MAX, "the kernel");
}

/* The end of the line about a signal that arrived as signum. */
static void format_outcome(char text[TARGET_MAX], const struct options *options,
			   pid_t command, const struct actions *actions,
			   int signum)
{
	static const char *const texts[OUTCOME_GAVE_UP + 1] = {
		[OUTCOME_FORWARDED] = "forwarded to ",
		[OUTCOME_DROPPED] = "dropped",
		[OUTCOME_ALREADY_SENT] = "already sent by the terminal to ",
		[OUTCOME_DELAYED] = "delayed (--delay)",
		[OUTCOME_PAUSE_ENDED] = "exiting",
	};
	const bool forwarded = actions->outcome == OUTCOME_FORWARDED;
	const bool rewritten = forwarded && actions->signum != signum;
	size_t length =
		format_text(text, TARGET_MAX, "%s", texts[actions->outcome]);

	if (forwarded || actions->outcome == OUTCOME_ALREADY_SENT)
		length += format_target(
			text + length, TARGET_MAX - length, options, command,
			forwarded ? actions->target : TARGET_COMMAND);
	if (rewritten)
		format_text(text + length, TARGET_MAX - length, " as %s",
			    signals_name(actions->signum).text);
}

static void report_signal(const struct options *options, pid_t command,
			  const struct actions *actions, const siginfo_t *info)
{
	char sender[SENDER_MAX];
	char outcome[TARGET_MAX];

	format_sender(sender, info);
	format_outcome(outcome, options, command, actions, info->si_signo);
	log_verbose("%s from %s: %s", signals_name(info->si_signo).text, sender,
		    outcome);
}

void report_outcome(const struct options *options, pid_t command,
		    const struct actions *actions, const siginfo_t *info)
{
	char target[TARGET_MAX];

	if (actions->outcome == OUTCOME_GRACE_EXPIRED ||
	    actions->outcome == OUTCOME_KILL_AFTER_EXPIRED)
		log_warning("%s expired: sending SIGKILL to all processes",
			    actions->outcome == OUTCOME_GRACE_EXPIRED
				    ? "--grace"
				    : "--kill-after");
	if (!log_prints(LOG_VERBOSE))
		return;
	if (info) {
		report_signal(options, command, actions, info);
	} else if (actions->outcome == OUTCOME_TERMINATE) {
		format_target(target, sizeof(target), options, command,
			      actions->target);
		log_verbose("sending SIGTERM to %s", target);
	}
	if (actions->suspend != 0)
		log_verbose("stopping until SIGCONT");
}

void report_refusal(const struct options *options, pid_t command,
		    const struct actions *actions, int error)
{
	char target[TARGET_MAX];

	format_target(target, sizeof(target), options, command,
		      actions->target);
	log_warning("cannot send %s to %s: %s",
		    signals_name(actions->signum).text, target,
		    errors_text(error));
}

void report_survivors(const struct options *options, pid_t command, bool failed)
{
	if (command != 0)
		log_warning("%s (PID %d) still exists a second after SIGKILL; "
			    "exiting anyway",
			    options->program, command);
	else if (failed)
		log_warning("some processes could not be killed; exiting "
			    "anyway");
	else
		log_warning("some processes survived SIGKILL; exiting anyway");
}

struct ending {
	char text[sizeof("was killed by SIGRTMIN+15")];
};

static struct ending format_ending(const siginfo_t *exited)
{
	struct ending ending = { "" };

	if (exited->si_code == CLD_EXITED)
		format_text(ending.text, sizeof(ending.text),
			    "exited with status %d", exited->si_status);
	else
		format_text(ending.text, sizeof(ending.text),
			    "was killed by %s",
			    signals_name(exited->si_status).text);
	return ending;
}

void report_exit(const struct options *options, const siginfo_t *exited)
{
	log_verbose("%s (PID %d) %s", options->program, exited->si_pid,
		    format_ending(exited).text);
}

/*
 * The probable cause of a SIGKILL that is not ours. Not the engine, whose
 * SIGKILL ends dumb-init too.
 */
static const char *guess(int signum, int oom_kills)
{
	if (signum != SIGKILL)
		return "";
	if (oom_kills > 0)
		return ": out of memory (its cgroup recorded an OOM kill)";
	if (oom_kills == 0)
		return ": its cgroup recorded no OOM kill; another process "
		       "probably sent it";
	return ": out of memory, or another process sent it";
}

void report_unexpected_kill(const struct options *options,
			    const siginfo_t *exited, int oom_kills)
{
	log_reason(LOG_WARNING, "%s (PID %d) %s%s, not sent by dumb-init%s",
		   options->program, exited->si_pid, format_ending(exited).text,
		   exited->si_code == CLD_DUMPED ? " (core dumped)" : "",
		   guess(exited->si_status, oom_kills));
}

void report_oom_of_child(const struct options *options, const siginfo_t *exited)
{
	log_reason(LOG_WARNING,
		   "%s (PID %d) %s, and its cgroup recorded an OOM kill: one "
		   "of its children was probably killed",
		   options->program, exited->si_pid,
		   format_ending(exited).text);
}

void report_orphan(const struct options *options, const siginfo_t *exited)
{
	log_line(options->warn_on_reap ? LOG_WARNING : LOG_VERBOSE,
		 "reaped orphan (PID %d), which %s", exited->si_pid,
		 format_ending(exited).text);
}

void report_traced(pid_t pid, int signum)
{
	log_verbose("PID %d called PTRACE_TRACEME; it continues%s%s", pid,
		    signum == 0 ? "" : " with ",
		    signum == 0 ? "" : signals_name(signum).text);
}

struct seconds {
	char text[sizeof("-2147483648.123")];
};

static struct seconds format_seconds(const struct timeval *time)
{
	const int ms = (int)(time->tv_usec / 1000);
	struct seconds seconds = { "" };

	format_text(seconds.text, sizeof(seconds.text), "%d.%d%d%d",
		    (int)time->tv_sec, ms / 100, ms / 10 % 10, ms % 10);
	return seconds;
}

void report_usage(const struct options *options, const struct rusage *usage)
{
	if (!log_prints(LOG_VERBOSE))
		return;
	log_verbose("%s used %s s user, %s s system, %d KiB peak memory",
		    options->program, format_seconds(&usage->ru_utime).text,
		    format_seconds(&usage->ru_stime).text,
		    (int)usage->ru_maxrss);
}
