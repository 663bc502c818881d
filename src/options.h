/* Parses the command line and the environment variables of dumb-init. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "log.h"
#include "numbers.h"
#include "signals.h"

enum mode {
	MODE_SESSION,      /* COMMAND leads a new session */
	MODE_GROUP,        /* COMMAND leads a new process group */
	MODE_SINGLE_CHILD, /* COMMAND stays in our session and group */
	MODE_PAUSE,        /* there is no COMMAND */
};

/* The receivers of forwarded signals. */
enum target {
	TARGET_COMMAND, /* COMMAND alone */
	TARGET_GROUP,   /* COMMAND's process group */
	TARGET_ALL,     /* all processes, see processes.h */
};

enum {
	DURATION_NONE = NUMBERS_NONE, /* not given */
	STATUSES = 256,
	TERMINATION_LOG_MAX = 128, /* bytes of the path, with the NUL */
};

struct options {
	enum mode mode;
	enum target target;
	enum log_level level;
	bool wait_all;
	bool warn_on_reap;
	int parent_death_signal; /* 0: none */
	int delay_signal;        /* 0: none */
	int64_t delay_ms;
	int64_t grace_ms;      /* or DURATION_NONE */
	int64_t kill_after_ms; /* or DURATION_NONE */
	int kill_after_signal; /* if not 0, the only stop request */
	struct rewrites rewrites;
	/* The file for the reason of a failure; "": none. */
	char termination_log[TERMINATION_LOG_MAX];
	/* Status s becomes s + status_change[s] modulo 256. */
	uint8_t status_change[STATUSES];
	/*
	 * COMMAND, its arguments, and NULL; NULL alone in MODE_PAUSE.
	 * command[-1] is an earlier word of argv, for execute to overwrite.
	 */
	char **command;
	const char *program; /* command[0], which execute may overwrite */
};

enum {
	OPTIONS_RUN = -1, /* go on and run COMMAND */
};

/*
 * Applies the defaults of our name, argv[0], then the environment, then argv;
 * the later overrides the earlier. Returns OPTIONS_RUN, with options filled; or
 * the status to exit with: 0 after --help, --version or --license (printed on
 * stdout), 1 after an error (printed on stderr).
 */
int options_parse(struct options *options, int argc, char **argv);

#endif
