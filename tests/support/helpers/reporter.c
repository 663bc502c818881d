/*
 * Says which signals it gets: blocks all of them, prints "ready PID", and then
 * a line "NUMBER CODE SENDER VALUE" for each (si_code and so on, sigaction(2)).
 * Only SIGKILL ends it. Raw system calls, for libc hides some signals.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	const uint64_t all = ~UINT64_C(0);
	siginfo_t info;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int)getpid());
	for (;;) {
		if (syscall(SYS_rt_sigtimedwait, &all, &info, NULL,
			    sizeof(all)) > 0)
			printf("%d %d %d %d\n", info.si_signo, info.si_code,
			       (int)info.si_pid, info.si_value.sival_int);
	}
}
