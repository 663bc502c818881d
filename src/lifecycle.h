/*
 * The decisions, without a system call: what happened goes in, what to do
 * comes out. supervise.c feeds it and carries out what it says.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "options.h"
#include "terminal.h"

#define LIFECYCLE_NEVER INT64_MAX

/*
 * From one SIGKILL to the next when COMMAND has exited, and from the second to
 * our exit; and from a SIGKILL for COMMAND to our exit; in ns.
 */
#define LIFECYCLE_KILL_AGAIN   (20 * SIGNALS_MS)
#define LIFECYCLE_GIVE_UP      (980 * SIGNALS_MS)
#define LIFECYCLE_GIVE_UP_LATE (1000 * SIGNALS_MS)

/* Times are in nanoseconds, of a clock that is not set, and may be NEVER. */
struct lifecycle {
	const struct options *options;
	bool is_pid_1; /* we are, and the kernel does not stop us */
	enum phase {
		PHASE_RUNNING, /* COMMAND is */
		PHASE_LEFT,    /* COMMAND has exited, other processes remain */
		PHASE_OVER,    /* we exit, with status */
	} phase;
	int status;
	int64_t pass_held_at; /* NEVER: options->delayed is not held back */
	bool stop_requested;  /* for the first time, that is */
	bool killed;          /* everything got SIGKILL */
	bool stopped; /* COMMAND got a stop signal, and no SIGCONT since */
	bool lent;    /* COMMAND had the terminal when it last stopped */
	int64_t kill_at;
	int64_t give_up_at;
};

struct event {
	enum {
		EVENT_SIGNAL,          /* signum arrived, not SIGCHLD */
		EVENT_COMMAND_STOPPED, /* by signum */
		EVENT_COMMAND_ENDED,   /* cause and status say how */
		EVENT_NOT_STARTED,     /* its program: exit with status */
		EVENT_NOTHING_LEFT,    /* neither COMMAND nor others */
		EVENT_DEADLINE,        /* it has come, lifecycle_deadline */
	} kind;
	int signum;
	/* COMMAND has it already: the terminal sent it to our whole group. */
	bool reached_command;
	/* COMMAND handles the job stop signal that would be forwarded. */
	bool caught;
	/* The owner of the terminal, for a job stop signal in group mode. */
	enum terminal_place place;
	int cause;  /* CLD_EXITED, CLD_KILLED or CLD_DUMPED, waitid(2) */
	int status; /* its exit status, or the signal that killed it */
};

/* To be carried out in this order. */
struct actions {
	bool hold;      /* keep what came with this signal */
	bool release;   /* signum is for the one that was kept */
	bool end_pause; /* the signal that arrived did, and is used up */
	/* Bring COMMAND's group into the foreground, if we are there ... */
	bool lend_terminal;
	bool only_on_stdin;      /* ... and if the terminal is our stdin */
	bool take_terminal_back; /* from COMMAND */
	int signum;              /* to send to the target; 0 for none */
	enum target target;
	bool wake;        /* send SIGCONT to it, too */
	bool last_resort; /* this SIGKILL is the first */
	bool give_up;     /* on processes that SIGKILL does not end */
	int suspend; /* stop ourselves by this signal until SIGCONT; or 0 */
	bool suspend_group; /* and send it to our whole process group */
};

/* COMMAND runs. If we are PID 1 is_pid_1 must be set before the first event. */
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
