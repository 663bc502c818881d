#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"
#include "numbers.h"

/* Numbers that old headers lack. MIPS has others, and its headers know them. */
#ifndef __mips__
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#endif

/* On 32-bit processors musl gives the calls with a 32-bit time_t this name. */
#ifndef SYS_clock_gettime
#define SYS_clock_gettime SYS_clock_gettime32
#endif
#ifndef SYS_timer_settime
#define SYS_timer_settime SYS_timer_settime32
#endif

/* The kernel's sets are arrays of long, the first of which has signal 1. */
_Static_assert(sizeof(signals_set) == sizeof(long) ||
		       __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the words of a signal set are in another order here");

enum {
	FUTEX_WAIT = 0, /* linux/futex.h, as is the next */
	FUTEX_WAKE = 1,
};

#define SECOND (1000 * NUMBERS_MS)

/* The struct timespec of these calls. On 32-bit processors libc's has a 64-bit
 * time_t. */
struct kernel_timespec {
	long sec, nsec;
};

static struct kernel_timespec to_timespec(int64_t ns)
{
	return (struct kernel_timespec){
		.sec = (long)(ns / SECOND),
		.nsec = (long)(ns % SECOND),
	};
}

/* libc's function would not block the signals that libc uses itself. */
int kernel_set_mask(const signals_set *mask, signals_set *old)
{
	return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, old,
			    sizeof(*mask));
}

/* libc's function refuses the signals that libc uses itself. */
int kernel_set_action(int signum, const struct kernel_sigaction *action,
		      struct kernel_sigaction *old)
{
	return (int)syscall(SYS_rt_sigaction, signum, action, old,
			    sizeof(signals_set));
}

/* libc's function takes a sigset_t. */
int kernel_wait_signal(signals_set set, siginfo_t *info, int64_t timeout_ns)
{
	const struct kernel_timespec timeout = to_timespec(timeout_ns);

	return (int)syscall(SYS_rt_sigtimedwait, &set, info,
			    timeout_ns == KERNEL_FOREVER ? NULL : &timeout,
			    sizeof(set));
}

/* libc's function takes a sigset_t. */
signals_set kernel_pending(void)
{
	signals_set pending = 0;

	(void)syscall(SYS_rt_sigpending, &pending, sizeof(pending));
	return pending;
}

/* libc has only sigqueue(3), which replaces the sender by the caller. */
int kernel_queue_signal(pid_t pid, int signum, const siginfo_t *info)
{
	return (int)syscall(SYS_rt_sigqueueinfo, pid, signum, info);
}

/* libc's timers can start threads, and are large for that. */
int kernel_create_timer(int signum, int *timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = signum };

	return (int)syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, timer);
}

void kernel_set_timer(int timer, int64_t interval_ns, int64_t first_ns)
{
	const struct kernel_timespec times[] = { to_timespec(interval_ns),
						 to_timespec(first_ns) };

	(void)syscall(SYS_timer_settime, timer, 0, times, NULL);
}

void kernel_delete_timer(int timer)
{
	(void)syscall(SYS_timer_delete, timer);
}

/* libc's function looks for the vDSO first, with 1 KB of code. */
static void read_clock(long clock, struct kernel_timespec *now)
{
	(void)syscall(SYS_clock_gettime, clock, now);
}

int64_t kernel_clock(void)
{
	static struct kernel_timespec now;

	read_clock(CLOCK_MONOTONIC, &now);
	return now.sec * SECOND + now.nsec;
}

int64_t kernel_boot_clock(void)
{
	struct kernel_timespec now = { 0, 0 };

	read_clock(CLOCK_BOOTTIME, &now);
	return now.sec * SECOND + now.nsec;
}

int kernel_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int kernel_pidfd_signal(int process, int signum)
{
	return (int)syscall(SYS_pidfd_send_signal, process, signum, NULL, 0);
}

int kernel_close_from(int first)
{
	return (int)syscall(SYS_close_range, first, ~0U, 0);
}

/* libc's opendir allocates memory, with 8 KB of code. */
ssize_t kernel_read_directory(int directory, void *entries, size_t size)
{
	return syscall(SYS_getdents64, directory, entries, size);
}

/* libc's fcntl is 400 bytes long. */
int kernel_file_flags(int file)
{
	return (int)syscall(SYS_fcntl, file, F_GETFL);
}

/* libc's functions for these two are variadic, and larger. */
int kernel_prctl(int option, int value)
{
	return (int)syscall(SYS_prctl, option, (long)value, 0L, 0L, 0L);
}

int kernel_ptrace(int request, pid_t tracee, uintptr_t data)
{
	return (int)syscall(SYS_ptrace, (long)request, tracee, 0L, data);
}

void kernel_clear_at_exec(_Atomic pid_t *address)
{
	(void)syscall(SYS_set_tid_address, address);
}

void kernel_futex_wait(_Atomic int *word, int value, int64_t timeout_ns)
{
	const struct kernel_timespec timeout = to_timespec(timeout_ns);

	(void)syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout);
}

void kernel_futex_wake(_Atomic int *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE, 1);
}

/* The system call: libc's functions have code for old kernels and for threads.
 */
int kernel_get_queue_limit(uint64_t limit[2])
{
	return (int)syscall(SYS_prlimit64, 0, RLIMIT_SIGPENDING, NULL, limit);
}

int kernel_set_queue_limit(const uint64_t limit[2])
{
	return (int)syscall(SYS_prlimit64, 0, RLIMIT_SIGPENDING, limit, NULL);
}
