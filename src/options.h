/* What the user asked for, from argv and the environment. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "log.h"
#include "numbers.h"
#include "signals.h"

enum mode {
	MODE_SESSION,      /* COMMAND leads a session */
	MODE_GROUP,        /* COMMAND leads a process group of our session */
	MODE_SINGLE_CHILD, /* COMMAND stays where we are */
	MODE_PAUSE,        /* there is no COMMAND */
};

/* Whom a signal is passed on to. */
enum target {
	TARGET_COMMAND,    /* COMMAND alone */
	TARGET_GROUP,      /* COMMAND's process group */
	TARGET_EVERYTHING, /* every process that we are here for */
};

enum {
	DURATION_NONE = NUMBERS_NONE, /* not asked for; 0 is at once */
	STATUSES = 256,
	TERMINATION_LOG_MAX = 128, /* bytes of its path, with the NUL */
};

struct options {
	enum mode mode;
	enum target target;
	enum log_level level;
	bool wait_all;
	bool warn_on_reap;
	int parent_death_signal; /* 0 for none */
	int delayed;             /* the signal to hold back; 0 for none */
	int64_t delay_ms;        /* for how long */
	int64_t grace_ms;        /* or DURATION_NONE */
	int64_t kill_after_ms;   /* or DURATION_NONE */
	int kill_after_signal;   /* the only stop request; 0: the usual ones */
	struct rewrites rewrites;
	/* Where to say why we end, besides stderr; "" for nowhere. */
	char termination_log[TERMINATION_LOG_MAX];
	/* What to add to a status, modulo 256, to end with another. */
	uint8_t status_change[STATUSES];
	/*
	 * COMMAND and its arguments, NULL at the end; nothing but that NULL in
	 * MODE_PAUSE. command[-1] is a word of argv too, one that is done with.
	 */
	char **command;
};

enum {
	OPTIONS_RUN = -1, /* there is something to do */
};

/*
 * Reads our name, argv[0], for defaults, then the environment and then argv,
 * where the later counts more. Returns OPTIONS_RUN with options filled, or the
 * status to end with: 0 after --help, --version and --license (said on stdout),
 * 1 after an error (said on stderr).
 */
int options_parse(struct options *options, int argc, char **argv);

#endif
