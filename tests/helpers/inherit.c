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

/* The kernel's struct sigaction; all zero but the handler. */
struct kernel_sigaction {
	unsigned long handler;
	unsigned long rest[7];
};

int main(int argc, char **argv)
{
	uint64_t blocked, ignored;

	if (argc < 4)
		return 1;
	blocked = strtoull(argv[1], NULL, 16);
	ignored = strtoull(argv[2], NULL, 16);
	for (int signum = 1; signum <= 64; signum++) {
		/* 1 is SIG_IGN, 0 is SIG_DFL. */
		struct kernel_sigaction action = { ignored >> (signum - 1) & 1,
						   { 0 } };

		if (signum != SIGKILL && signum != SIGSTOP &&
		    syscall(SYS_rt_sigaction, signum, &action, NULL, 8) < 0)
			return 1;
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, NULL, 8);
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 1;
}
