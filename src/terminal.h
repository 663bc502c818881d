/*
 * Whose the terminal is. A terminal controls one session at a time, and one
 * process group of that is in the foreground: the keys act on it, and it alone
 * may read (tty_ioctl(4), ioctl_tty(2)). No failure here is fatal: COMMAND does
 * without what it cannot have.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Gives up the terminal on stdin, if it is our session's and the session is
 * ours, so that another session can take it. The SIGHUP and SIGCONT of that are
 * discarded. Returns whether stdin is a terminal.
 */
bool terminal_give_up(void);

/* Makes it our session's, if we lead the session and it is nobody's. */
void terminal_take(void);

/*
 * Brings the process group `to` of our session into the foreground, if stdin is
 * the terminal and `from` is there now.
 */
void terminal_pass_on(pid_t from, pid_t to);

/* The same for whatever terminal our session has, be it on stdin or not. */
void terminal_hand_over(pid_t from, pid_t to);

enum terminal_place {
	TERMINAL_NONE, /* no terminal, or no shell that we are a job of */
	TERMINAL_OURS, /* our own process group is in the foreground */
	TERMINAL_LENT, /* COMMAND's is */
	TERMINAL_AWAY, /* another: we are in the background */
};

/*
 * Who is in the foreground on the terminal of our session. command: COMMAND's
 * process group.
 */
enum terminal_place terminal_place(pid_t command);

#endif
