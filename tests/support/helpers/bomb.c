/*
 * A fork bomb of bounded size: bomb COUNT. COUNT processes ignore SIGTERM and
 * start one child after the other; half of them are in sessions of their own. A
 * few others fork and exit again and again, so that their PIDs change. All
 * begin after "ready" is printed: otherwise the first ones would leave no
 * processor time to start the others.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	RUNNERS = 3,
	SAMPLES = 20,
	/* Each kind takes at most one part in so many of a processor's time. */
	SHARE = 2,
	LIFE_MIN_US = 1000,
	PAUSE_MIN_US = 100 * 1000,
};

/* The time to start and reap a process: 0.05 to 0.6 ms were seen. */
static int cost_us(void)
{
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < SAMPLES; i++) {
		if (fork() == 0)
			_exit(0);
		wait(NULL);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (int)((end.tv_sec - begin.tv_sec) * 1000000 +
		     (end.tv_nsec - begin.tv_nsec) / 1000) /
	       SAMPLES;
}

/* One at a time: on a busy machine they would use up all PIDs. */
static void start_one_after_another(int pause_us)
{
	for (;;) {
		const pid_t child = fork();

		if (child == 0) {
			usleep(LIFE_MIN_US);
			_exit(0);
		}
		usleep((useconds_t)pause_us);
		if (child > 0)
			(void)waitpid(child, NULL, 0);
	}
}

/* Waits until its predecessor is reaped: otherwise zombies would use up all
 * PIDs where the init is slow, as in qemu. */
static void run_away(int life_us)
{
	pid_t previous = 0;

	for (;;) {
		usleep((useconds_t)life_us);
		if (previous != 0 && kill(previous, 0) == 0)
			continue;
		previous = getpid();
		if (fork() > 0)
			_exit(0);
	}
}

static int at_least(int least, int value)
{
	return value < least ? least : value;
}

/* Waits until the other end of the pipe is closed. */
static void wait_at(const int gate[2])
{
	char byte;

	close(gate[1]);
	(void)!read(gate[0], &byte, 1);
	close(gate[0]);
}

int main(int argc, char **argv)
{
	const int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
	const int cost = cost_us();
	const int pause_us = at_least(PAUSE_MIN_US, SHARE * count * cost);
	const int life_us = at_least(LIFE_MIN_US, SHARE * RUNNERS * cost);
	int gate[2];

	if (pipe(gate) < 0)
		return 1;
	(void)signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < count + RUNNERS; i++) {
		if (fork() != 0)
			continue;
		if (i % 2 == 0)
			setsid();
		wait_at(gate);
		if (i < count)
			start_one_after_another(pause_us);
		run_away(life_us);
	}
	puts("ready");
	(void)fflush(stdout);
	close(gate[1]);
	for (;;)
		pause();
}
