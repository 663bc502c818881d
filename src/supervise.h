/* What we do while COMMAND runs: wait, pass signals on, collect the dead. */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include <sys/types.h>

#include "options.h"

/*
 * Returns when COMMAND, running as PID command, has ended, or the pause if
 * there is none and command is 0: with the status to end with. Whatever fails
 * meanwhile is at most worth a warning.
 */
int supervise(const struct options *options, pid_t command);

#endif
