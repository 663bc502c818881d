#include <fcntl.h>
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
bool terminal_give_up(void)
{
	const signals_set raised = SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGCONT);
	const int job_stop[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	signals_set before;
	siginfo_t own;
	pid_t leader = 0; /* valgrind does not know that TIOCGSID sets it */

	if (!isatty(STDIN_FILENO))
		return false;
	if (ioctl(STDIN_FILENO, TIOCGSID, &leader) < 0 || leader != getpid())
		return true;
	before = signals_pending();
	if (ioctl(STDIN_FILENO, TIOCNOTTY) < 0)
		return true;
	/* Both, and once more for a call that fails. */
	for (int i = 0; i < 3; i++)
		(void)signals_take(raised & ~before, &own, 0);
	for (size_t i = 0; i < sizeof(job_stop) / sizeof(job_stop[0]); i++) {
		if (before & SIGNALS_BIT(job_stop[i]))
			(void)kill(leader, job_stop[i]);
	}
	return true;
}

void terminal_take(void)
{
	(void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
}

static void bring_forward(int terminal, pid_t from, pid_t to)
{
	/* 0: a group that our PID namespace does not know. */
	if (from != 0 && tcgetpgrp(terminal) == from)
		/* From the background too: SIGTTOU is blocked, tcsetpgrp(3). */
		(void)tcsetpgrp(terminal, to);
}

void terminal_pass_on(pid_t from, pid_t to)
{
	bring_forward(STDIN_FILENO, from, to);
}

/*
 * The terminal of our session; -1 if it has none. With stdin closed open(2)
 * returns 0 as well: opened says whether it must be closed.
 */
static int open_terminal(bool *opened)
{
	*opened = tcgetpgrp(STDIN_FILENO) < 0;
	return *opened ? open("/dev/tty", O_RDWR | O_CLOEXEC) : STDIN_FILENO;
}

static void close_terminal(int terminal, bool opened)
{
	if (opened && terminal >= 0)
		(void)close(terminal);
}

void terminal_hand_over(pid_t from, pid_t to)
{
	bool opened;
	int terminal = open_terminal(&opened);

	bring_forward(terminal, from, to);
	close_terminal(terminal, opened);
}

enum terminal_place terminal_place(pid_t command)
{
	bool opened;
	int terminal = open_terminal(&opened);
	pid_t foreground = tcgetpgrp(terminal);

	close_terminal(terminal, opened);
	/* Where both are 0 our PID namespace knows neither. */
	if (foreground == getpgrp() && foreground != 0)
		return TERMINAL_OURS;
	if (foreground < 0 || getsid(0) == getpid())
		return TERMINAL_NONE;
	return foreground == command ? TERMINAL_LENT : TERMINAL_AWAY;
}
