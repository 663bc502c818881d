/*
 * Makes orphans: reads a number from stdin, makes so many, prints "made"; until
 * the end of its input. Each is the child of a process that exits without
 * reaping it. vfork(2) throughout, so that most of the time is the init's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_orphan(void)
{
	pid_t parent = vfork();

	if (parent == 0) {
		(void)vfork(); /* the orphan ends first, and stays a zombie */
		_exit(0);
	}
	waitpid(parent, NULL, 0);
}

int main(void)
{
	char line[16];

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		for (long left = strtol(line, NULL, 10); left > 0; left--)
			make_orphan();
		puts("made");
	}
	return 0;
}
