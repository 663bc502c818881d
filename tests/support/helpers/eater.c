/*
 * Takes more and more memory, while others come and go that take a little, and
 * leave orphans that do: eater. Says "ready", and begins with the first line of
 * stdin. Where there is no limit to it, it ends with 1.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MORSEL = 256 * 1024,
	MORSELS = 1024,
	OTHERS_EAT = 8, /* far less than COMMAND, which must be the victim */
	PAUSE_US = 500,
};

static char food[MORSELS][MORSEL];

static void eat(int morsels)
{
	for (int i = 0; i < morsels; i++) {
		memset(food[i], 1, MORSEL);
		usleep(PAUSE_US);
	}
}

/* Not by COMMAND itself: what it has eaten would be a child's as well. */
static void feed_others(pid_t command)
{
	while (getppid() == command) {
		if (fork() == 0) {
			(void)!fork();
			eat(OTHERS_EAT);
			_exit(0);
		}
		usleep(PAUSE_US);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	_exit(0);
}

int main(void)
{
	const pid_t self = getpid();

	puts("ready");
	(void)fflush(stdout);
	(void)getchar();
	if (fork() == 0)
		feed_others(self);
	eat(MORSELS);
	return 1;
}
