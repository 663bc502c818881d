#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "delivery.h"
#include "errors.h"
#include "format.h"
#include "license.h"
#include "options.h"

/* The name that dumb-init was started under decides on the defaults. */
struct name {
	char text[sizeof("docker-init")]; /* no name is longer */
	enum mode mode;
	enum target target;
	bool heeds_tini_variables;
	const char *version; /* what --version prints */
};

/* dockerd parses this, and requires " - git." and a commit. */
static const char tini_version[] =
	"tini version " VERSION " - git." COMMIT "\n";

/* The first stands for every name that is not here. */
static const struct name names[] = {
	{ "dumb-init", MODE_SESSION, TARGET_GROUP, false,
	  "dumb-init v" VERSION "\nsource - git." COMMIT "\n" },
	{ "docker-init", MODE_GROUP, TARGET_COMMAND, true, tini_version },
	{ "podman-init", MODE_GROUP, TARGET_COMMAND, true, tini_version },
	{ "tini", MODE_GROUP, TARGET_COMMAND, true, tini_version },
	{ "tini-static", MODE_GROUP, TARGET_COMMAND, true, tini_version },
	{ "catatonit", MODE_GROUP, TARGET_COMMAND, true, tini_version },
};

/* path: argv[0], or any other path. */
static const struct name *find_own_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *text = slash ? slash + 1 : path;

	if (*text == '-') /* a login shell's */
		text++;
	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i].text) == 0)
			return &names[i];
	}
	return &names[0];
}

enum {
	TERMINATION_LOG = 1, /* for a letter, which this option does not have */
};

static const char a_duration[] = "a duration such as 10, 0.5, 500ms or 2m";

/* For both parsing and --help. */
static const struct row {
	char letter;   /* or TERMINATION_LOG */
	char excludes; /* the letter of an option that it conflicts with */
	const char *name;
	const char *argument; /* NULL: none; begins with "[=": optional */
	const char *expected; /* the argument, for error messages */
	const char *help;
} rows[] = {
	{ 'c', 'g', "single-child", NULL, NULL,
	  "no new session; signals go to COMMAND alone" },
	{ 'g', 'c', "process-group", NULL, NULL,
	  "new process group, no new session" },
	{ 'a', '-', "all", NULL, NULL, "signals go to all processes" },
	{ 'r', '-', "rewrite", "FROM:TO", "FROM:TO, two signals, or TO 0",
	  "forward TO instead of FROM; 0 drops it (+)" },
	{ 'd', '-', "delay", "SIG:DURATION",
	  "a signal and a duration, such as TERM:5s",
	  "forward SIG later, or at a second SIG" },
	{ 't', 'W', "grace", "DURATION", a_duration,
	  "SIGTERM after COMMAND's exit, then SIGKILL" },
	{ 'k', '-', "kill-after", "[SIG:]DURATION",
	  "a duration, or a signal and a duration, such as 10 or WINCH:10",
	  "SIGKILL after a stop request (or SIG)" },
	{ 'W', 't', "wait-all", NULL, NULL,
	  "wait until all processes have exited" },
	{ 'e', '-', "map-exit", "FROM[:TO]", "FROM[:TO], each 0 to 255",
	  "exit with TO, or 0, instead of FROM (+)" },
	{ 'p', '-', "parent-death-signal", "SIG", "a signal",
	  "receive SIG when the parent process dies" },
	{ 's', '-', "subreaper", NULL, NULL,
	  "for compatibility with tini; always on" },
	{ 'w', '-', "warn-on-reap", NULL, NULL,
	  "print a line for each reaped orphan" },
	{ 'P', '-', "pause", NULL, NULL,
	  "no COMMAND; wait for SIGTERM or SIGINT" },
	{ TERMINATION_LOG, '-', "termination-log", "[=FILE]",
	  "an absolute path of at most 127 bytes",
	  "write the reason of a failure there, too" },
	{ 'q', '-', "quiet", NULL, NULL, "print fatal errors only" },
	{ 'v', '-', "verbose", NULL, NULL, "print each signal and each exit" },
	{ 'h', '-', "help", NULL, NULL, "print this help" },
	{ 'V', '-', "version", NULL, NULL, "print the version" },
	{ 'l', '-', "license", NULL, NULL, "print the licence; also -L" },
};

