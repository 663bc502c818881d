/*
 * libFuzzer: any environment that the kernel may pass to dumb-init. The input
 * is strings, each terminated by a NUL: the first is dumb-init's name, the
 * second COMMAND's, the others are the environment. A second, plain
 * implementation reads the same values from the variables. COMMAND gets all
 * variables unchanged, except those that spawn.c sets. COMMAND is looked for in
 * each directory of PATH, in order.
 */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "fuzz.h"
#include "options.h"

enum {
	OUR_PID = 7,
	COMMAND_PID = 42,
};

/* The static functions of these modules are tested. */
#undef PATH_MAX
#define PATH_MAX  64 /* so that libFuzzer soon makes paths that are too long */
#define getppid() OUR_PID
#define getpid()  COMMAND_PID
#include "execute.c" /* NOLINT(bugprone-suspicious-include) */
#include "spawn.c"   /* NOLINT(bugprone-suspicious-include) */

static bool is(const char *text, const char *other)
{
	return text && strcmp(text, other) == 0;
}

static bool is_tini(const char *name)
{
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;

	base += *base == '-';
	return is(base, "tini") || is(base, "tini-static") ||
	       is(base, "catatonit") || is(base, "docker-init") ||
	       is(base, "podman-init");
}

static enum log_level expected_level(bool tini)
{
	const char *verbosity = tini ? getenv("TINI_VERBOSITY") : NULL;
	long long level = 0;

	if (is(getenv("DUMB_INIT_DEBUG"), "1"))
		return LOG_VERBOSE;
	if (!verbosity)
		return LOG_WARNING;
	if (*verbosity >= '0' && *verbosity <= '9')
		level = strtoll(verbosity, NULL, 10);
	/* A number that does not fit in an int is invalid. */
	if (level == 0 || level > INT_MAX)
		return LOG_ERROR;
	return level == 1 ? LOG_WARNING : LOG_VERBOSE;
}

/* Without DUMB_INIT_OPTIONS no option can be wrong. */
static void check_defaults(const struct options *options, const char *name)
{
	const bool tini = is_tini(name);
	const bool group = !tini || getenv("TINI_KILL_PROCESS_GROUP");
	enum mode mode = tini ? MODE_GROUP : MODE_SESSION;
	enum target target = group ? TARGET_GROUP : TARGET_COMMAND;

	if (is(getenv("DUMB_INIT_SETSID"), "0")) {
		mode = MODE_SINGLE_CHILD;
		target = TARGET_COMMAND;
	}
	assert(options->mode == mode && options->target == target);
	assert(options->level == expected_level(tini));
	assert(options->grace_ms == DURATION_NONE && !options->wait_all);
	assert(options->delay_signal == 0 && options->parent_death_signal == 0);
}

static void check_options(char *name)
{
	char *argv[] = { name, "command", NULL };
	struct options options;
	const int status = options_parse(&options, 2, argv);

	assert(status == OPTIONS_RUN || status == EXIT_SUCCESS ||
	       status == EXIT_FAILURE);
	if (getenv("DUMB_INIT_OPTIONS"))
		return;
	assert(status == OPTIONS_RUN);
	assert(options.command == argv + 1);
	check_defaults(&options, name);
}

/* The first variable of that name has dumb-init's PID. */
static bool names_us(char **entries, const char *name)
{
	char ours[SPAWN_VARIABLE_MAX];
	const int length = snprintf(ours, sizeof(ours), "%s=", name);

	for (; *entries; entries++) {
		if (strncmp(*entries, ours, (size_t)length) == 0)
			return strcmp(*entries + length, "7") == 0;
	}
	return false;
}

static void check_variables(void)
{
	char *before[FUZZ_WORDS_MAX + 1];
	struct start start = { .starting = 0 };
	bool removed, listen, watchdog;
	char **now = environ;
	size_t count = 0;

	do
		before[count] = environ[count];
	while (environ[count++]);
	removed = names_us(before, "LISTEN_PID");
	listen = removed;
	watchdog = names_us(before, "WATCHDOG_PID");
	update_variables(&start);
	for (char **was = before; *was; was++) {
		if (removed && strncmp(*was, "LISTEN_PIDFDID=", 15) == 0)
			continue;
		if (listen && is(*was, "LISTEN_PID=7")) {
			assert(is(*now, "LISTEN_PID=42"));
			listen = false;
		} else if (watchdog && is(*was, "WATCHDOG_PID=7")) {
			assert(is(*now, "WATCHDOG_PID=42"));
			watchdog = false;
		} else
			assert(*now == *was);
		now++;
	}
	assert(*now == NULL);
}

/* Paths, each followed by a newline. */
struct paths {
	char text[1 << 18]; /* enough for all parts of an input */
	size_t length;
};

static struct paths tried, expected;

static void add(struct paths *paths, const char *directory, const char *name)
{
	char *end = paths->text + paths->length;
	const size_t room = sizeof(paths->text) - paths->length;
	const int length = snprintf(end, room, "%s%s%s\n", directory,
				    *directory ? "/" : "", name);

	assert(length > 0 && (size_t)length < room);
	paths->length += (size_t)length;
}

static int note_tried(const char *path, char **command, int error)
{
	(void)command;
	(void)error;
	add(&tried, "", path);
	return ENOENT;
}

/* The paths that execvp(3) tries: each part of PATH, and the name. */
static void expect_candidates(const char *name)
{
	const char *path = getenv("PATH");
	char *list = strdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
	char *rest = list, *directory;

	while ((directory = strsep(&rest, ":"))) {
		if (strlen(directory) + sizeof("/") + strlen(name) <= PATH_MAX)
			add(&expected, directory, name);
	}
	free(list);
}

static void check_search(char *name)
{
	char *argv[] = { name, NULL };

	tried.length = 0;
	expected.length = 0;
	assert(search(note_tried, argv, 0) == ENOENT);
	if (strchr(name, '/'))
		add(&expected, "", name);
	else if (*name)
		expect_candidates(name);
	assert(tried.length == expected.length &&
	       memcmp(tried.text, expected.text, tried.length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[FUZZ_WORDS_MAX + 1];
	char *text = fuzz_text(data, size);
	char **saved = environ;

	if (fuzz_split(text, text + size, words) >= 2) {
		environ = words + 2;
		check_options(words[0]);
		check_search(words[1]);
		check_variables();
		environ = saved;
	}
	assert(size == 0 || memcmp(text, data, size) == 0);
	free(text);
	return 0;
}
