/*
 * Becomes a program as a child subreaper: subreaper COMMAND [ARG]... For an
 * init under qemu, which refuses to make it one.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