enum {
	ROWS = sizeof(rows) / sizeof(rows[0]),
	HELP_COLUMN = 35, /* where the help texts begin */
	FIELD_MAX = 16,   /* bytes of FROM in FROM:TO, with the NUL */
};

static const char *const usage =
	"Usage: dumb-init [OPTION]... [--] COMMAND [ARG]...\n"
	"       dumb-init [OPTION]... --pause\n"
	"\n"
	"Runs COMMAND as the init of a container: forwards signals to it, "
	"reaps\n"
	"orphans, and exits with its status.\n"
	"\n";

static const char *const environment =
	"\n"
	"SIG, FROM, TO: 15, TERM, SIGTERM, RTMIN+3. DURATION: 10, 0.5, 500ms, "
	"2m.\n"
	"(+): may be repeated.\n"
	"Variables: DUMB_INIT_SETSID=0 is -c, DUMB_INIT_DEBUG=1 is -v;\n"
	"DUMB_INIT_OPTIONS has options to parse first.\n"
	"With the name tini, catatonit, docker-init or podman-init:\n"
	"new process group, and without -g signals go to COMMAND alone.\n";

static const char *const license = LICENSE_TEXT;

/*
 * Prints text on stdout; false on failure. No COMMAND needs our signals, so
 * they may kill us while stdout has no room; PID 1 is killed by SIGKILL alone
 * (pid_namespaces(7)). SIGPIPE and SIGXFSZ stay blocked: a failing write is an
 * error instead.
 */
static bool print(const char *text)
{
	const size_t length = strlen(text);

	delivery_block_only(SIGNALS_BIT(SIGPIPE) | SIGNALS_BIT(SIGXFSZ));
	return write(STDOUT_FILENO, text, length) == (ssize_t)length;
}

