#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "format.h"
#include "numbers.h"
#include "signals.h"

/* As in signal(7). SIGEMT and SIGSTKFLT are not on every processor. */
static const char names[][sizeof("STKFLT")] = {
	[SIGHUP] = "HUP",       [SIGINT] = "INT",   [SIGQUIT] = "QUIT",
	[SIGILL] = "ILL",       [SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",
	[SIGBUS] = "BUS",       [SIGFPE] = "FPE",   [SIGKILL] = "KILL",
	[SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE",     [SIGALRM] = "ALRM", [SIGTERM] = "TERM",
	[SIGCHLD] = "CHLD",     [SIGCONT] = "CONT", [SIGSTOP] = "STOP",
	[SIGTSTP] = "TSTP",     [SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",
	[SIGURG] = "URG",       [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ",
	[SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH",
	[SIGIO] = "IO",         [SIGPWR] = "PWR",   [SIGSYS] = "SYS",
#ifdef SIGEMT
	[SIGEMT] = "EMT",
#endif
#ifdef SIGSTKFLT
	[SIGSTKFLT] = "STKFLT",
#endif
};

enum {
	NAMES = sizeof(names) / sizeof(names[0]),
	/* RTMIN+15 and RTMAX-14 are neighbours, in bash's "kill -l" too. */
	RTMIN_LAST = SIGNALS_RTMIN + 15,
	PAUSE_MS = 20, /* after a wait that has failed */
	ALARM_NS = 100 * SIGNALS_MS,
};

static const struct {
	const char *name;
	int signum;
} synonyms[] = { { "IOT", SIGABRT }, { "CLD", SIGCHLD }, { "POLL", SIGIO } };

/*
 * What is behind name, which is in upper case, if text begins with it in either
 * case; else NULL. libc's for that are five times as long.
 */
static const char *behind(const char *text, const char *name)
{
	for (; *name != '\0'; text++, name++) {
		const bool lower = *text >= 'a' && *text <= 'z';

		if ((lower ? *text - 'a' + 'A' : *text) != *name)
			return NULL;
	}
	return text;
}

/* "RTMIN", "RTMIN+N", "RTMAX" or "RTMAX-N". */
static int parse_realtime(const char *text)
{
	const int last = SIGNALS_RTMAX - SIGNALS_RTMIN;
	const char *from_min = behind(text, "RTMIN");
	const char *rest = from_min ? from_min : behind(text, "RTMAX");
	int offset = 0;

	if (rest == NULL)
		return SIGNALS_NONE;
	if (*rest != '\0') {
		if (*rest != (from_min ? '+' : '-'))
			return SIGNALS_NONE;
		offset = numbers_parse(rest + 1, last);
		if (offset < 0)
			return SIGNALS_NONE;
	}
	return from_min ? SIGNALS_RTMIN + offset : SIGNALS_RTMAX - offset;
}

static bool is_name(const char *text, const char *name)
{
	const char *rest = behind(text, name);

	return *text != '\0' && rest && *rest == '\0';
}

int signals_parse(const char *text)
{
	int signum = numbers_parse(text, SIGNALS_RTMAX);

	if (signum > 0)
		return signum;
	if (behind(text, "SIG"))
		text += 3;
	for (signum = 1; signum < NAMES; signum++) {
		/* A gap in the table is an empty name, and so no match. */
		if (is_name(text, names[signum]))
			return signum;
	}
	for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++) {
		if (is_name(text, synonyms[i].name))
			return synonyms[i].signum;
	}
	return parse_realtime(text);
}

struct signal_name signals_name(int signum)
{
	struct signal_name name = { "" };
	char *out = name.text;
	const size_t size = sizeof(name.text);

	if (signum < NAMES && names[signum][0] != '\0')
		format_text(out, size, "SIG%s", names[signum]);
	else if (signum == SIGNALS_RTMIN)
		format_text(out, size, "SIGRTMIN");
	else if (signum == SIGNALS_RTMAX)
		format_text(out, size, "SIGRTMAX");
	else if (signum < SIGNALS_RTMIN)
		format_text(out, size, "SIG%d", signum);
	else if (signum <= RTMIN_LAST)
		format_text(out, size, "SIGRTMIN+%d", signum - SIGNALS_RTMIN);
	else
		format_text(out, size, "SIGRTMAX-%d", SIGNALS_RTMAX - signum);
	return name;
}

bool signals_rewrite(struct rewrites *rewrites, const char *from,
		     const char *to)
{
	int from_signum = signals_parse(from);
	int to_signum = strcmp(to, "0") == 0 ? REWRITE_DROP : signals_parse(to);

	if (from_signum == SIGNALS_NONE || to_signum == SIGNALS_NONE)
		return false;
	rewrites->to[from_signum] = (uint8_t)to_signum;
	return true;
}

/*
 * What these system calls take. On 32-bit processors libc's struct timespec has
 * grown, for dates after 2038, and musl names the old call anew.
 */
struct kernel_timespec {
	long sec, nsec;
};

#define A_SECOND (1000 * SIGNALS_MS)

/* The kernel's sets are arrays of long, the first of which has signal 1. */
_Static_assert(sizeof(signals_set) == sizeof(long) ||
		       __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "sets of signals have their words the other way round here");

#ifndef SYS_clock_gettime
#define SYS_clock_gettime SYS_clock_gettime32
#endif
#ifndef SYS_timer_settime
#define SYS_timer_settime SYS_timer_settime32
#endif

static struct kernel_timespec to_timespec(int64_t ns)
{
	return (struct kernel_timespec){
		.sec = (long)(ns / A_SECOND),
		.nsec = (long)(ns % A_SECOND),
	};
}

static long set_mask(const signals_set *mask, signals_set *old)
{
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, old,
		       sizeof(*mask));
}

/* libc's takes 1 KB of a static musl program, for signal handlers. */
static long set_action(int signum, const struct signals_action *action,
		       struct signals_action *old)
{
	return syscall(SYS_rt_sigaction, signum, action, old,
		       sizeof(signals_set));
}

bool signals_take_over(struct inherited *inherited)
{
	const signals_set all = SIGNALS_ALL;
	const struct signals_action standard = { { 0 } };

	/* The kernel fills as much of it as it knows. */
	inherited->sigchld = standard;
	/* Ignored, SIGCHLD would make the kernel throw exit statuses away,
	 * wait(2). */
	return set_mask(&all, &inherited->mask) == 0 &&
	       set_action(SIGCHLD, &standard, &inherited->sigchld) == 0;
}

bool signals_hand_back(const struct inherited *inherited)
{
	const struct signals_action standard = { { 0 } };

	/* Nearly always it was the same: that costs no call. */
	return (memcmp(&inherited->sigchld, &standard, sizeof(standard)) == 0 ||
		set_action(SIGCHLD, &inherited->sigchld, NULL) == 0) &&
	       set_mask(&inherited->mask, NULL) == 0;
}

bool signals_wait(siginfo_t *info, int64_t timeout_ns)
{
	/* Up to SIGNALS_RTMAX. */
	const signals_set all =
		SIGNALS_ALL >> (8 * sizeof(all) - SIGNALS_RTMAX);
	const struct kernel_timespec timeout = to_timespec(timeout_ns);

	if (syscall(SYS_rt_sigtimedwait, &all, info,
		    timeout_ns == SIGNALS_FOREVER ? NULL : &timeout,
		    sizeof(all)) > 0)
		return true;
	/* Where seccomp(2) forbids it we would be busy without an end. */
	if (errno != EAGAIN || timeout_ns == SIGNALS_FOREVER)
		(void)poll(NULL, 0, PAUSE_MS);
	return false;
}

/* libc's clock_gettime would first look for the vDSO, in 1 KB of code. */
static void read_clock(long clock, struct kernel_timespec *now)
{
	(void)syscall(SYS_clock_gettime, clock, now);
}

int64_t signals_clock(void)
{
	/* Static: if the call fails the time stands still. */
	static struct kernel_timespec now;

	read_clock(CLOCK_MONOTONIC, &now);
	return now.sec * A_SECOND + now.nsec;
}

int64_t signals_boot_clock(void)
{
	struct kernel_timespec now = { 0, 0 };

	read_clock(CLOCK_BOOTTIME, &now);
	return now.sec * A_SECOND + now.nsec;
}

bool signals_take(signals_set set, siginfo_t *info, int64_t timeout_ns)
{
	const struct kernel_timespec timeout = to_timespec(timeout_ns);

	return syscall(SYS_rt_sigtimedwait, &set, info, &timeout, sizeof(set)) >
	       0;
}

signals_set signals_discard(void)
{
	signals_set discarded = 0;
	siginfo_t info;

	while (signals_take(SIGNALS_ALL, &info, 0))
		discarded |= SIGNALS_BIT(info.si_signo);
	return discarded;
}

void signals_block_only(signals_set set)
{
	(void)set_mask(&set, NULL);
}

void signals_let_act(signals_set set)
{
	signals_block_only(~set);
	signals_block_only(SIGNALS_ALL);
}

signals_set signals_pending(void)
{
	signals_set pending = 0;

	(void)syscall(SYS_rt_sigpending, &pending, sizeof(pending));
	return pending;
}

/* Raw calls: libc's can start threads, and are large for that. */
static bool create_timer(int signum, int *timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = signum };

	return syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, timer) == 0;
}

static void set_timer(int timer, int64_t interval_ns, int64_t first_ns)
{
	const struct kernel_timespec times[] = { to_timespec(interval_ns),
						 to_timespec(first_ns) };

	(void)syscall(SYS_timer_settime, timer, 0, times, NULL);
}

static void delete_timer(int timer)
{
	(void)syscall(SYS_timer_delete, timer);
}

bool signals_stop_unless_continued(int signum, int64_t delay_ns,
				   siginfo_t *resumed)
{
	const signals_set stop = SIGNALS_BIT(signum);
	siginfo_t other;
	bool continued;
	int timer;

	/* The timer would discard it, if it came before we wait. */
	if (signals_take(SIGNALS_BIT(SIGCONT), resumed, 0))
		return true;
	if (!create_timer(signum, &timer)) {
		(void)kill(getpid(), signum);
		signals_let_act(stop);
		return false;
	}
	set_timer(timer, 0, delay_ns / 10);
	continued = signals_take(SIGNALS_BIT(SIGCONT), resumed, delay_ns);
	if (!continued && errno == EINTR) {
		*resumed =
			(siginfo_t){ .si_signo = SIGCONT, .si_code = SI_USER };
		continued = true;
	}
	/* Before that is deleted: from Linux 6.13 on its signal goes with it.
	 */
	if (!continued)
		signals_let_act(stop);
	delete_timer(timer);
	/* The timer's, unless another process has sent the next. */
	if (continued && signals_take(stop, &other, 0) &&
	    other.si_code != SI_TIMER)
		(void)signals_queue(getpid(), signum, &other);
	return continued;
}

static void do_nothing(int signum)
{
	(void)signum;
}

bool signals_start_alarm(struct signals_alarm *alarm)
{
	const struct sigaction action = { .sa_handler = do_nothing };

	if (!create_timer(SIGCHLD, &alarm->timer))
		return false;
	(void)sigaction(SIGCHLD, &action, &alarm->sigchld);
	signals_block_only(~SIGNALS_BIT(SIGCHLD));
	set_timer(alarm->timer, ALARM_NS, ALARM_NS);
	return true;
}

void signals_stop_alarm(const struct signals_alarm *alarm)
{
	delete_timer(alarm->timer);
	signals_block_only(SIGNALS_ALL);
	(void)sigaction(SIGCHLD, &alarm->sigchld, NULL);
	(void)kill(getpid(), SIGCHLD);
}

bool signals_queue(pid_t pid, int signum, const siginfo_t *info)
{
	return syscall(SYS_rt_sigqueueinfo, pid, signum, info) == 0;
}
