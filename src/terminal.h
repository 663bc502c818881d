/*
 * Moves the terminal between sessions and process groups. A terminal controls
 * at most one session; one process group of that session is in the foreground,
 * gets the signals of the keys and may read (tty_ioctl(4), ioctl_tty(2)). No
 * failure here is fatal: COMMAND then runs without the terminal.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether stdin is a terminal, also one that has hung up. */
bool terminal_is_stdin(void);

/*
 * Releases the terminal on stdin, if we lead the session that it controls, so
 * that another session can acquire it. Discards the SIGHUP and SIGCONT that the
 * kernel sends us for that. Returns whether stdin is a terminal.
 */
bool terminal_release(void);

/* Acquires the terminal on stdin for our session, if we lead the session and
 * the terminal controls no other. */
void terminal_acquire(void);

/* Whether our session has a terminal. */
bool terminal_exists(void);

/*
 * Makes the group `to` the foreground group of the terminal on stdin, if the
 * group `from` is that now.
 */
void terminal_switch_stdin(pid_t from, pid_t to);

/* The same for the terminal of our session, whether it is on stdin or not. */
void terminal_switch(pid_t from, pid_t to);

enum terminal_owner {
	TERMINAL_NONE, /* there is no terminal, or no shell has us as a job */
	TERMINAL_OURS, /* our process group is in the foreground */
	TERMINAL_COMMANDS, /* COMMAND's is */
	TERMINAL_OTHER,    /* another is: we are in the background */
};

/* The foreground group of our session's terminal. command: COMMAND's group. */
enum terminal_owner terminal_owner(pid_t command);

#endif
