#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diagnose.h"
#include "errors.h"
#include "execute.h"
#include "format.h"
#include "log.h"

enum {
	STATUS_NOT_RUNNABLE = 126,
	STATUS_NOT_FOUND = 127,
	EXECUTE_TRIES = 4,
};

/*
 * Tries a file that may be COMMAND's program. Returns ENOENT to go on with the
 * search, 0 or another errno to end it (search_path). error: of execve(2); only
 * print_hint uses it.
 */
typedef int attempt(const char *path, char **command, int error);

/*
 * execve(2). Returns, if at all, the errno. Tries again after EAGAIN and EINTR:
 * our parent may have set these (execute.h).
 */
static int exec_file(const char *path, char **argv)
{
	int error = EAGAIN;

	for (int i = 0; i < EXECUTE_TRIES; i++) {
		(void)execve(path, argv, environ);
		error = errno;
		if (error != EAGAIN && error != EINTR)
			break;
	}
	return error;
}

static int run(const char *path, char **command, int error)
{
	char *name = command[0];
	const int failure = exec_file(path, command);

	(void)error;
	if (failure != ENOEXEC || !diagnose_may_be_script(path))
		return failure;
	/* A script without "#!" is run by the shell, execvp(3p). */
	command[-1] = "/bin/sh";
	command[0] = (char *)path;
	(void)exec_file(command[-1], command - 1);
	command[0] = name;
	return ENOEXEC;
}

/* Does not return errno, which the parent may be changing (spawn.h). */
static int exists(const char *path, char **command, int error)
{
	(void)command;
	(void)error;
	return access(path, F_OK) < 0 ? ENOENT : 0;
}

/* Prints a hint why the file at path did not run. ENOENT: there is none. */
static int print_hint(const char *path, char **command, int error)
{
	char hint[DIAGNOSE_MAX];

	(void)command;
	if (!diagnose_file(path, error, hint))
		return ENOENT;
	log_reason(LOG_ERROR, "hint: %s", hint);
	return 0;
}

/*
 * Fills candidate with the next "directory/name" of PATH that fits in size
 * bytes; an empty directory is the current one. list points to the rest of PATH
 * and moves on. Returns false at the end of PATH.
 */
static bool next_candidate(char *candidate, size_t size, const char **list,
			   const char *name)
{
	while (*list) {
		const char *directory = *list;
		const char *colon = strchr(directory, ':');
		size_t length =
			colon ? (size_t)(colon - directory) : strlen(directory);
		const char *slash = length == 0 ? "" : "/";

		*list = colon ? colon + 1 : NULL;
		if (length + strlen(name) + sizeof("/") > size)
			continue;
		format_copy(candidate, directory, length);
		format_text(candidate + length, size - length, "%s%s", slash,
			    name);
		return true;
	}
	return false;
}

static const char *path_or_default(void)
{
	const char *path = getenv("PATH");

	return path ? path : "/usr/local/bin:/usr/bin:/bin";
}

/*
 * Tries the directories of PATH until one fails for a reason other than "not
 * here", and returns that; or EACCES if a file was there and may not be
 * executed; or ENOENT.
 */
static int search_path(attempt *try, char **command, int error)
{
	const char *list = path_or_default();
	char candidate[PATH_MAX];
	int result = ENOENT;

	while (next_candidate(candidate, sizeof(candidate), &list,
			      command[0])) {
		const int failure = try(candidate, command, error);

		switch (failure) {
		case EACCES:
			/* The file, or only a directory that we may not search?
			 */
			if (exists(candidate, command, error) == 0)
				result = EACCES;
			break;
		case ENOENT:
		case ENOTDIR:
		case ENAMETOOLONG:
		case ENODEV: /* these three: a network file system is gone */
		case ESTALE:
		case ETIMEDOUT:
			break;
		default:
			return failure;
		}
	}
	return result;
}

/* Tries the files that command[0] can mean. Returns the errno. */
static int search(attempt *try, char **command, int error)
{
	if (command[0][0] == '\0')
		return ENOENT;
	if (strchr(command[0], '/'))
		return try(command[0], command, error);
	return search_path(try, command, error);
}

int execute(char **command)
{
	return search(run, command, 0);
}

int execute_explain(char **command, int error)
{
	const bool missing =
		error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG;
	char hint[DIAGNOSE_MAX];

	log_reason(LOG_ERROR, "cannot execute '%s': %s", command[0],
		   errors_text(error));
	/* ENOENT for a file that exists: its interpreter does not. */
	if (!missing || search(exists, command, error) == 0) {
		(void)search(print_hint, command, error);
		return STATUS_NOT_RUNNABLE;
	}
	if (diagnose_name(command[0], path_or_default(), hint))
		log_reason(LOG_ERROR, "hint: %s", hint);
	return STATUS_NOT_FOUND;
}
