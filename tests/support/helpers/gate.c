/*
 * Becomes a program once a file is at its end: gate FILE COMMAND [ARG]... Until
 * then a tracer can attach. First it makes the calls that an init's child makes
 * before it becomes COMMAND, so that "the first of all" is that child's alone,
 * for a tracer that counts those of each process (when=, strace(1)).
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	SPENT = 20, /* of each call; the child makes less */
};

static void spend(void)
{
	const uint64_t none = 0;
	char byte;

	syscall(SYS_rt_sigprocmask, 0, &none, NULL, sizeof(none));
	syscall(SYS_rt_sigaction, 0, NULL, NULL, sizeof(none));
	syscall(SYS_getpgid, 0);
	syscall(SYS_getpid);
	syscall(SYS_ioctl, -1, TIOCGPGRP, NULL);
#ifdef SYS_open
	syscall(SYS_open, "", O_RDONLY);
	syscall(SYS_access, "", F_OK);
#endif
	syscall(SYS_read, -1, &byte, 1);
	syscall(SYS_close, -1);
	syscall(SYS_execve, "", NULL, NULL);
}

int main(int argc, char **argv)
{
	struct pollfd end = { .events = POLLIN };

	if (argc < 3)
		return 1;
	end.fd = (int)strtol(argv[1], NULL, 10);
	while (ppoll(&end, 1, NULL, NULL) != 1)
		; /* it was interrupted */
	for (int i = 0; i < SPENT; i++)
		spend();
	close(end.fd);
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
