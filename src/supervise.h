/* While COMMAND runs: waits for events, forwards signals, reaps children. */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include <sys/types.h>

#include "options.h"
#include "spawn.h"

/*
 * Returns when COMMAND, whose process is command, has exited, or the pause has
 * ended if there is none and command is 0: with the status to exit with. Any
 * failure meanwhile is at most a warning. start: as spawn has left it.
 */
int supervise(const struct options *options, struct start *start,
	      pid_t command);

#endif
