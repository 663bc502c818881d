/*
 * Runs COMMAND's program as execvp(3p) does, or says why it cannot be run.
 */
#ifndef EXECUTE_H
#define EXECUTE_H

/*
 * Replaces the caller's program by the one that command[0] names, searched for
 * in PATH, with the arguments command. Returns only on failure: an errno.
 * Changes command[-1]; and command[0], which it restores before it returns.
 *
 * May be called while our parent shares our memory and waits for signals: its
 * rt_sigtimedwait may set the same errno to EAGAIN or EINTR at any moment.
 */
int execute(char **command);

/*
 * Prints why command[0] could not be executed: error, which execute returned,
 * and a hint if the cause can be seen. Returns the status to exit with, 127 or
 * 126.
 */
int execute_explain(char **command, int error);

#endif
