/*
 * A fork bomb of bounded size: bomb COUNT. That many processes, half of them in
 * sessions of their own, which ignore SIGTERM and each start a child after the
 * other; and a few that live on by starting their like and ending themselves.
 * Says "ready" when all are there, and stays.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	RUNNERS = 3,
	LIFE_US = 1000,
	PAUSE_US = 100 * 1000, /* a machine with many CPUs could do with less */
};

static void start_one_after_another(void)
{
	for (;;) {
		if (fork() == 0) {
			usleep(LIFE_US);
			_exit(0);
		}
		usleep(PAUSE_US);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void run_away(void)
{
	for (;;) {
		usleep(LIFE_US);
		if (fork() > 0)
			_exit(0);
	}
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 0;

	signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < count + RUNNERS; i++) {
		if (fork() != 0)
			continue;
		if (i % 2 == 0)
			setsid();
		if (i < count)
			start_one_after_another();
		run_away();
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
