/*
 * A dumb-init that gives up unneeded privileges once COMMAND runs: with
 * -DCAPABILITIES all capabilities except CAP_KILL, otherwise the system calls
 * that it does not make (the list is for musl on x86-64).
 * tests/campaigns/privilege/run observes the effects; docs/reliability.md says
 * why dumb-init does not do it.
 *
 * main.c calls supervise_with_less in place of supervise (Makefile).
 */
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervise.h"

int supervise_with_less(const struct options *options, struct start *start,
			pid_t command);

#ifdef CAPABILITIES
static void give_up(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		const uint32_t kept = i == 0 ? 1U << CAP_KILL : 0;

		data[i].permitted &= kept;
		data[i].effective &= kept;
		data[i].inheritable &= kept;
	}
	(void)syscall(SYS_capset, &header, data);
}
#else
#define ALLOW(call)                                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1),                     \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

enum {
	NO_SUCH_CALL = 38, /* ENOSYS: the call fails, and kills nothing */
};

static void give_up(void)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_rt_sigtimedwait),
		ALLOW(SYS_kill),
		ALLOW(SYS_waitid),
		ALLOW(SYS_wait4),
		ALLOW(SYS_clock_gettime),
		ALLOW(SYS_rt_sigpending),
		ALLOW(SYS_rt_sigqueueinfo),
		ALLOW(SYS_getpid),
		ALLOW(SYS_poll),
		ALLOW(SYS_write),
		ALLOW(SYS_lseek),
		ALLOW(SYS_sendto),
		ALLOW(SYS_fcntl),
		ALLOW(SYS_open),
		ALLOW(SYS_read),
		ALLOW(SYS_close),
		ALLOW(SYS_ioctl),
		ALLOW(SYS_getpgid),
		ALLOW(SYS_getsid),
		ALLOW(SYS_access),
		ALLOW(SYS_getdents64),
		ALLOW(SYS_readlink),
		ALLOW(SYS_mmap),
		ALLOW(SYS_munmap),
		ALLOW(SYS_prlimit64),
		ALLOW(SYS_pidfd_open),
		ALLOW(SYS_pidfd_send_signal),
		ALLOW(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | NO_SUCH_CALL),
	};
	const struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	/* Otherwise seccomp(2) needs CAP_SYS_ADMIN, which containers lack. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
#endif

int supervise_with_less(const struct options *options, struct start *start,
			pid_t command)
{
	give_up();
	return supervise(options, start, command);
}
