#include <errno.h>
#include <stdlib.h>

#include "delivery.h"
#include "errors.h"
#include "log.h"
#include "options.h"
#include "spawn.h"
#include "supervise.h"

int main(int argc, char **argv)
{
	/* Static: a page of stack, once touched, would stay resident. */
	static struct inherited inherited;
	static struct options options;
	static struct start start;
	pid_t command;
	int status;

	/* First: the kernel discards a signal for PID 1 that is not blocked. */
	if (!delivery_block_all(&inherited)) {
		log_error("cannot block signals: %s", errors_text(errno));
		return EXIT_FAILURE;
	}
	status = options_parse(&options, argc, argv);
	if (status != OPTIONS_RUN)
		return status;
	log_set_level(options.level);
	log_set_reason_file(options.termination_log);
	command = spawn(&start, &options, &inherited);
	if (command == SPAWN_FAILED)
		return EXIT_FAILURE;
	return supervise(&options, &start, command);
}
