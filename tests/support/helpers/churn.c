/*
 * Starts a child after the other, each of which ends after a moment, so that
 * PIDs are used up and used again: churn COUNT, so many at a time. Ignores
 * SIGUSR1, which kills its children; says "hit" when one was.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LIFE_US = 1000,
};

int main(int argc, char **argv)
{
	const int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1;

	(void)signal(SIGUSR1, SIG_IGN);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	puts("churning");
	for (int running = 0;; running++) {
		int wstatus;

		if (fork() == 0) {
			(void)signal(SIGUSR1, SIG_DFL);
			usleep(LIFE_US);
			_exit(0);
		}
		if (running < count)
			continue;
		if (wait(&wstatus) > 0 && WIFSIGNALED(wstatus))
			puts("hit");
	}
}
