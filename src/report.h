/* What --verbose says. Without it these functions cost a comparison. */
#ifndef REPORT_H
#define REPORT_H

#include <sys/types.h>

#include "lifecycle.h"

/* "group" or "PID": what the number of a target is. */
const char *report_target(enum target target);

/* COMMAND, name, runs as pid. */
void report_start(const struct options *options, pid_t pid);

/*
 * What becomes of a signal, or of COMMAND's group when COMMAND has ended: info
 * came with the signal, and is NULL at the end.
 */
void report_actions(const struct event *event, const siginfo_t *info,
		    const struct actions *actions, pid_t command);

/* What waitid(2) says of a child: "COMMAND" or "orphan". */
void report_death(const char *who, const siginfo_t *dead);

#endif
