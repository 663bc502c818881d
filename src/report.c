#include "report.h"
#include "format.h"
#include "log.h"

enum {
	SENDER_MAX = sizeof("PID -2147483648, UID 4294967295"),
};

const char *report_target(enum target target)
{
	return target == TARGET_GROUP ? "group" : "PID";
}

void report_start(const struct options *options, pid_t pid)
{
	log_verbose("started %s %s: PID %d", options->command[0],
		    options->mode == MODE_SESSION ? "in a session of its own"
						  : "as a single child",
		    pid);
}

/* Only for these si_codes is there a sender, sigaction(2). */
static void format_sender(char sender[SENDER_MAX], const siginfo_t *info)
{
	switch (info->si_code) {
	case SI_USER:
	case SI_QUEUE:
	case SI_TKILL:
		format_text(sender, SENDER_MAX, "PID %d, UID %u", info->si_pid,
			    info->si_uid);
		return;
	}
	if (info->si_code == SI_KERNEL &&
	    (SIGNALS_TERMINAL & SIGNALS_BIT(info->si_signo)))
		format_text(sender, SENDER_MAX, "the terminal");
	else
		format_text(sender, SENDER_MAX, "the kernel");
}

static void report_signal(const struct event *event, const siginfo_t *info,
			  const struct actions *actions, pid_t command)
{
	const struct signal_name name = signals_name(event->signum);
	char sender[SENDER_MAX];

	format_sender(sender, info);
	if (event->reached_command)
		log_verbose("%s from %s: COMMAND has it already", name.text,
			    sender);
	else if (actions->signum == 0)
		log_verbose("%s from %s: dropped", name.text, sender);
	else if (actions->signum == event->signum)
		log_verbose("%s from %s: passed on to %s %d", name.text, sender,
			    report_target(actions->target), command);
	else
		log_verbose("%s from %s: passed on to %s %d as %s", name.text,
			    sender, report_target(actions->target), command,
			    signals_name(actions->signum).text);
}

void report_actions(const struct event *event, const siginfo_t *info,
		    const struct actions *actions, pid_t command)
{
	if (!log_says(LOG_VERBOSE))
		return;
	if (event->kind == EVENT_SIGNAL)
		report_signal(event, info, actions, command);
	else if (actions->signum != 0)
		log_verbose("COMMAND has ended: %s to %s %d",
			    signals_name(actions->signum).text,
			    report_target(actions->target), command);
	if (actions->suspend)
		log_verbose("stopping ourselves until SIGCONT");
}

void report_death(const char *who, const siginfo_t *dead)
{
	if (!log_says(LOG_VERBOSE))
		return;
	if (dead->si_code == CLD_EXITED)
		log_verbose("%s, PID %d, ended with status %d", who,
			    dead->si_pid, dead->si_status);
	else
		log_verbose("%s, PID %d, was killed by %s", who, dead->si_pid,
			    signals_name(dead->si_status).text);
}
