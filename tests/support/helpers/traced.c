/*
 * Makes its parent its tracer (PTRACE_TRACEME), and goes on: traced HOW.
 * child: has a child that exits, which raises SIGCHLD; returns 5.
 * signals: says "ready PID", ignores SIGUSR1, says "got" for each SIGUSR2, and
 * returns 5 at the end of stdin.
 * raise N: raises signal N, says "on", and returns 5.
 * first: the first thread exits, another says "ready PID" and ends the process
 * with 7 at the end of stdin.
 * thread: another thread than the first is traced, and exits; then the first
 * says "ready PID", and returns 5 at the end of stdin.
 * thread-signal: the same, but it raises SIGUSR2 ("got") before it exits.
 * thread-stays: the same, but it says "ready PID" and does not exit.
 * orphan: has a grandchild that is traced as soon as it is an orphan, says
 * "ready PID", and at SIGTERM says "got" and exits; returns 3 at the end of
 * stdin.
 * exec PROGRAM ARG...: becomes that program.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BETWEEN_US = 500,
};

static void be_traced(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
		perror("PTRACE_TRACEME");
		_exit(1);
	}
}

static void say_ready(void)
{
	printf("ready %d\n", (int)getpid());
}

static void say_got(int signum)
{
	(void)!write(STDOUT_FILENO, "got\n", 4);
	if (signum == SIGTERM)
		_exit(0);
}

static void await_end_of_input(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) != 0)
		; /* or it was interrupted */
}

static int have_child(void)
{
	be_traced();
	if (fork() == 0)
		_exit(0);
	while (wait(NULL) > 0)
		;
	return 5;
}

static int take_signals(void)
{
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGUSR2, say_got);
	be_traced();
	say_ready();
	await_end_of_input();
	return 5;
}

static void *run_on(void *unused)
{
	say_ready();
	await_end_of_input();
	_exit(7);
	return unused;
}

static int end_first_thread(void)
{
	pthread_t thread;

	be_traced();
	if (pthread_create(&thread, NULL, run_on, NULL) != 0)
		return 1;
	syscall(SYS_exit, 0); /* of this thread alone */
	return 1;
}

static void *be_traced_thread(void *how)
{
	be_traced();
	if (strcmp(how, "thread-signal") == 0)
		(void)raise(SIGUSR2);
	if (strcmp(how, "thread-stays") == 0) {
		say_ready();
		for (;;)
			pause();
	}
	return NULL;
}

static int have_traced_thread(char *how)
{
	pthread_t thread;

	(void)signal(SIGUSR2, say_got);
	if (pthread_create(&thread, NULL, be_traced_thread, how) != 0)
		return 1;
	if (strcmp(how, "thread-stays") != 0) {
		(void)pthread_join(thread, NULL);
		say_ready();
	}
	await_end_of_input();
	return 5;
}

static int have_traced_orphan(void)
{
	const pid_t init = getppid();

	if (fork() > 0) {
		(void)wait(NULL);
		await_end_of_input();
		return 3;
	}
	if (fork() > 0)
		_exit(0);
	while (getppid() != init)
		usleep(BETWEEN_US);
	(void)signal(SIGTERM, say_got);
	be_traced();
	say_ready();
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	char *how = argc > 1 ? argv[1] : "";

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(how, "child") == 0)
		return have_child();
	if (strcmp(how, "signals") == 0)
		return take_signals();
	if (strcmp(how, "first") == 0)
		return end_first_thread();
	if (strncmp(how, "thread", 6) == 0)
		return have_traced_thread(how);
	if (strcmp(how, "orphan") == 0)
		return have_traced_orphan();
	if (argc < 3)
		return 1;
	be_traced();
	if (strcmp(how, "exec") == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		return 1;
	}
	/* As raise(3) does. */
	(void)syscall(SYS_tgkill, getpid(), getpid(),
		      (int)strtol(argv[2], NULL, 10));
	puts("on");
	return 5;
}
