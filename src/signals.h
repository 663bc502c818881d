/*
 * Signals by name and number, which of them is passed on as what, and the
 * kernel's signal sets.
 *
 * libc's own sigset_t functions leave out the signals that it uses itself: 32
 * and 33 in glibc, 34 too in musl. So sets are plain masks here, as the raw
 * system calls take them: of 64 bits, and of 128 on MIPS.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __mips__
typedef unsigned __int128 signals_set;
#else
typedef uint64_t signals_set;
#endif

enum {
	SIGNALS_RTMIN = 34, /* signal(7); libc's SIGRTMIN may differ */
	/* 128 of MIPS is left pending: no wait(2) status could tell of it. */
	SIGNALS_RTMAX = sizeof(signals_set) == 16 ? 127 : 64,
	SIGNALS_NONE = -1,
	SIGNALS_FOREVER = -1, /* a timeout that never comes */
};

#define SIGNALS_ALL (~(signals_set)0)

/* The set of one signal, 1 to SIGNALS_RTMAX. */
#define SIGNALS_BIT(signum) ((signals_set)1 << ((signum)-1))

/* What the terminal of a job sends, for a key or for a state that changes. */
#define SIGNALS_TERMINAL                                                       \
	(SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGINT) | SIGNALS_BIT(SIGQUIT) |    \
	 SIGNALS_BIT(SIGTSTP) | SIGNALS_BIT(SIGTTIN) | SIGNALS_BIT(SIGTTOU) |  \
	 SIGNALS_BIT(SIGCONT) | SIGNALS_BIT(SIGWINCH))

/* What stops a job, and yet can be caught. */
#define SIGNALS_JOB_STOP                                                       \
	(SIGNALS_BIT(SIGTSTP) | SIGNALS_BIT(SIGTTIN) | SIGNALS_BIT(SIGTTOU))

/*
 * Number for "15", "TERM", "sigterm", "RTMIN+3" or "SIGRTMAX-1" (1 to
 * SIGNALS_RTMAX); SIGNALS_NONE for anything else.
 */
int signals_parse(const char *text);

struct signal_name {
	char text[sizeof("SIGRTMIN+15")];
};

/*
 * Name with "SIG" in front: "SIGTERM", "SIGRTMIN+15", and "SIG32" and "SIG33"
 * for the two that have no name. signum: 1 to SIGNALS_RTMAX.
 */
struct signal_name signals_name(int signum);

/* What each signal is passed on as, where the user said so. */
struct rewrites {
	uint8_t to[SIGNALS_RTMAX + 1]; /* by number; a signal, or one of: */
};

enum {
	REWRITE_UNSET = 0, /* nobody said; so a zeroed table is empty */
	REWRITE_DROP = 255,
};

/*
 * Adds a rewrite of one signal to another; to "0" drops it. Returns false, and
 * adds nothing, when one of them is none.
 */
bool signals_rewrite(struct rewrites *rewrites, const char *from,
		     const char *to);

/*
 * What rt_sigaction(2) says of a signal. It lies differently from processor to
 * processor; all zero is SIG_DFL on each, and more we need not know.
 */
struct signals_action {
	unsigned long words[8];
};

/* What we were started with, to be COMMAND's again. */
struct inherited {
	signals_set mask;
	struct signals_action sigchld;
};

/*
 * Blocks every signal, so that each waits until we take it, and sees to it
 * that the kernel keeps the exit statuses of our children for us. Returns
 * false, with errno set, when the kernel refuses.
 */
bool signals_take_over(struct inherited *inherited);

/*
 * Undoes signals_take_over, in the child that becomes COMMAND. Returns false,
 * with errno set, when the kernel refuses.
 */
bool signals_hand_back(const struct inherited *inherited);

/* Nanoseconds; what the clock and the deadlines count. */
#define SIGNALS_MS INT64_C(1000000)

/*
 * The next signal, whichever it is; sleeps until there is one, or for
 * timeout_ns. Fills info. Returns false when that time is over, or a little
 * later when interrupted (we were stopped and continued, or traced) or refused.
 */
bool signals_wait(siginfo_t *info, int64_t timeout_ns);

/* The clock that signals_wait goes by, in ns. Nobody sets it. */
int64_t signals_clock(void);

/* CLOCK_BOOTTIME, clock_getres(2), in ns: by it the starts of processes are
 * given. */
int64_t signals_boot_clock(void);

/*
 * Takes one signal of the set and fills info. Waits for it for at most
 * timeout_ns; returns false if none came. 0: takes a pending one or none.
 */
bool signals_take(signals_set set, siginfo_t *info, int64_t timeout_ns);

/* Takes all pending signals and returns the set of them. */
signals_set signals_discard(void);

/* Blocks the signals of the set and no others: any other acts on this process.
 */
void signals_block_only(signals_set set);

/*
 * Lets signum, a job stop signal, act on this process in delay_ns; or, if
 * SIGCONT comes first, returns true and fills resumed.
 *
 * The kernel discards a pending SIGCONT when it sends a stop signal, signal(7).
 * So no look for SIGCONT that is followed by a stop can be safe. Here a timer
 * sends the stop while rt_sigtimedwait(2) waits for SIGCONT: one that the stop
 * discards has interrupted that wait. It goes on for nine times as long, or it
 * could be over before this process gets a processor and sees that.
 */
bool signals_stop_unless_continued(int signum, int64_t delay_ns,
				   siginfo_t *resumed);

/*
 * Lets the pending signals of the set act on this process, as the system calls
 * of a process that blocks nothing would. With a stop signal that is pending
 * it returns once the process was continued.
 */
void signals_let_act(signals_set set);

/* The set of signals that wait to be taken. */
signals_set signals_pending(void);

/* SIGCHLD before signals_start_alarm, and the timer. */
struct signals_alarm {
	struct sigaction sigchld;
	int timer;
};

/*
 * From now on a system call of ours that sleeps is interrupted (EINTR) within
 * 200 ms. Returns false where the kernel has no timer for that.
 *
 * The timer sends SIGCHLD, the one signal that is not forwarded: a child that
 * dies meanwhile raises the same, and signals_stop_alarm makes up for both.
 */
bool signals_start_alarm(struct signals_alarm *alarm);

/* Ends that, and leaves a SIGCHLD pending, so that our children are looked at.
 */
void signals_stop_alarm(const struct signals_alarm *alarm);

/*
 * Queues a signal with all that info says of it: a value sent by sigqueue(3)
 * for COMMAND, or anything at all for ourselves. Returns false with errno set.
 */
bool signals_queue(pid_t pid, int signum, const siginfo_t *info);

#endif
