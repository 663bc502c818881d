/*
 * Sends signals to a process as fast as it can, and says at the end how many,
 * and how many it was refused:
 *   flood queue PID COUNT SENDER SEED  real-time ones with a value, turmoil.c;
 *       what is refused, for there is no room, is sent again: it counts once
 *   flood try PID COUNT SENDER SEED    the same, but not again
 *   flood kill PID COUNT SIGNAL        one after the other, by kill(2)
 *   flood mix PID MS SEED SET          for that long those of a set, in hex as
 *       in /proc/PID/status, at random
 * The same seed makes the same signals. Raw system calls: libc hides some.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	REALTIME = 32, /* the kernel's first */
	SIGNUMS = 65,
	AGAIN_US = 50,
};

static long sent, refused;

static bool queue(pid_t pid, int signum, int value)
{
	siginfo_t info = { .si_signo = signum, .si_code = SI_QUEUE };

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	if (syscall(SYS_rt_sigqueueinfo, pid, signum, &info) == 0) {
		sent++;
		return true;
	}
	if (errno != EAGAIN) {
		perror("rt_sigqueueinfo");
		exit(1);
	}
	refused++;
	return false;
}

static void queue_many(pid_t pid, int count, int sender, unsigned seed,
		       bool again)
{
	int next[SIGNUMS] = { 0 };

	for (int i = 0; i < count; i++) {
		int signum = REALTIME + rand_r(&seed) % (SIGNUMS - REALTIME);
		int value = (int)((unsigned)sender << 24) | next[signum];
		bool done = queue(pid, signum, value);

		for (; !done && again; done = queue(pid, signum, value))
			usleep(AGAIN_US);
		if (done)
			next[signum]++;
	}
}

static void kill_many(pid_t pid, int count, int signum)
{
	for (int i = 0; i < count; i++) {
		if (syscall(SYS_kill, pid, signum) < 0)
			refused++;
		else
			sent++;
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The receiver may exit meanwhile. */
static void mix(pid_t pid, int64_t ms, unsigned seed, uint64_t set)
{
	const int64_t end = now_ms() + ms;

	while (now_ms() < end) {
		int signum = 1 + rand_r(&seed) % (SIGNUMS - 1);

		if ((set >> (signum - 1) & 1) == 0)
			continue;
		if (kill(pid, signum) < 0)
			return;
		sent++;
	}
}

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 4 ? argv[1] : "";
	const pid_t pid = argc > 4 ? number(argv[2]) : 0;
	const int count = argc > 4 ? number(argv[3]) : 0;
	unsigned seed = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 0;
	bool again = strcmp(kind, "queue") == 0;

	if (pid <= 0)
		return 1;
	if (again || strcmp(kind, "try") == 0)
		queue_many(pid, count, number(argv[4]), seed, again);
	else if (strcmp(kind, "kill") == 0)
		kill_many(pid, count, number(argv[4]));
	else if (strcmp(kind, "mix") == 0 && argc > 5)
		mix(pid, count, (unsigned)strtoul(argv[4], NULL, 10),
		    strtoull(argv[5], NULL, 16));
	printf("%ld %ld\n", sent, refused);
	return 0;
}