/* Returns the status to exit with. */
static int print_and_exit(const char *text)
{
	return print(text) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool has_letter(const struct row *row)
{
	return row->letter > ' ';
}

static bool needs_argument(const struct row *row)
{
	return row->argument && strncmp(row->argument, "[=", 2) != 0;
}

static bool print_row(const struct row *row)
{
	char letter[sizeof("-x,")] = "   ";
	char line[128];
	size_t length;

	if (has_letter(row))
		format_text(letter, sizeof(letter), "-%s,",
			    (char[]){ row->letter, '\0' });
	length = format_text(line, sizeof(line), "  %s --%s%s%s", letter,
			     row->name, needs_argument(row) ? " " : "",
			     row->argument ? row->argument : "");
	while (length < HELP_COLUMN)
		line[length++] = ' ';
	format_text(line + length, sizeof(line) - length, "%s\n", row->help);
	return print(line);
}

static int print_help(void)
{
	bool printed = print(usage);

	for (size_t i = 0; i < ROWS; i++)
		printed = printed && print_row(&rows[i]);
	return printed ? print_and_exit(environment) : EXIT_FAILURE;
}

/*
 * Copies the part of text before its first colon, and returns the part after
 * it. Returns NULL if there is no colon, or the first part is too long.
 */
static const char *split_at_colon(const char *text, char before[FIELD_MAX])
{
	const char *colon = strchr(text, ':');

	if (colon == NULL || colon - text >= FIELD_MAX)
		return NULL;
	format_copy(before, text, (size_t)(colon - text));
	return colon + 1;
}

static bool set_rewrite(struct options *options, const char *text)
{
	char from[FIELD_MAX];
	const char *to = split_at_colon(text, from);

	return to && signals_rewrite(&options->rewrites, from, to);
}

/* [SIG:]DURATION */
static bool set_kill_after(struct options *options, const char *text)
{
	char signal[FIELD_MAX];
	const char *duration = split_at_colon(text, signal);

	options->kill_after_signal = duration ? signals_parse(signal) : 0;
	options->kill_after_ms = numbers_duration(duration ? duration : text);
	return options->kill_after_signal != SIGNALS_NONE &&
	       options->kill_after_ms != NUMBERS_NONE;
}

static bool set_delay(struct options *options, const char *text)
{
	char signal[FIELD_MAX];
	const char *duration = split_at_colon(text, signal);

	if (duration == NULL)
		return false;
	options->delay_signal = signals_parse(signal);
	options->delay_ms = numbers_duration(duration);
	return options->delay_signal != SIGNALS_NONE &&
	       options->delay_ms != NUMBERS_NONE;
}

/* -P overrides the modes, and -a the targets. */
static bool set_mode(struct options *options, enum mode mode,
		     enum target target)
{
	if (options->mode != MODE_PAUSE)
		options->mode = mode;
	if (options->target != TARGET_ALL)
		options->target = target;
	return true;
}

static bool set_duration(int64_t *duration_ms, const char *text)
{
	*duration_ms = numbers_duration(text);
	return *duration_ms != NUMBERS_NONE;
}

static bool set_map_exit(struct options *options, const char *text)
{
	char before[FIELD_MAX];
	const char *after = split_at_colon(text, before);
	int from = numbers_parse(after ? before : text, STATUSES - 1);
	int to = after ? numbers_parse(after, STATUSES - 1) : 0;

	if (from == NUMBERS_NONE || to == NUMBERS_NONE)
		return false;
	options->status_change[from] = (uint8_t)(to - from);
	return true;
}

static bool set_parent_death_signal(struct options *options, const char *text)
{
	options->parent_death_signal = signals_parse(text);
	return options->parent_death_signal != SIGNALS_NONE;
}

/* Absolute, as our directory is "/" when we write there. NULL: the default. */
static bool set_termination_log(struct options *options, const char *path)
{
	if (path == NULL)
		path = "/dev/termination-log"; /* Kubernetes reads it */
	format_text(options->termination_log, TERMINATION_LOG_MAX, "%s", path);
	return *path == '/' && strlen(path) < TERMINATION_LOG_MAX;
}

static bool set_level(struct options *options, enum log_level level)
{
	options->level = level;
	return true;
}

/* Applies an option. Returns whether its argument is valid. */
static bool set_option(struct options *options, char letter,
		       const char *argument)
{
	switch (letter) {
	case 'c':
		return set_mode(options, MODE_SINGLE_CHILD, TARGET_COMMAND);
	case 'g':
		return set_mode(options, MODE_GROUP, TARGET_GROUP);
	case 'a':
		options->target = TARGET_ALL;
		return true;
	case 'r':
		return set_rewrite(options, argument);
	case 'd':
		return set_delay(options, argument);
	case 't':
		options->wait_all = false;
		return set_duration(&options->grace_ms, argument);
	case 'k':
		return set_kill_after(options, argument);
	case 'W':
		options->grace_ms = DURATION_NONE;
		options->wait_all = true;
		return true;
	case 'e':
		return set_map_exit(options, argument);
	case 'p':
		return set_parent_death_signal(options, argument);
	case 'w':
		options->warn_on_reap = true;
		return true;
	case 'P':
		options->mode = MODE_PAUSE;
		return true;
	case TERMINATION_LOG:
		return set_termination_log(options, argument);
	case 'q':
		return set_level(options, LOG_ERROR);
	case 'v':
		return set_level(options, LOG_VERBOSE);
	}
	return true; /* -s is always on */
}

/*
 * Not getopt_long(3): it is 5.5 KB, permutes in one C library and not in
 * another, and does not say which word is wrong.
 */
struct parser {
	struct options *options;
	const struct name *name;
	const char *source; /* of the words, as a prefix of error messages */
	char **next;        /* the next word to parse */
	bool given[ROWS];   /* these options have been given */
};

static int usage_error(const struct parser *parser, const char *problem,
		       const char *word)
{
	log_error("%s%s '%s' (see --help)", parser->source, problem, word);
	return EXIT_FAILURE;
}

static int argument_error(const struct parser *parser, const struct row *row,
			  const char *argument)
{
	log_error("%s--%s: expected %s, got '%s' (see --help)", parser->source,
		  row->name, row->expected, argument);
	return EXIT_FAILURE;
}

static int conflict_error(const struct parser *parser, const struct row *row,
			  const struct row *other)
{
	log_error("%s-%s (--%s) and -%s (--%s) cannot be combined (see --help)",
		  parser->source, (char[]){ row->letter, '\0' }, row->name,
		  (char[]){ other->letter, '\0' }, other->name);
	return EXIT_FAILURE;
}

/* Returns as options_parse does. */
static int parse_option(struct parser *parser, const struct row *row,
			const char *argument)
{
	switch (row->letter) {
	case 'h':
		return print_help();
	case 'V':
		return print_and_exit(parser->name->version);
	case 'l':
		return print_and_exit(license);
	}
	for (size_t i = 0; i < ROWS; i++) {
		if (parser->given[i] && rows[i].letter == row->excludes)
			return conflict_error(parser, row, &rows[i]);
	}
	if (!set_option(parser->options, row->letter, argument))
		return argument_error(parser, row, argument);
	parser->given[row - rows] = true;
	return OPTIONS_RUN;
}

static const struct row *find_letter(char letter)
{
	if (letter == 'L') /* catatonit's; tini has -l */
		letter = 'l';
	for (const struct row *row = rows; row < rows + ROWS; row++) {
		if (row->letter == letter && has_letter(row))
			return row;
	}
	return NULL;
}

/* word: "v", "vc", "r1:2" or "cr" for "-v", "-vc", "-r1:2" or "-cr 1:2". */
static int parse_letters(struct parser *parser, const char *word)
{
	int status = OPTIONS_RUN;

	for (; *word != '\0' && status == OPTIONS_RUN; word++) {
		const char letter[] = { '-', *word, '\0' };
		const struct row *row = find_letter(*word);

		if (row == NULL)
			return usage_error(parser, "unknown option", letter);
		if (row->argument) {
			const char *argument =
				word[1] ? word + 1 : *parser->next++;

			if (argument == NULL)
				return usage_error(
					parser, "missing argument of", letter);
			return parse_option(parser, row, argument);
		}
		status = parse_option(parser, row, NULL);
	}
	return status;
}

/*
 * The option whose name is the length bytes at name, or begins with them if no
 * other does. Otherwise NULL, and error is set to the problem.
 */
static const struct row *find_name(const char *name, size_t length,
				   const char **error)
{
	const struct row *found = NULL;

	*error = "unknown option";
	for (const struct row *row = rows; row < rows + ROWS; row++) {
		if (strncmp(row->name, name, length) != 0)
			continue;
		if (row->name[length] == '\0')
			return row;
		if (found) {
			*error = "ambiguous option";
			return NULL;
		}
		found = row;
	}
	return found;
}

/* word: "--verbose", "--rewrite" (before "1:2") or "--rewrite=1:2". */
static int parse_name(struct parser *parser, const char *word)
{
	const char *name = word + 2;
	const char *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const char *argument = equals ? equals + 1 : NULL;
	const char *error;
	const struct row *row = find_name(name, length, &error);

	if (row == NULL)
		return usage_error(parser, error, word);
	if (argument && !row->argument)
		return usage_error(parser, "option takes no argument:", word);
	if (needs_argument(row) && !argument) {
		argument = *parser->next++;
		if (argument == NULL)
			return usage_error(parser, "missing argument of", word);
	}
	return parse_option(parser, row, argument);
}

/* Parses words up to the first that is no option. Returns as options_parse. */
static int parse_words(struct parser *parser)
{
	while (*parser->next && parser->next[0][0] == '-' &&
	       parser->next[0][1]) {
		const char *word = *parser->next++;
		int status;

		if (strcmp(word, "--") == 0)
			break;
		status = word[1] == '-' ? parse_name(parser, word)
					: parse_letters(parser, word + 1);
		if (status != OPTIONS_RUN)
			return status;
	}
	return OPTIONS_RUN;
}

/* As isspace(3) in the C locale. */
static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Splits text into words at whitespace. Fills words, and adds a NULL. */
static void split_words(char *text, char **words)
{
	bool in_word = false;

	for (; *text != '\0'; text++) {
		if (is_space(*text)) {
			*text = '\0';
			in_word = false;
		} else if (!in_word) {
			*words++ = text;
			in_word = true;
		}
	}
	*words = NULL;
}

/*
 * Parses a copy of DUMB_INIT_OPTIONS, since COMMAND inherits the variable
 * unchanged. Not on the stack, which may be too small for it.
 */
static int parse_variable(struct options *options, const struct name *name)
{
	const char *value = getenv("DUMB_INIT_OPTIONS");
	const size_t length = value ? strlen(value) : 0;
	const size_t words = length / 2 + 2; /* "a b c", and NULL */
	const size_t size = words * sizeof(char *) + length + 1;
	struct parser parser = { .options = options,
				 .name = name,
				 .source = "DUMB_INIT_OPTIONS: " };
	char **memory;
	int status;

	if (length == 0)
		return OPTIONS_RUN;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		log_error("DUMB_INIT_OPTIONS: %s", errors_text(errno));
		return EXIT_FAILURE;
	}
	memcpy(memory + words, value, length + 1);
	split_words((char *)(memory + words), memory);
	parser.next = memory;
	status = parse_words(&parser);
	if (status == OPTIONS_RUN && *parser.next)
		status = usage_error(&parser, "expected an option, got",
				     *parser.next);
	(void)munmap(memory, size);
	return status;
}

