/*
 * The decisions, without a system call: what happened goes in, what to do
 * comes out. supervise.c feeds it and carries out what it says.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "options.h"
#include "terminal.h"

#define LIFECYCLE_NEVER INT64_MAX

/* From one SIGKILL to the next, and from the second to our end; in ns. */
#define LIFECYCLE_KILL_AGAIN (20 * SIGNALS_MS)
#define LIFECYCLE_GIVE_UP    (980 * SIGNALS_MS)

/* Times are in nanoseconds, of a clock that is not set, and may be NEVER. */
struct lifecycle {
	const struct options *options;
	enum phase {
		PHASE_RUNNING, /* COMMAND is */
		PHASE_LEFT,    /* COMMAND has ended, others are left */
		PHASE_OVER,    /* we end, with status */
	} phase;
	int status;
	int64_t pass_held_at; /* NEVER: options->delayed is not held back */
	bool asked_to_end;    /* SIGTERM, SIGINT or SIGQUIT was passed on */
	bool killed;          /* everything got SIGKILL */
	int64_t kill_at;
	int64_t give_up_at;
};

struct event {
	enum {
		EVENT_SIGNAL,          /* signum arrived, not SIGCHLD */
		EVENT_COMMAND_STOPPED, /* by signum; we are at place */
		EVENT_COMMAND_ENDED,   /* cause and status say how */
		EVENT_NOTHING_LEFT,    /* of COMMAND and all others */
		EVENT_DEADLINE,        /* it has come, lifecycle_deadline */
	} kind;
	int signum;
	/* COMMAND has it already: the terminal sent it to our whole group. */
	bool reached_command;
	enum terminal_place place;
	int cause;  /* CLD_EXITED, CLD_KILLED or CLD_DUMPED, waitid(2) */
	int status; /* its exit status, or the signal that killed it */
};

/* To be carried out in this order. */
struct actions {
	bool hold;      /* keep what came with this signal */
	bool release;   /* signum is for the one that was kept */
	bool end_pause; /* the signal that arrived did, and is used up */
	/* Bring COMMAND's group into the foreground, if we are there. */
	bool lend_terminal;
	int signum; /* to send to the target; 0 for none */
	enum target target;
	bool wake;               /* send SIGCONT behind it */
	bool last_resort;        /* this SIGKILL is the first */
	bool suspend;            /* stop ourselves until SIGCONT */
	bool take_terminal_back; /* from COMMAND, for we are still here */
};

/* COMMAND runs. */
struct lifecycle lifecycle_start(const struct options *options);

/*
 * When the next deadline is; NEVER if there is none. It may have passed; then
 * EVENT_DEADLINE is due.
 */
int64_t lifecycle_deadline(const struct lifecycle *lifecycle);

/* Takes an event in, which happens now, and says what to do about it. */
struct actions lifecycle_step(struct lifecycle *lifecycle,
			      const struct event *event, int64_t now);

#endif
