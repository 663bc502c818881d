/* While COMMAND runs: waits for events, forwards signals, reaps children. */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include <sys/types.h>

#include "options.h"
#include "spawn.h"

/*
 * Returns the status to exit with, when COMMAND has exited, and with --grace or
 * --wait-all all other processes; or when the pause has ended. command: the PID
 * that spawn returned. Failures meanwhile are warnings.
 */
int supervise(const struct options *options, struct start *start,
	      pid_t command);

#endif
