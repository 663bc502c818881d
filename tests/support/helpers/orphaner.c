/*
 * Says the number of each signal that it gets, a line a signal, after "ready";
 * and "blocked" before, if one is blocked from the start. At SIGUSR2 it makes
 * orphans that end at once, at SIGURG one that only SIGKILL ends; at SIGTERM it
 * ends, with 7.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	STATUS = 7,
	ORPHANS = 3,
};

static void make_orphans(int count, int stay)
{
	pid_t pid = fork();

	if (pid == 0) {
		while (count-- > 0) {
			if (fork() != 0)
				continue;
			close(STDOUT_FILENO);
			if (stay)
				(void)pause(); /* all are blocked */
			_exit(0);
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const uint64_t all = ~UINT64_C(0);
	uint64_t inherited = 0;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &inherited, sizeof(all));
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (inherited != 0)
		puts("blocked");
	puts("ready");
	for (;;) {
		const long signum = syscall(SYS_rt_sigtimedwait, &all, NULL,
					    NULL, sizeof(all));

		if (signum <= 0 || signum == SIGCHLD)
			continue;
		if (signum == SIGUSR2)
			make_orphans(ORPHANS, 0);
		if (signum == SIGURG)
			make_orphans(1, 1);
		printf("%ld\n", signum);
		if (signum == SIGTERM)
			return STATUS;
	}
}
