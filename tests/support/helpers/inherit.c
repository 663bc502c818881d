/*
 * Runs a program with exactly this signal mask and these ignored signals:
 * inherit BLOCKED IGNORED COMMAND [ARG]... Both are 64-bit masks in hex, as
 * /proc/PID/status shows them. Raw system calls, for libc hides some signals:
 * what posix_spawn(3) of glibc starts, make's children for one, ignores 32
 * and 33.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	uint64_t blocked, ignored;

	if (argc < 4)
		return 1;
	blocked = strtoull(argv[1], NULL, 16);
	ignored = strtoull(argv[2], NULL, 16);
	for (int signum = 1; signum <= 64; signum++) {
		/*
		 * The kernel's struct sigaction is all zero but the handler,
		 * the first word: 1 is SIG_IGN, 0 is SIG_DFL.
		 */
		unsigned long action[8] = { ignored >> (signum - 1) & 1 };

		if (signum != SIGKILL && signum != SIGSTOP &&
		    syscall(SYS_rt_sigaction, signum, action, NULL, 8) < 0)
			return 1;
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, NULL, 8);
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 1;
}
