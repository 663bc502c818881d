/*
 * The last process of a container: straggler [helper]
 * It prints 0 and, after a moment, the time, CLOCK_MONOTONIC in ns, and exits.
 * "helper": the last process is not COMMAND but a child of it, which outlives
 * COMMAND and ignores SIGTERM.
 */
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

enum {
	MOMENT_US = 5000,
	POLL_US = 100,
	NS = 1000 * 1000 * 1000,
};

static void outlive_command(void)
{
	const pid_t command = getpid();

	(void)signal(SIGTERM, SIG_IGN);
	if (fork() != 0)
		_exit(0);
	while (getppid() == command)
		usleep(POLL_US);
}

static void say(int64_t number)
{
	if (write(STDOUT_FILENO, &number, sizeof(number)) < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	struct timespec now;

	(void)argv;
	if (argc > 1)
		outlive_command();
	say(0);
	usleep(MOMENT_US);
	clock_gettime(CLOCK_MONOTONIC, &now);
	say((int64_t)now.tv_sec * NS + now.tv_nsec);
	_exit(0);
}
