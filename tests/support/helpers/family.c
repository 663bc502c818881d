/*
 * Families of processes that are hard to signal as a whole:
 * family chain: 300 processes, each the child of the one before.
 * family brood: starts a child every 2 ms until SIGUSR1 comes, then says how
 * many; each of them says "got" when it gets SIGUSR1, and stays.
 * family phoenix: parent and child; whoever lives starts the other again.
 * Except in the chain they ignore SIGTERM. Each says "ready" once.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHAIN = 300,
	BETWEEN_US = 2000,
	WATCH_US = 500,
};

static volatile sig_atomic_t enough;

static void stop(int signum)
{
	(void)signum;
	enough = 1;
}

static void be_chain(void)
{
	for (int i = 1; i < CHAIN; i++) {
		if (fork() > 0)
			pause();
	}
	puts("ready");
	pause();
}

static void be_brood(void)
{
	int children = 0;

	(void)signal(SIGUSR1, stop);
	puts("ready");
	for (; !enough; children++) {
		if (fork() == 0) {
			while (!enough)
				usleep(BETWEEN_US);
			puts("got");
			for (;;)
				pause();
		}
		usleep(BETWEEN_US);
	}
	printf("%d children\n", children);
	for (;;)
		pause();
}

static void be_phoenix(void)
{
	puts("ready");
	for (;;) {
		pid_t parent = getpid();

		if (fork() == 0) {
			while (getppid() == parent)
				usleep(WATCH_US);
			continue; /* it is the parent now */
		}
		while (waitpid(-1, NULL, WNOHANG) == 0)
			usleep(WATCH_US);
	}
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(kind, "chain") == 0)
		be_chain();
	(void)signal(SIGTERM, SIG_IGN);
	if (strcmp(kind, "brood") == 0)
		be_brood();
	if (strcmp(kind, "phoenix") == 0)
		be_phoenix();
	return 1;
}
