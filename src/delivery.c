#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "delivery.h"
#include "numbers.h"

enum {
	PAUSE_MS = 20, /* after a wait that has failed */
	ALARM_NS = 20 * NUMBERS_MS,
};

bool delivery_block_all(struct inherited *inherited)
{
	const signals_set all = SIGNALS_ALL;
	const struct kernel_sigaction standard = { { 0 } };

	/* The kernel fills only as many of the words as it has. */
	inherited->sigchld = standard;
	/* If SIGCHLD is ignored, the kernel discards exit statuses (wait(2)).
	 */
	return kernel_set_mask(&all, &inherited->mask) == 0 &&
	       kernel_set_action(SIGCHLD, &standard, &inherited->sigchld) == 0;
}

bool delivery_restore(const struct inherited *inherited)
{
	const struct kernel_sigaction standard = { { 0 } };

	/* The action is nearly always SIG_DFL, and needs no call then. */
	return (memcmp(&inherited->sigchld, &standard, sizeof(standard)) == 0 ||
		kernel_set_action(SIGCHLD, &inherited->sigchld, NULL) == 0) &&
	       kernel_set_mask(&inherited->mask, NULL) == 0;
}

bool delivery_wait(siginfo_t *info, int64_t timeout_ns)
{
	/* Not signal 128 of MIPS, see SIGNALS_RTMAX. */
	const signals_set all =
		SIGNALS_ALL >> (8 * sizeof(all) - SIGNALS_RTMAX);

	if (kernel_wait_signal(all, info, timeout_ns) > 0)
		return true;
	/* A call that fails at once (seccomp(2)) must not make us spin. */
	if (errno != EAGAIN || timeout_ns == KERNEL_FOREVER)
		(void)poll(NULL, 0, PAUSE_MS);
	return false;
}

bool delivery_take(signals_set set, siginfo_t *info, int64_t timeout_ns)
{
	return kernel_wait_signal(set, info, timeout_ns) > 0;
}

signals_set delivery_discard(void)
{
	signals_set discarded = 0;
	siginfo_t info;

	while (delivery_take(SIGNALS_ALL, &info, 0))
		discarded |= SIGNALS_BIT(info.si_signo);
	return discarded;
}

void delivery_block_only(signals_set set)
{
	(void)kernel_set_mask(&set, NULL);
}

void delivery_let_act(int signum)
{
	const struct kernel_sigaction standard = { { 0 } };

	(void)kernel_set_action(signum, &standard, NULL);
	delivery_block_only(~SIGNALS_BIT(signum));
	delivery_block_only(SIGNALS_ALL);
}

bool delivery_stop_unless_continued(int signum, int64_t delay_ns,
				    siginfo_t *resumed)
{
	const signals_set stop = SIGNALS_BIT(signum);
	siginfo_t other;
	bool continued;
	int timer;

	/* The timer's stop would discard a SIGCONT that is pending already. */
	if (delivery_take(SIGNALS_BIT(SIGCONT), resumed, 0))
		return true;
	if (kernel_create_timer(signum, &timer) < 0) {
		(void)kill(getpid(), signum);
		delivery_let_act(signum);
		return false;
	}
	kernel_set_timer(timer, 0, delay_ns / 2);
	continued = delivery_take(SIGNALS_BIT(SIGCONT), resumed, delay_ns);
	/* The timer's stop signal has discarded a SIGCONT: make one up. */
	if (!continued && errno == EINTR) {
		*resumed =
			(siginfo_t){ .si_signo = SIGCONT, .si_code = SI_USER };
		continued = true;
	}
	/* From Linux 6.13 on a timer's pending signal goes with the timer. */
	if (!continued)
		delivery_let_act(signum);
	kernel_delete_timer(timer);
	/* Discards the timer's signal, but not that of another process. */
	if (continued && delivery_take(stop, &other, 0) &&
	    other.si_code != SI_TIMER)
		(void)kernel_queue_signal(getpid(), signum, &other);
	return continued;
}

static void do_nothing(int signum)
{
	(void)signum;
}

/*
 * Only libc knows how a handler returns (SA_RESTORER). But when musl installs
 * one, it unblocks signals 33 and 34. So it installs none, and we put ours into
 * its action.
 */
static bool set_handler(void)
{
	const struct sigaction standard = { .sa_handler = SIG_DFL };
	struct kernel_sigaction action;

	(void)sigaction(SIGCHLD, &standard, NULL);
	if (kernel_set_action(SIGCHLD, NULL, &action) < 0)
		return false;
	action.words[KERNEL_HANDLER] = (unsigned long)do_nothing;
	return kernel_set_action(SIGCHLD, &action, NULL) == 0;
}

bool delivery_start_alarm(int *timer)
{
	if (kernel_create_timer(SIGCHLD, timer) < 0)
		return false;
	if (!set_handler()) {
		delivery_stop_alarm(*timer);
		return false;
	}
	delivery_block_only(~SIGNALS_BIT(SIGCHLD));
	kernel_set_timer(*timer, ALARM_NS, ALARM_NS);
	return true;
}

void delivery_stop_alarm(int timer)
{
	const struct kernel_sigaction standard = { { 0 } };

	kernel_delete_timer(timer);
	delivery_block_only(SIGNALS_ALL);
	(void)kernel_set_action(SIGCHLD, &standard, NULL);
	(void)kill(getpid(), SIGCHLD);
}
