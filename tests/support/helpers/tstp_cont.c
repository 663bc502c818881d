/*
 * Sends an init SIGTSTP and, a random moment later, SIGCONT, many times:
 * tstp_cont TRIES FROM_US TO_US INIT [ARG]... COMMAND must print a line and
 * then sleep. The init has a process group of its own, as a job of a shell has,
 * so that the group is not orphaned. Prints how many times the init or COMMAND
 * stayed stopped, except where the init had to wait for a processor for as long
 * as it waits for SIGCONT; another SIGCONT continues them.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	FIRST_WORD = 4, /* of the init's, in argv */
	PATIENCE_MS = 300,
	LOOK_MS = 1, /* counted at most, as the whole machine may stand still */
	SPREAD = 1 << 20, /* of the results of random() */
	STARVED_MS = 45,  /* the init may lose a SIGCONT if it waits for 50 */
};

#define NS_OF_MS INT64_C(1000000)

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 * NS_OF_MS + now.tv_nsec;
}

/* A sleep would be too coarse. */
static void spin(int64_t ns)
{
	const int64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

/* The letter that ps shows; 0 of one that sleeps while a signal waits for it.
 */
static char settled_state(pid_t pid)
{
	char path[64], status[4096];
	const char *state;
	ssize_t length;
	int file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = open(path, O_RDONLY);
	if (file < 0)
		return '\0';
	length = read(file, status, sizeof(status) - 1);
	close(file);
	status[length < 0 ? 0 : length] = '\0';
	state = strstr(status, "State:\t");
	if (!state)
		return '\0';
	state += strlen("State:\t");
	if (*state == 'S' && !strstr(status, "ShdPnd:\t0000000000000000"))
		return '\0';
	return *state;
}

/*
 * When the init has dealt with all signals, COMMAND has its own. However busy
 * the machine is, none of both stays stopped while the init waits.
 */
static bool go_on(pid_t init, pid_t command)
{
	int64_t last = now_ns(), stopped = 0;

	while (stopped < PATIENCE_MS * NS_OF_MS) {
		const char ours = settled_state(init);
		const char its = settled_state(command);
		const int64_t now = now_ns(), look = now - last;

		if (ours == 'S' && its == 'S')
			return true;
		last = now;
		if (ours != 'T' && (ours != 'S' || its != 'T'))
			stopped = 0;
		else
			stopped += look < LOOK_MS * NS_OF_MS
					   ? look
					   : LOOK_MS * NS_OF_MS;
	}
	return false;
}

/* The time that a process has waited for a processor, in ns: schedstat in
 * proc(5). 0 if the kernel does not tell. */
static int64_t time_starved(pid_t pid)
{
	char path[64];
	int64_t starved = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	file = fopen(path, "r");
	if (file) {
		char line[128];
		const char *blank = NULL;

		if (fgets(line, sizeof(line), file))
			blank = strchr(line, ' ');
		if (blank)
			starved = strtoll(blank, NULL, 10);
		(void)fclose(file);
	}
	return starved;
}

static pid_t child_of(pid_t pid)
{
	char path[64], pids[64] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
		       (int)pid, (int)pid);
	file = fopen(path, "r");
	if (file) {
		(void)!fgets(pids, sizeof(pids), file);
		(void)fclose(file);
	}
	return (pid_t)strtol(pids, NULL, 10);
}

/* Returns the PID of an init whose COMMAND has printed a line, or has ended. */
static pid_t start(char **words)
{
	int output[2];
	char byte = '\0';
	pid_t pid;

	if (pipe(output) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		dup2(output[1], STDOUT_FILENO);
		close(output[0]);
		close(output[1]);
		execv(words[0], words);
		perror(words[0]);
		_exit(1);
	}
	close(output[1]);
	while (byte != '\n' && read(output[0], &byte, 1) == 1)
		;
	return pid;
}

int main(int argc, char **argv)
{
	int stopped = 0;
	int64_t from_ns, range_ns;
	long tries;
	pid_t init, command;

	if (argc <= FIRST_WORD)
		return 1;
	tries = strtol(argv[1], NULL, 10);
	from_ns = strtol(argv[2], NULL, 10) * INT64_C(1000);
	range_ns = strtol(argv[3], NULL, 10) * INT64_C(1000) - from_ns;
	init = start(argv + FIRST_WORD);
	command = child_of(init);
	if (init <= 0 || command <= 0)
		return 1;
	for (long i = 0; i < tries; i++) {
		const int64_t before = time_starved(init);

		kill(init, SIGTSTP);
		spin(from_ns + range_ns * (random() % SPREAD) / SPREAD);
		kill(init, SIGCONT);
		if (go_on(init, command))
			continue;
		if (time_starved(init) - before < STARVED_MS * NS_OF_MS)
			stopped++;
		kill(init, SIGCONT);
		(void)go_on(init, command);
	}
	kill(init, SIGTERM);
	waitpid(init, NULL, 0);
	printf("stayed stopped: %d\n", stopped);
	return 0;
}
