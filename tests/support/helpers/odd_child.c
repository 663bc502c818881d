/*
 * Becomes a program that has a child which it did not start, of a kind that
 * wait(2) sees with __WALL only: a clone(2) that signals no SIGCHLD.
 * odd_child COMMAND [ARG]... The child ends when it reads the end of stdin.
 */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static int wait_for_end_of_input(void *unused)
{
	char byte;

	(void)unused;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	static _Alignas(16) char stack[65536];

	if (argc < 2)
		return 1;
	if (clone(wait_for_end_of_input, stack + sizeof(stack), 0, NULL) < 0) {
		perror("clone");
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
