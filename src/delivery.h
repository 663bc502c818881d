/*
 * How signals reach this process: all are blocked, so that each waits until we
 * take it. There are no handlers, except after delivery_start_alarm.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel.h"
#include "signals.h"

/* The mask and the action that we were started with, for COMMAND. */
struct inherited {
	signals_set mask;
	struct kernel_sigaction sigchld;
};

/*
 * Blocks all signals, and lets the kernel keep the exit statuses of our
 * children. Returns false, with errno set, when the kernel refuses.
 */
bool delivery_block_all(struct inherited *inherited);

/*
 * Undoes delivery_block_all, in the child that becomes COMMAND. Returns false,
 * with errno set, when the kernel refuses.
 */
bool delivery_restore(const struct inherited *inherited);

/*
 * Waits for the next signal and fills info. Returns false when timeout_ns
 * (KERNEL_FOREVER: never) has passed, or shortly after the wait was interrupted
 * (we were stopped and continued, or traced) or refused.
 */
bool delivery_wait(siginfo_t *info, int64_t timeout_ns);

/*
 * Takes one signal of the set and fills info. Returns false if none arrived
 * within timeout_ns. 0: takes a pending signal or none.
 */
bool delivery_take(signals_set set, siginfo_t *info, int64_t timeout_ns);

/* Takes all pending signals and returns the set of them. */
signals_set delivery_discard(void);

/* Blocks the signals of the set and no others: others act on this process. */
void delivery_block_only(signals_set set);

/*
 * Unblocks the signal for a moment, so that a pending one has its default
 * action, even if we inherited that it is ignored. If it stops this process,
 * this returns after it was continued.
 */
void delivery_let_act(int signum);

/*
 * Stops this process by signum, a job stop signal, after delay_ns; or, if a
 * SIGCONT arrives before that, returns true and fills resumed.
 *
 * The kernel discards a pending SIGCONT when it sends a stop signal, and the
 * other way round (signal(7)). If we looked for a SIGCONT and then stopped, a
 * SIGCONT between the two would be lost. Here a timer sends the stop signal,
 * which is blocked, after half of delay_ns, while rt_sigtimedwait(2) waits for
 * SIGCONT. A SIGCONT that comes before the stop signal ends the wait. If it
 * comes just before, the stop signal discards it, but the wait was interrupted
 * (EINTR). A SIGCONT that comes later discards the stop signal and ends the
 * wait. Without one, the pending stop signal is then let act. A SIGCONT is lost
 * only if this process waits half of delay_ns for a processor at the wrong
 * moment.
 */
bool delivery_stop_unless_continued(int signum, int64_t delay_ns,
				    siginfo_t *resumed);

/*
 * From now on a system call that sleeps is interrupted (EINTR), within 40 ms:
 * a timer ticks every 20 ms, and a tick just before the call sleeps does not
 * interrupt it. Returns false where the kernel has no timers, or the signal
 * queue no room for one (timer_create(2)). timer is for the next function.
 *
 * The timer sends SIGCHLD, the one signal that is not forwarded. A child's
 * SIGCHLD is lost meanwhile: delivery_stop_alarm makes up for it.
 */
bool delivery_start_alarm(int *timer);

/* Ends that, and leaves a SIGCHLD pending, so that all children are looked at.
 */
void delivery_stop_alarm(int timer);

#endif