static bool environment_has(const char *name, const char *value)
{
	const char *found = getenv(name);

	return found && strcmp(found, value) == 0;
}

/* tini has our three levels and higher ones. Other text counts as 0. */
static enum log_level tini_level(const char *verbosity)
{
	const char *end;
	int64_t level = numbers_digits(verbosity, INT_MAX, &end);

	if (level >= LOG_VERBOSE)
		return LOG_VERBOSE;
	return level == LOG_WARNING ? LOG_WARNING : LOG_ERROR;
}

/* TINI_SUBREAPER has no effect: we are always a subreaper. */
static void set_tini_variables(struct options *options)
{
	const char *verbosity = getenv("TINI_VERBOSITY");

	if (getenv("TINI_KILL_PROCESS_GROUP"))
		(void)set_option(options, 'g', NULL);
	if (verbosity)
		options->level = tini_level(verbosity);
}

static void set_defaults(struct options *options, const struct name *name)
{
	*options = (struct options){
		.mode = name->mode,
		.target = name->target,
		.level = LOG_WARNING,
		.grace_ms = DURATION_NONE,
		.kill_after_ms = DURATION_NONE,
	};
	if (name->heeds_tini_variables)
		set_tini_variables(options);
	if (environment_has("DUMB_INIT_SETSID", "0"))
		(void)set_option(options, 'c', NULL);
	if (environment_has("DUMB_INIT_DEBUG", "1"))
		(void)set_option(options, 'v', NULL);
}

int options_parse(struct options *options, int argc, char **argv)
{
	/* Before Linux 5.18 execve(2) allowed argc to be 0. */
	const struct name *name = find_own_name(argc > 0 ? argv[0] : "");
	struct parser parser = { .options = options,
				 .name = name,
				 .source = "",
				 .next = argc > 0 ? argv + 1 : argv };
	int status;

	set_defaults(options, name);
	status = parse_variable(options, name);
	if (status == OPTIONS_RUN)
		status = parse_words(&parser);
	if (status != OPTIONS_RUN)
		return status;
	if (options->mode == MODE_PAUSE && *parser.next)
		return usage_error(&parser, "--pause takes no COMMAND, got",
				   *parser.next);
	if (options->mode != MODE_PAUSE && *parser.next == NULL) {
		log_error("no COMMAND to run (see --help)");
		return EXIT_FAILURE;
	}
	options->command = parser.next;
	options->program = *parser.next;
	return OPTIONS_RUN;
}
