/*
 * The decisions, without system calls: an event goes in, and the actions that
 * follow from it come out. supervise.c feeds in the events and carries out the
 * actions.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include "options.h"
#include "terminal.h"

#define LIFECYCLE_NEVER INT64_MAX

/* In ns. After COMMAND's exit SIGKILL is repeated in this interval. */
#define LIFECYCLE_KILL_AGAIN (20 * NUMBERS_MS)
/* From the second of these SIGKILLs to our exit. */
#define LIFECYCLE_GIVE_UP (1000 * NUMBERS_MS - LIFECYCLE_KILL_AGAIN)
/* From a SIGKILL for a running COMMAND to our exit. */
#define LIFECYCLE_GIVE_UP_LATE (1000 * NUMBERS_MS)

/* Times are in ns of CLOCK_MONOTONIC; each may be LIFECYCLE_NEVER. */
struct lifecycle {
	const struct options *options;
	bool is_pid_1; /* the kernel does not let us stop */
	enum phase {
		PHASE_RUNNING, /* COMMAND runs, or the pause lasts */
		PHASE_WAITING, /* COMMAND has exited, other processes remain */
		PHASE_OVER,    /* we exit with status */
	} phase;
	int status;
	int64_t delay_ends_at; /* NEVER: no delayed signal waits */
	bool stop_requested;   /* the first stop request has arrived */
	bool killed;           /* SIGKILL was sent to all processes */
	/* COMMAND is stopped and we are not: a stop request continues it. */
	bool stopped;
	/* The terminal or another process has stopped COMMAND's group. */
	bool group_stopped;
	/* COMMAND's group was in the foreground when it last stopped. */
	bool had_terminal;
	int64_t kill_at;
	bool kill_by_grace; /* kill_at comes from --grace, not --kill-after */
	int64_t give_up_at;
};

struct event {
	enum {
		EVENT_SIGNAL,          /* signum arrived; not SIGCHLD */
		EVENT_COMMAND_STOPPED, /* by signum */
		EVENT_COMMAND_EXITED,  /* see lifecycle_set_status */
		EVENT_EXEC_FAILED,     /* COMMAND's; exit with status */
		EVENT_ALL_EXITED,      /* COMMAND and all other processes */
		EVENT_DEADLINE,        /* lifecycle_deadline has passed */
	} kind;
	int signum;
	/* The terminal sent the signal to our group, and COMMAND is in it. */
	bool reached_command;
	/* COMMAND handles the job stop signal that would be forwarded. */
	bool caught;
	/* Of the terminal, for a job stop signal in group mode. */
	enum terminal_owner owner;
	int status; /* of EVENT_EXEC_FAILED */
};

/* The effect of an event, for the messages and for the delayed signal. */
enum outcome {
	OUTCOME_NONE,          /* nothing to tell */
	OUTCOME_FORWARDED,     /* the signal that arrived, as signum */
	OUTCOME_DROPPED,       /* the signal that arrived */
	OUTCOME_ALREADY_SENT,  /* to COMMAND, by the terminal */
	OUTCOME_DELAYED,       /* keep the siginfo of the signal that arrived */
	OUTCOME_PAUSE_ENDED,   /* by the signal that arrived */
	OUTCOME_TERMINATE,     /* COMMAND has exited: SIGTERM to the target */
	OUTCOME_GRACE_EXPIRED, /* first SIGKILL, by --grace */
	OUTCOME_KILL_AFTER_EXPIRED, /* first SIGKILL, by --kill-after */
	OUTCOME_GAVE_UP,            /* some process survived SIGKILL */
};

/* To be carried out in this order. */
struct actions {
	enum outcome outcome;
	bool delay_ended; /* the outcome is that of the delayed signal */
	/* Bring COMMAND's group into the foreground if ours is there; with
	 * stdin_only, only if the terminal is our stdin. */
	bool give_terminal;
	bool stdin_only;
	bool take_terminal; /* back from COMMAND's group */
	int signum;         /* to send to target; 0: none */
	enum target target;
	bool wake;          /* send SIGCONT after it */
	int suspend;        /* stop ourselves by this signal; 0: do not */
	bool suspend_group; /* send it to our whole process group */
};

/*
 * The state when COMMAND has been started. If we are PID 1 the caller sets
 * is_pid_1 before the first event. It sets stopped if suspend had no effect.
 */
struct lifecycle lifecycle_start(const struct options *options);

/*
 * The time of the next deadline, or LIFECYCLE_NEVER. When it has passed,
 * EVENT_DEADLINE is due.
 */
int64_t lifecycle_deadline(const struct lifecycle *lifecycle);

/* Takes an event that happens at time now (ns) and returns its actions. */
struct actions lifecycle_step(struct lifecycle *lifecycle,
			      const struct event *event, int64_t now);

/*
 * Sets COMMAND's status, after EVENT_COMMAND_EXITED. cause: CLD_EXITED,
 * CLD_KILLED or CLD_DUMPED; status: the exit status, or the signal (waitid(2)).
 */
void lifecycle_set_status(struct lifecycle *lifecycle, int cause, int status);

#endif
