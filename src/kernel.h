/*
 * System calls that libc does not offer, or offers in a form that we cannot
 * use; and the clocks. Each returns as the call in its manual page does, -1
 * with errno set on failure, unless its comment says otherwise.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "signals.h"

enum {
	KERNEL_FOREVER = -1, /* a timeout that never expires */
};

/*
 * The kernel's struct sigaction. Its layout depends on the architecture; all
 * zeros is SIG_DFL everywhere.
 */
struct kernel_sigaction {
	unsigned long words[8];
};

/* The word of the handler. */
#ifdef __mips__
enum { KERNEL_HANDLER = 1 };
#else
enum { KERNEL_HANDLER = 0 };
#endif

/* rt_sigprocmask(2) with SIG_SETMASK. old may be NULL. */
int kernel_set_mask(const signals_set *mask, signals_set *old);

/* rt_sigaction(2). Both may be NULL. A handler needs the flags of libc's. */
int kernel_set_action(int signum, const struct kernel_sigaction *action,
		      struct kernel_sigaction *old);

/* rt_sigtimedwait(2). timeout_ns may be KERNEL_FOREVER. */
int kernel_wait_signal(signals_set set, siginfo_t *info, int64_t timeout_ns);

/* rt_sigpending(2). Returns the set, empty on failure. */
signals_set kernel_pending(void);

/* rt_sigqueueinfo(2). */
int kernel_queue_signal(pid_t pid, int signum, const siginfo_t *info);

/* timer_create(2): a timer of CLOCK_MONOTONIC that sends signum to us. */
int kernel_create_timer(int signum, int *timer);

/* timer_settime(2): fires first_ns from now, then every interval_ns if not 0.
 */
void kernel_set_timer(int timer, int64_t interval_ns, int64_t first_ns);

void kernel_delete_timer(int timer);

/* CLOCK_MONOTONIC in ns. Stands still if the call fails. */
int64_t kernel_clock(void);

/* CLOCK_BOOTTIME in ns: the clock of a process's start in /proc/PID/stat. */
int64_t kernel_boot_clock(void);

/* pidfd_open(2), Linux 5.3. */
int kernel_pidfd_open(pid_t pid);

/* pidfd_send_signal(2), Linux 5.1. */
int kernel_pidfd_signal(int process, int signum);

/* close_range(2), Linux 5.9: closes all files from first on. */
int kernel_close_from(int first);

/* getdents64(2). */
ssize_t kernel_read_directory(int directory, void *entries, size_t size);

/* fcntl(2), F_GETFL. */
int kernel_file_flags(int file);

/* prctl(2) with one argument. */
int kernel_prctl(int option, int value);

/* ptrace(2) without an address. data: a number or a pointer. */
int kernel_ptrace(int request, pid_t tracee, uintptr_t data);

/* set_tid_address(2): the kernel clears *address when the caller's program is
 * replaced or the caller exits. */
void kernel_clear_at_exec(_Atomic pid_t *address);

/* futex(2): sleeps while *word is value, for timeout_ns at most. */
void kernel_futex_wait(_Atomic int *word, int value, int64_t timeout_ns);

/* futex(2): wakes one process that sleeps on word. */
void kernel_futex_wake(_Atomic int *word);

/* prlimit(2) of this process, RLIMIT_SIGPENDING. limit: soft, hard. */
int kernel_get_queue_limit(uint64_t limit[2]);
int kernel_set_queue_limit(const uint64_t limit[2]);

#endif
