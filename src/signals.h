/*
 * Signals by name and number, sets of them, and the table of --rewrite. Pure:
 * the system calls are in delivery.h.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A signal set as the kernel has it: 64 bits, 128 on MIPS. libc's sigset_t
 * functions leave out the signals that libc uses itself: 32 and 33 in glibc, 34
 * too in musl.
 */
#ifdef __mips__
typedef unsigned __int128 signals_set;
#else
typedef uint64_t signals_set;
#endif

enum {
	SIGNALS_RTMIN = 34, /* signal(7); libc's SIGRTMIN may differ */
	/* MIPS has 128 signals; no wait(2) status can express the last. */
	SIGNALS_RTMAX = sizeof(signals_set) == 16 ? 127 : 64,
	SIGNALS_NONE = -1,
};

#define SIGNALS_ALL (~(signals_set)0)

/* The set of one signal, 1 to SIGNALS_RTMAX. */
#define SIGNALS_BIT(signum) ((signals_set)1 << ((signum)-1))

/* The signals that a terminal sends to its foreground group. */
#define SIGNALS_TERMINAL                                                       \
	(SIGNALS_BIT(SIGHUP) | SIGNALS_BIT(SIGINT) | SIGNALS_BIT(SIGQUIT) |    \
	 SIGNALS_BIT(SIGTSTP) | SIGNALS_BIT(SIGTTIN) | SIGNALS_BIT(SIGTTOU) |  \
	 SIGNALS_BIT(SIGCONT) | SIGNALS_BIT(SIGWINCH))

/* The stop signals that a process can catch. */
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
 * "SIGTERM", "SIGRTMIN+15"; "SIG32" and "SIG33" for the two without a name.
 * signum: 1 to SIGNALS_RTMAX.
 */
struct signal_name signals_name(int signum);

/* For each signal number, the signal to forward instead. */
struct rewrites {
	uint8_t to[SIGNALS_RTMAX + 1]; /* a signal, or one of these: */
};

enum {
	REWRITE_UNSET = 0, /* so a zeroed table is empty */
	REWRITE_DROP = 255,
};

/*
 * Adds the rewrite of one signal to another, or to "0", which drops it. Returns
 * false and adds nothing if one of the two is not a signal.
 */
bool signals_rewrite(struct rewrites *rewrites, const char *from,
		     const char *to);

#endif
