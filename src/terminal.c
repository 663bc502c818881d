#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "delivery.h"
#include "terminal.h"

/* A terminal that has hung up gives EIO, which isatty(3) of musl hides. */
bool terminal_is_stdin(void)
{
	struct winsize size;

	return ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 || errno == EIO;
}

/*
 * TIOCNOTTY sends SIGHUP and SIGCONT to the foreground group, usually ours
 * (ioctl_tty(2)). Both are pending when the call returns: we discard them at
 * once, except those that were pending before, which are for COMMAND. The
 * SIGCONT has discarded pending stop signals (signal(7)): we send them again.
 */
bool terminal_release(void)
{
	const signals_set raised = SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGCONT);
	const int job_stop[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	signals_set before;
	siginfo_t taken;
	pid_t leader = 0; /* for valgrind, which does not know TIOCGSID */

	if (!terminal_is_stdin())
		return false;
	if (ioctl(STDIN_FILENO, TIOCGSID, &leader) < 0 || leader != getpid())
		return true;
	before = kernel_pending();
	if (ioctl(STDIN_FILENO, TIOCNOTTY) < 0)
		return true;
	/* Two signals, and perhaps a SIGHUP of another process in between. */
	for (int i = 0; i < 3; i++) {
		if (!delivery_take(raised & ~before, &taken, 0) ||
		    taken.si_pid == getpid())
			continue;
		/* The kernel's has merged with one that was sent meanwhile. */
		before |= SIGNALS_BIT(taken.si_signo);
		(void)kernel_queue_signal(getpid(), taken.si_signo, &taken);
	}
	for (size_t i = 0; i < sizeof(job_stop) / sizeof(job_stop[0]); i++) {
		if (before & SIGNALS_BIT(job_stop[i]))
			(void)kill(getpid(), job_stop[i]);
	}
	return true;
}

void terminal_acquire(void)
{
	(void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
}

static void switch_foreground(int terminal, pid_t from, pid_t to)
{
	/* 0: a group of another PID namespace. */
	if (from != 0 && tcgetpgrp(terminal) == from)
		/* Allowed from the background, as SIGTTOU is blocked. */
		(void)tcsetpgrp(terminal, to);
}

void terminal_switch_stdin(pid_t from, pid_t to)
{
	switch_foreground(STDIN_FILENO, from, to);
}

/*
 * The terminal of our session, or -1. Sets opened if it must be closed. If
 * stdin is closed, a file that was opened may have its number.
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

void terminal_switch(pid_t from, pid_t to)
{
	bool opened;
	int terminal = open_terminal(&opened);

	switch_foreground(terminal, from, to);
	close_terminal(terminal, opened);
}

/* The foreground group of our session's terminal, or -1 without one. */
static pid_t find_foreground(void)
{
	bool opened;
	int terminal = open_terminal(&opened);
	pid_t foreground = tcgetpgrp(terminal);

	close_terminal(terminal, opened);
	return foreground;
}

bool terminal_exists(void)
{
	return find_foreground() >= 0;
}

enum terminal_owner terminal_owner(pid_t command)
{
	const pid_t foreground = find_foreground();

	/* 0: a group of another PID namespace; ours may be one, too. */
	if (foreground == getpgrp() && foreground != 0)
		return TERMINAL_OURS;
	if (foreground < 0 || getsid(0) == getpid())
		return TERMINAL_NONE;
	return foreground == command ? TERMINAL_COMMANDS : TERMINAL_OTHER;
}
