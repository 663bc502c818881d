#include <string.h>

#include "errors.h"
#include "explain.h"
#include "format.h"
#include "log.h"
#include "proc.h"
#include "report.h"

enum {
	COMM_MAX = sizeof(" (123456789012345)"), /* proc_pid_comm(5) */
	SENDER_MAX = sizeof(
		"PID 0 (outside the namespace, or the kernel), UID 4294967295"),
	TARGET_MAX = sizeof("group -2147483648"),
};

static const char *const modes[] = {
	[MODE_SESSION] = "in a session of its own",
	[MODE_GROUP] = "in a process group of its own",
	[MODE_SINGLE_CHILD] = "as a single child",
};

static void format_target(char text[TARGET_MAX], enum target target,
			  pid_t command)
{
	if (target == TARGET_EVERYTHING)
		format_text(text, TARGET_MAX, "everything");
	else
		format_text(text, TARGET_MAX, "%s %d",
			    target == TARGET_GROUP ? "group" : "PID", command);
}

void report_start(const struct options *options, pid_t pid)
{
	if (options->mode == MODE_PAUSE)
		log_verbose("waiting for SIGTERM or SIGINT, without a COMMAND");
	else
		log_verbose("started %s %s: PID %d", options->command[0],
			    modes[options->mode], pid);
}

/* " (NAME)" for who runs as pid, or "" where that cannot be read. */
static void format_name(char name[COMM_MAX], pid_t pid)
{
	char path[sizeof("/proc/-2147483648/comm")];
	char comm[PROC_LINE_MAX];

	format_text(path, sizeof(path), "/proc/%d/comm", pid);
	if (proc_is_ours() && proc_find_line(path, "", comm))
		format_text(name, COMM_MAX, " (%s)", comm);
	else
		*name = '\0';
}

static void format_process(char sender[SENDER_MAX], const siginfo_t *info)
{
	char name[COMM_MAX];

	if (info->si_pid == 0) {
		format_text(
			sender, SENDER_MAX,
			"PID 0 (outside the namespace, or the kernel), UID %u",
			info->si_uid);
		return;
	}
	format_name(name, info->si_pid);
	format_text(sender, SENDER_MAX, "PID %d%s, UID %u", info->si_pid, name,
		    info->si_uid);
}

/* Only for these si_codes is there a sender, sigaction(2). */
static void format_sender(char sender[SENDER_MAX], const siginfo_t *info)
{
	switch (info->si_code) {
	case SI_USER:
	case SI_QUEUE:
	case SI_TKILL:
		format_process(sender, info);
		return;
	}
	if (info->si_code == SI_KERNEL &&
	    (SIGNALS_TERMINAL & SIGNALS_BIT(info->si_signo)))
		format_text(sender, SENDER_MAX, "the terminal");
	else
		format_text(sender, SENDER_MAX, "the kernel");
}

static void report_signal(const struct event *event, const siginfo_t *info,
			  const struct actions *actions, const char *target)
{
	const struct signal_name name = signals_name(info->si_signo);
	char sender[SENDER_MAX];

	format_sender(sender, info);
	if (event->reached_command)
		log_verbose("%s from %s: COMMAND has it already", name.text,
			    sender);
	else if (actions->end_pause)
		log_verbose("%s from %s: ends the pause", name.text, sender);
	else if (actions->hold)
		log_verbose("%s from %s: held back", name.text, sender);
	else if (actions->signum == 0)
		log_verbose("%s from %s: dropped", name.text, sender);
	else if (actions->signum == info->si_signo)
		log_verbose("%s from %s: passed on to %s", name.text, sender,
			    target);
	else
		log_verbose("%s from %s: passed on to %s as %s", name.text,
			    sender, target, signals_name(actions->signum).text);
}

void report_actions(const struct event *event, const siginfo_t *info,
		    const struct actions *actions, pid_t command)
{
	char target[TARGET_MAX];

	if (actions->last_resort)
		log_warning("time is up: SIGKILL to everything");
	if (!log_says(LOG_VERBOSE))
		return;
	format_target(target, actions->target, command);
	if (info)
		report_signal(event, info, actions, target);
	else if (event->kind == EVENT_COMMAND_ENDED && actions->signum != 0)
		log_verbose("COMMAND has ended: %s to %s",
			    signals_name(actions->signum).text, target);
	if (actions->suspend != 0)
		log_verbose("stopping ourselves until SIGCONT");
}

void report_refusal(const struct actions *actions, pid_t command, int error)
{
	char target[TARGET_MAX];

	format_target(target, actions->target, command);
	log_warning("cannot send %s to %s: %s",
		    signals_name(actions->signum).text, target,
		    errors_text(error));
}

void report_death(const struct options *options, const siginfo_t *dead,
		  pid_t command)
{
	const bool orphan = dead->si_pid != command;
	const char *who = orphan ? "orphan" : "COMMAND";
	const enum log_level level =
		orphan && options->warn_on_reap ? LOG_WARNING : LOG_VERBOSE;

	if (dead->si_code == CLD_EXITED)
		log_say(level, "%s, PID %d, ended with status %d", who,
			dead->si_pid, dead->si_status);
	else
		log_say(level, "%s, PID %d, was killed by %s", who,
			dead->si_pid, signals_name(dead->si_status).text);
}

void report_cause(const siginfo_t *dead, int oom_kills)
{
	log_why(LOG_WARNING,
		"COMMAND was killed by %s, which we did not pass on%s%s",
		signals_name(dead->si_status).text,
		dead->si_code == CLD_DUMPED ? ", core dumped" : "",
		explain_death(dead->si_status, oom_kills));
}

void report_oom_below(const struct options *options, const siginfo_t *dead)
{
	log_why(LOG_WARNING,
		"%s (PID %d) exited with status %d, and its cgroup recorded an "
		"OOM kill: a child of it was probably out of memory",
		options->command[0], dead->si_pid, dead->si_status);
}

void report_give_up(const struct options *options, pid_t command, bool failed)
{
	if (command != 0)
		log_warning("%s (PID %d) still exists a second after SIGKILL; "
			    "exiting anyway",
			    options->command[0], command);
	else
		log_warning("some processes %s; exiting anyway",
			    failed ? "could not be killed"
				   : "survived SIGKILL");
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

void report_usage(const struct rusage *usage)
{
	log_verbose("COMMAND took %s s user, %s s system, %d KiB at most",
		    format_seconds(&usage->ru_utime).text,
		    format_seconds(&usage->ru_stime).text,
		    (int)usage->ru_maxrss);
}
