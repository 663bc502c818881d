/* What the user asked for, from argv and the environment. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "log.h"
#include "signals.h"

enum mode {
	MODE_SESSION, /* COMMAND leads a session; its group is the target */
	MODE_SINGLE_CHILD, /* COMMAND stays where we are; it is the target */
};

struct options {
	enum mode mode;
	enum log_level level;
	struct rewrites rewrites;
	/*
	 * COMMAND and its arguments, NULL at the end. command[-1] is a word
	 * of argv too, one that is done with.
	 */
	char **command;
};

enum {
	OPTIONS_RUN = -1, /* there is a COMMAND to run */
};

/*
 * Reads the environment and then argv, which counts more. Returns OPTIONS_RUN
 * with options filled, or the status to end with: 0 after --help and --version
 * (said on stdout), 1 after an error (said on stderr).
 */
int options_parse(struct options *options, int argc, char **argv);

#endif
