/* A child in a session of its own, with a terminal if it wants one. */
#ifndef SESSION_H
#define SESSION_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exits. Closes all files, as valgrind reports open ones: a terminal of our
 * session hangs up then. */
static _Noreturn void leave(int status)
{
	(void)signal(SIGHUP, SIG_IGN);
	for (int file = STDERR_FILENO + 1; file < 64; file++)
		(void)close(file);
	_exit(status);
}

/* The wait status of a child that leads a session and exits with the result of
 * the function. */
static int in_session(int function(void))
{
	const pid_t child = fork();
	int wstatus = -1;

	if (child == 0)
		leave(setsid() > 0 ? function() : -1);
	return child > 0 && waitpid(child, &wstatus, 0) == child ? wstatus : -1;
}

/* Makes a new terminal that of our session, which has none. Returns its file,
 * or -1. */
static int get_terminal(void)
{
	const int master = posix_openpt(O_RDWR | O_NOCTTY);

	return grantpt(master) == 0 && unlockpt(master) == 0
		       ? open(ptsname(master), O_RDWR)
		       : -1;
}

#endif
