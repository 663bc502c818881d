#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "log.h"
#include "options.h"
#include "signals.h"
#include "spawn.h"
#include "supervise.h"

int main(int argc, char **argv)
{
	/* Not on the stack: a page of that, once touched, stays resident. */
	static struct inherited inherited;
	static struct options options;
	static struct start start;
	pid_t command;
	int status;

	/* First of all: PID 1 loses a signal that is not blocked. */
	if (!signals_take_over(&inherited)) {
		log_error("cannot block signals: %s", errors_text(errno));
		return EXIT_FAILURE;
	}
	status = options_parse(&options, argc, argv);
	if (status != OPTIONS_RUN)
		return status;
	log_set_level(options.level);
	log_set_file(options.termination_log);
	command = spawn(&start, &options, &inherited);
	if (command == SPAWN_FAILED)
		return EXIT_FAILURE;
	return supervise(&options, &start, command);
}
