/*
 * The decisions, without a system call: what happened goes in, what to do
 * comes out. supervise.c feeds it and carries out what it says.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "options.h"

struct lifecycle {
	const struct options *options;
	bool ended; /* COMMAND has; so are we to, with status */
	int status;
};

struct event {
	enum {
		EVENT_SIGNAL,        /* signum arrived, not SIGCHLD */
		EVENT_COMMAND_ENDED, /* cause and status say how */
	} kind;
	int signum;
	/* COMMAND has it already: the terminal sent it to our whole group. */
	bool reached_command;
	int cause;  /* CLD_EXITED, CLD_KILLED or CLD_DUMPED, waitid(2) */
	int status; /* its exit status, or the signal that killed it */
};

enum target {
	TARGET_COMMAND, /* COMMAND alone */
	TARGET_GROUP,   /* COMMAND's process group */
};

/* To be carried out in this order. */
struct actions {
	int signum; /* to send to the target; 0 for none */
	enum target target;
	bool suspend; /* stop ourselves until SIGCONT */
};

/* COMMAND runs. */
struct lifecycle lifecycle_start(const struct options *options);

/* Takes an event in and says what to do about it. */
struct actions lifecycle_step(struct lifecycle *lifecycle,
			      const struct event *event);

#endif
