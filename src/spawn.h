/*
 * Starting COMMAND: its session, its terminal, its program; and letting go of
 * what is its and not ours.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include <sys/types.h>

#include "options.h"

enum {
	SPAWN_FAILED = -1,
	SPAWN_NOBODY = 0, /* in MODE_PAUSE */
};

/*
 * Runs options->command, with what we inherited. Returns its PID once its
 * program runs (from then on a signal can be passed on), with us in "/" and
 * without a file but 0, 1 and 2. Otherwise says why and returns SPAWN_FAILED
 * with, in status, what to end with: 127 when there is no such program, 126
 * when it does not run, 1 when there could be no process.
 *
 * Uses up options->command[-1] and the environment, either way.
 */
pid_t spawn(const struct options *options, const struct inherited *inherited,
	    int *status);

#endif
