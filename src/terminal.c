#include <sys/ioctl.h>
#include <unistd.h>

#include "signals.h"
#include "terminal.h"

/*
 * TIOCNOTTY sends SIGHUP and SIGCONT to the foreground group, which we are in
 * (ioctl_tty(2)). They are pending when the call returns and are taken back
 * there and then, unless they were pending before: then they are for COMMAND.
 * So are the stop signals that the SIGCONT has discarded (signal(7)).
 */
void terminal_give_up(void)
{
	const uint64_t raised = SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGCONT);
	const int job_stop[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	uint64_t before;
	siginfo_t own;
	pid_t leader;

	if (ioctl(STDIN_FILENO, TIOCGSID, &leader) < 0 || leader != getpid())
		return;
	before = signals_pending();
	if (ioctl(STDIN_FILENO, TIOCNOTTY) < 0)
		return;
	while (signals_take(raised & ~before, &own))
		; /* one or both */
	for (size_t i = 0; i < sizeof(job_stop) / sizeof(job_stop[0]); i++) {
		if (before & SIGNALS_BIT(job_stop[i]))
			(void)kill(leader, job_stop[i]);
	}
}

void terminal_take(void)
{
	(void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
}

/*
 * One of stdin, stdout and stderr that is the terminal of our session. Sets
 * group to what is in the foreground there; that is 0 for a group that our PID
 * namespace does not know. Returns -1 when none of them is.
 */
static int find_terminal(pid_t *group)
{
	for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
		*group = tcgetpgrp(file);
		if (*group >= 0)
			return file;
	}
	return -1;
}

bool terminal_hand_over(pid_t from, pid_t to)
{
	pid_t foreground;
	int terminal = find_terminal(&foreground);

	if (terminal < 0 || foreground != from || foreground == 0)
		return false;
	/* From the background too: SIGTTOU is blocked, tcsetpgrp(3). */
	(void)tcsetpgrp(terminal, to);
	return true;
}

enum terminal_place terminal_place(void)
{
	pid_t foreground;

	if (find_terminal(&foreground) < 0)
		return TERMINAL_NONE;
	if (foreground == getpgrp())
		return TERMINAL_FOREGROUND;
	return getsid(0) == getpid() ? TERMINAL_NONE : TERMINAL_BACKGROUND;
}
