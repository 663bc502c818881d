/*
 * A COMMAND for storms. It blocks all signals and counts those that come. If it
 * is told to, it starts children that leave orphans. On stdin:
 *   churn    starts children, one after the other
 *   calm     no more of them; answered when it has none left
 *   slow     reads few signals at a time, and sleeps in between
 *   report   answered in JSON by what has come so far
 *   exit N   ends with that status, as the end of stdin does with 0
 * Each line but the last is answered by one; "ready" is the first.
 *
 * What is queued by flood.c holds in its value who sent it, and which one of
 * this sender and number it is: "wrong" counts those that come out of turn.
 * Raw system calls, for libc hides some signals.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SENDERS = 256,
	SIGNUMS = 65,
	AT_ONCE = 64,
	CHILDREN = 30, /* alive at the same time, of each kind */
	ORPHANS = 3,   /* of each child, at most */
	LIFE_MAX_US = 3000,
	SLOW_US = 1000,
};

struct turmoil {
	bool churning, slow;
	int running; /* children */
	unsigned seed;
	atomic_long *orphans;
	long received[SIGNUMS];
	long queued, wrong;
	int due[SENDERS][SIGNUMS];
};

static void set_mask(uint64_t mask)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

/* A signal for COMMAND's group may kill the child, and its children. */
static void leave_orphans(struct turmoil *turmoil)
{
	int count = 1 + rand_r(&turmoil->seed) % ORPHANS;

	set_mask(0);
	for (int i = 0; i < count; i++) {
		int life_us = rand_r(&turmoil->seed) % LIFE_MAX_US;

		if (fork() != 0)
			continue;
		atomic_fetch_add(turmoil->orphans, 1);
		if (life_us % 2 == 0)
			setsid();
		usleep((useconds_t)life_us);
		_exit(0);
	}
	_exit(0);
}

static void churn(struct turmoil *turmoil)
{
	while (turmoil->running > 0 && waitpid(-1, NULL, WNOHANG) > 0)
		turmoil->running--;
	if (turmoil->running >= CHILDREN)
		return;
	rand_r(&turmoil->seed);
	switch (fork()) {
	case 0:
		leave_orphans(turmoil);
		break;
	case -1:
		return;
	}
	turmoil->running++;
}

static void take(struct turmoil *turmoil, const struct signalfd_siginfo *info)
{
	const uint32_t value = (uint32_t)info->ssi_int;
	int *due = &turmoil->due[value >> 24][info->ssi_signo];

	turmoil->received[info->ssi_signo]++;
	if (info->ssi_code != SI_QUEUE)
		return;
	turmoil->queued++;
	if (*due != (int)(value & 0xffffff))
		turmoil->wrong++;
	*due = (int)(value & 0xffffff) + 1;
}

static void take_signals(struct turmoil *turmoil, int signals)
{
	struct signalfd_siginfo infos[AT_ONCE];
	ssize_t length = read(signals, infos, sizeof(infos));

	for (size_t i = 0; (ssize_t)(i * sizeof(*infos)) < length; i++)
		take(turmoil, &infos[i]);
	if (turmoil->slow)
		usleep(SLOW_US);
}

static void report(const struct turmoil *turmoil)
{
	printf("{\"orphans\": %ld, \"queued\": %ld, \"wrong\": %ld, "
	       "\"received\": [0",
	       atomic_load(turmoil->orphans), turmoil->queued, turmoil->wrong);
	for (int signum = 1; signum < SIGNUMS; signum++)
		printf(", %ld", turmoil->received[signum]);
	puts("]}");
}

static void obey(struct turmoil *turmoil)
{
	char line[32];

	if (fgets(line, sizeof(line), stdin) == NULL)
		exit(0);
	if (strncmp(line, "exit ", 5) == 0)
		exit((int)strtol(line + 5, NULL, 10));
	turmoil->churning = strcmp(line, "churn\n") == 0 ||
			    (turmoil->churning && strcmp(line, "calm\n") != 0);
	turmoil->slow = turmoil->slow || strcmp(line, "slow\n") == 0;
	if (strcmp(line, "report\n") == 0) {
		report(turmoil);
		return;
	}
	for (; !turmoil->churning && turmoil->running > 0; turmoil->running--)
		wait(NULL);
	(void)fputs(line, stdout);
}

int main(void)
{
	static struct turmoil turmoil;
	const uint64_t all = ~UINT64_C(0);
	struct pollfd files[2] = { { STDIN_FILENO, POLLIN, 0 },
				   { -1, POLLIN, 0 } };

	set_mask(all);
	files[1].fd = (int)syscall(SYS_signalfd4, -1, &all, sizeof(all), 0);
	turmoil.orphans =
		mmap(NULL, sizeof(*turmoil.orphans), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (files[1].fd < 0 || turmoil.orphans == MAP_FAILED)
		return 1;
	/* A line at a time is there to be polled for, and is not in a buffer.
	 */
	(void)setvbuf(stdin, NULL, _IONBF, 0);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (;;) {
		if (poll(files, 2, turmoil.churning ? 0 : -1) > 0) {
			if (files[1].revents != 0)
				take_signals(&turmoil, files[1].fd);
			if (files[0].revents != 0)
				obey(&turmoil);
		}
		if (turmoil.churning)
			churn(&turmoil);
	}
}
