/*
 * Becomes a program for which the kernel is an older one: old_kernel PROGRAM
 * [ARG]... pidfd_open(2) and pidfd_send_signal(2), new in Linux 5.3 and 5.1,
 * and close_range(2), new in 5.9, fail with ENOSYS, for all that it starts as
 * well.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The same on each processor except MIPS; the headers may be too old. */
enum {
	PIDFD_SEND_SIGNAL = 424,
	PIDFD_OPEN = 434,
	CLOSE_RANGE = 436,
};

int main(int argc, char **argv)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ, PIDFD_SEND_SIGNAL, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ, PIDFD_OPEN, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ, CLOSE_RANGE, 0, 1),
		BPF_STMT(BPF_RET, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter),
		.filter = filter,
	};

	if (argc < 2)
		return 1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("prctl");
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
