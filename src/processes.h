/*
 * Every process that we are here for: as PID 1 our PID namespace, otherwise our
 * descendants, whatever session or process group they have moved to.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Sends signum to all of them and, if wake, SIGCONT behind it. To each but
 * once, and never to another process that got the PID of one that has died.
 *
 * command: a child of ours that has not been collected, or 0. Where /proc does
 * not show our descendants, and we are not PID 1, it is the only one that gets
 * the signal.
 *
 * Returns false, with errno set, when that is so or when the kernel does not
 * let us send to one of them. That there is none is not a failure.
 */
bool processes_signal(pid_t command, int signum, bool wake);

/*
 * Whether one is left that is not our child, when we have no child left: who
 * entered our PID namespace from outside (setns(2)) is none.
 */
bool processes_left(void);

#endif
