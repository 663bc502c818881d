/*
 * Sends a signal to the process group of an init at a random moment of its
 * first so many microseconds, many times:
 * early MODE TRIES MICROSECONDS INIT [ARG]...
 * early stop-tstp: SIGTSTP to the group. The init must stop, go on with COMMAND
 * when the group gets a SIGCONT, and exit with 143 after a SIGTERM.
 * early stop-stop: the same with SIGSTOP.
 * early stop-alone: SIGSTOP to the group, SIGCONT to the init alone.
 * early term: SIGTERM to the group. The init must exit with 143, or be killed
 * by it before it has begun.
 * early term-dropped: SIGTERM to the group of an init that drops it. The init
 * must exit with 0, the status of its COMMAND, or be killed before it has
 * begun.
 *
 * COMMAND must sleep, except in the last mode, and must not have the init's
 * name. Prints how many were stuck (did not stop, go on or exit) and lost
 * (exited otherwise); gives up after 5 of these. Counts looks, not time: while
 * the whole machine stands still, nothing is stuck.
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
	NS_OF_US = 1000,
	LOOKS_MAX = 15000, /* at least 3 seconds */
	LOOK_AGAIN_US = 200,
	FAILURES_MAX = 5,
	STATUS_OF_SIGTERM = 128 + SIGTERM,
	SPREAD = 1 << 20, /* of the results of random() */
};

enum outcome {
	AS_EXPECTED,
	TOO_EARLY, /* killed before the init has blocked signals */
	STUCK,
	LOST,
	OUTCOMES,
};

struct mode {
	const char *name;
	int signum;
	bool stops;     /* rather than ends */
	bool cont_init; /* SIGCONT to the init alone */
	int status;     /* the init's, at last */
};

static const struct mode modes[] = {
	{ "stop-tstp", SIGTSTP, true, false, STATUS_OF_SIGTERM },
	{ "stop-stop", SIGSTOP, true, false, STATUS_OF_SIGTERM },
	{ "stop-alone", SIGSTOP, true, true, STATUS_OF_SIGTERM },
	{ "term", SIGTERM, false, false, STATUS_OF_SIGTERM },
	{ "term-dropped", SIGTERM, false, false, 0 },
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A sleep would be too coarse. */
static void spin(int64_t ns)
{
	const int64_t end = now_ns() + ns;

	while (now_ns() < end)
		;
}

/* Fills text, of size bytes, from /proc/PID/FILE; empty if there is none. */
static void read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t length = 0;
	int file;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = open(path, O_RDONLY);
	if (file >= 0) {
		length = read(file, text, size - 1);
		close(file);
	}
	text[length < 0 ? 0 : length] = '\0';
}

/* The letter that ps shows; '\0' if there is no process. */
static char state_of(pid_t pid)
{
	char stat[512];
	const char *name_end;

	read_proc(pid, "stat", stat, sizeof(stat));
	name_end = strrchr(stat, ')');
	if (name_end == NULL)
		return '\0';
	return name_end[2];
}

/* The first child; 0 if there is none. */
static pid_t child_of(pid_t pid)
{
	char name[64], pids[512];

	(void)snprintf(name, sizeof(name), "task/%d/children", (int)pid);
	read_proc(pid, name, pids, sizeof(pids));
	return (pid_t)strtol(pids, NULL, 10);
}

/* COMMAND's program has begun, and it and the init wait for something. */
static bool both_go_on(pid_t init)
{
	const pid_t command = child_of(init);
	char ours[32], its[32];

	if (command == 0)
		return false;
	read_proc(init, "comm", ours, sizeof(ours));
	read_proc(command, "comm", its, sizeof(its));
	return strcmp(ours, its) != 0 && state_of(init) == 'S' &&
	       state_of(command) == 'S';
}

static bool await_go_on(pid_t init)
{
	for (int looks = 0; looks < LOOKS_MAX; looks++) {
		if (both_go_on(init))
			return true;
		usleep(LOOK_AGAIN_US);
	}
	return false;
}

/* waitpid(2) with a limit. */
static bool await_change(pid_t pid, int *wstatus, int options)
{
	for (int looks = 0; looks < LOOKS_MAX; looks++) {
		if (waitpid(pid, wstatus, options | WNOHANG) == pid)
			return true;
		usleep(LOOK_AGAIN_US);
	}
	return false;
}

/* Returns when execve(2) has closed the other end of the pipe. */
static void await_exec(int reading)
{
	char byte;

	/* Does not sleep: to wake up takes as long as half of the start. */
	while (read(reading, &byte, 1) < 0)
		;
}

/* In a process group of its own, from its first instruction on. */
static pid_t start(char **words)
{
	int running[2];
	pid_t pid;

	if (pipe2(running, O_CLOEXEC | O_NONBLOCK) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		(void)setpgid(0, 0);
		execv(words[0], words);
		perror(words[0]);
		_exit(1);
	}
	if (pid < 0)
		exit(1);
	close(running[1]);
	await_exec(running[0]);
	close(running[0]);
	return pid;
}

static enum outcome judge_end(const struct mode *mode, int wstatus)
{
	if (WIFSIGNALED(wstatus))
		return WTERMSIG(wstatus) == SIGTERM && !mode->stops ? TOO_EARLY
								    : LOST;
	return WEXITSTATUS(wstatus) == mode->status ? AS_EXPECTED : LOST;
}

static enum outcome watch(const struct mode *mode, pid_t init)
{
	int wstatus;

	if (mode->stops) {
		if (!await_change(init, &wstatus, WUNTRACED))
			return STUCK;
		if (!WIFSTOPPED(wstatus))
			return LOST;
		kill(mode->cont_init ? init : -init, SIGCONT);
		if (!await_go_on(init))
			return STUCK;
		kill(init, SIGTERM);
	}
	return await_change(init, &wstatus, 0) ? judge_end(mode, wstatus)
					       : STUCK;
}

/* COMMAND is not always in the init's group. */
static void end_stuck(pid_t init)
{
	const pid_t command = child_of(init);

	if (command > 0)
		kill(command, SIGKILL);
	kill(-init, SIGKILL);
	waitpid(init, NULL, 0);
}

static enum outcome try_once(const struct mode *mode, int64_t range_ns,
			     char **words)
{
	const int64_t delay = range_ns * (random() % SPREAD) / SPREAD;
	const pid_t init = start(words);
	enum outcome outcome;

	spin(delay);
	kill(-init, mode->signum);
	outcome = watch(mode, init);
	if (outcome == STUCK) {
		printf("states %c and %c; ", state_of(init),
		       state_of(child_of(init)));
		end_stuck(init);
	}
	if (outcome == STUCK || outcome == LOST)
		printf("%s, %d us after the start\n",
		       outcome == STUCK ? "stuck" : "lost",
		       (int)(delay / NS_OF_US));
	return outcome;
}

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct mode *mode = argc > FIRST_WORD ? find_mode(argv[1]) : NULL;
	int counts[OUTCOMES] = { 0 };
	long tries;
	int64_t range_ns;

	if (mode == NULL)
		return 1;
	tries = strtol(argv[2], NULL, 10);
	range_ns = strtol(argv[3], NULL, 10) * INT64_C(1000);
	srandom((unsigned)getpid());
	for (long i = 0;
	     i < tries && counts[STUCK] + counts[LOST] < FAILURES_MAX; i++)
		counts[try_once(mode, range_ns, argv + FIRST_WORD)]++;
	printf("as expected: %d, too early: %d, stuck: %d, lost: %d\n",
	       counts[AS_EXPECTED], counts[TOO_EARLY], counts[STUCK],
	       counts[LOST]);
	return 0;
}
