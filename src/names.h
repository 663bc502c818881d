/*
 * What the name that we were started under decides: whose command line and
 * whose defaults are meant. After the options are read nobody asks for the name
 * again.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>

#include "options.h"

struct name {
	char text[sizeof("docker-init")]; /* none is longer */
	enum mode mode; /* until an option says otherwise; so target */
	enum target target;
	bool heeds_tini_variables;
	const char *version; /* a line for --version */
};

/*
 * The name at the end of path, which is argv[0] or any other path. One that is
 * not known is as "dumb-init".
 */
const struct name *names_find(const char *path);

#endif
