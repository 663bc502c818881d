/*
 * COMMAND whose first thread exits before the process ends: thread_end HOW.
 * exit3, segv, abort, pause: once the first thread is a zombie, another says
 * "ready PID" and calls exit(3), raises SIGSEGV, aborts, or waits for a signal.
 * pthread: as exit3, but the first thread calls pthread_exit(3).
 * race [SPIN]: both end it at once, the first by exit(2) with 0, the other by
 * exit_group(2) with 3, which is the status of the process. The first counts
 * to SPIN before.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	BETWEEN_US = 500,
};

static atomic_int at_the_line;

static int first_is_zombie(void)
{
	char stat[256];
	int file = open("/proc/self/stat", O_RDONLY);
	ssize_t length = read(file, stat, sizeof(stat) - 1);
	const char *name_end;

	(void)close(file);
	stat[length < 0 ? 0 : length] = '\0';
	name_end = strrchr(stat, ')');
	return name_end && name_end[2] == 'Z';
}

static void *end(void *how)
{
	while (!first_is_zombie())
		usleep(BETWEEN_US);
	printf("ready %d\n", (int)getpid());
	(void)fflush(stdout);
	if (strcmp(how, "segv") == 0)
		(void)raise(SIGSEGV);
	if (strcmp(how, "abort") == 0)
		abort();
	while (strcmp(how, "pause") == 0)
		pause();
	exit(3);
}

static void meet(void)
{
	atomic_fetch_add(&at_the_line, 1);
	while (atomic_load(&at_the_line) < 2)
		;
}

static void *race(void *unused)
{
	meet();
	_exit(3);
	return unused;
}

int main(int argc, char **argv)
{
	const int spin = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
	char *how = argc > 1 ? argv[1] : "";
	pthread_t thread;

	if (pthread_create(&thread, NULL, strcmp(how, "race") ? end : race,
			   how) != 0)
		return 1;
	if (strcmp(how, "pthread") == 0)
		pthread_exit(NULL);
	if (strcmp(how, "race") == 0)
		meet();
	for (volatile int i = 0; i < spin; i++)
		;
	/* Of this thread alone: libc's exit and _exit end all. */
	syscall(SYS_exit, 0);
	return 1;
}
