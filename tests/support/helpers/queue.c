/*
 * Sends a signal with a value (sigqueue(3)): queue SIGNAL PID VALUE. Prints its
 * own PID before. The kernel's numbers: libc hides 32 and 33.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	siginfo_t info = { .si_code = SI_QUEUE };
	int signum;
	long pid;

	if (argc != 4)
		return 1;
	signum = (int)strtol(argv[1], NULL, 10);
	pid = strtol(argv[2], NULL, 10);
	info.si_signo = signum;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = (int)strtol(argv[3], NULL, 10);
	printf("%d\n", (int)getpid());
	if (syscall(SYS_rt_sigqueueinfo, pid, signum, &info) == 0)
		return 0;
	perror("rt_sigqueueinfo");
	return 1;
}
