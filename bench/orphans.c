/*
 * Makes orphans: reads a number from stdin, makes so many, says "made", until
 * its input ends. Each is the child of a process that ends without collecting
 * it. vfork(2) throughout: the less we take, the more of the whole the init is.
 */
#include <stdio.h>
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
	int count;

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (scanf("%d", &count) == 1) {
		for (int i = 0; i < count; i++)
			make_orphan();
		puts("made");
	}
	return 0;
}
