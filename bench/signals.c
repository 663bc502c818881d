/*
 * How long a signal takes: signals COUNT ROUNDS INIT [OPTION]...
 * Starts INIT with a COMMAND of COUNT processes (this file, "receive COUNT")
 * and sends SIGUSR1 in pairs, once to COMMAND and once to INIT. Prints for each
 * round two times in ns, from before kill(2) until the last process has it.
 * Before each signal there is a pause, so that all processes sleep.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	WARM_UP = 5,
	PAUSE_US = 100,
	NS = 1000 * 1000 * 1000,
};

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * NS + time.tv_nsec;
}

static void say(int64_t number)
{
	if (write(STDOUT_FILENO, &number, sizeof(number)) < 0)
		exit(1);
}

static int count_of(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

/* COMMAND: prints its PID when all run, and when the last has a signal. */
static void receive(int count)
{
	atomic_long *received =
		mmap(NULL, sizeof(*received), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = 1;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 1; i < count && child > 0; i++)
		child = fork();
	if (received == MAP_FAILED || child < 0)
		kill(0, SIGKILL);
	if (child > 0)
		say(getpid());
	for (;;) {
		if (sigwaitinfo(&set, NULL) > 0 &&
		    (atomic_fetch_add(received, 1) + 1) % count == 0)
			say(now());
	}
}

/* Starts init, whose words are followed by three free ones; returns its PID. */
static pid_t start(char **init, int words, char *self, char *count,
		   int *answers)
{
	int ends[2];
	pid_t pid;

	init[words] = self;
	init[words + 1] = "receive";
	init[words + 2] = count;
	if (pipe(ends) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execv(init[0], init);
		_exit(1);
	}
	close(ends[1]);
	*answers = ends[0];
	return pid;
}

static int64_t answer(int answers)
{
	int64_t number;

	if (read(answers, &number, sizeof(number)) != sizeof(number))
		exit(1);
	return number;
}

static int64_t measure(pid_t target, int answers)
{
	int64_t begin;

	usleep(PAUSE_US);
	begin = now();
	if (kill(target, SIGUSR1) < 0)
		exit(1);
	return answer(answers) - begin;
}

static void measure_pairs(int rounds, pid_t command, pid_t init, int answers)
{
	for (int i = -WARM_UP; i < rounds; i++) {
		int64_t direct, through = 0;

		if (i % 2 == 0)
			through = measure(init, answers);
		direct = measure(command, answers);
		if (i % 2 != 0)
			through = measure(init, answers);
		if (i >= 0)
			printf("%lld %lld\n", (long long)direct,
			       (long long)through);
	}
}

/* The next sender must have the processor alone. */
static void wait_for_last(int answers)
{
	char byte;

	while (read(answers, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	char *init_argv[16] = { NULL };
	const int words = argc - 3;
	pid_t command, init;
	int answers;

	if (argc == 3 && strcmp(argv[1], "receive") == 0)
		receive(count_of(argv[2]));
	if (words < 1 || words > 12)
		return 1;
	memcpy(init_argv, argv + 3, (size_t)words * sizeof(*argv));
	init = start(init_argv, words, argv[0], argv[1], &answers);
	command = (pid_t)answer(answers);
	measure_pairs(count_of(argv[2]),
		      count_of(argv[1]) > 1 ? -command : command, init,
		      answers);
	kill(init, SIGTERM);
	wait_for_last(answers);
	return 0;
}
