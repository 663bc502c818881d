#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "options.h"

static const char a_duration[] = "a duration such as 10, 0.5, 500ms or 2m";

/* Parsing and --help both come from here. */
static const struct row {
	char letter;
	char excludes;
	const char *name;
	const char *argument; /* NULL where it takes none */
	const char *wants;    /* what the argument has to be */
	const char *help;
} rows[] = {
	{ 'c', 'g', "single-child", NULL, NULL,
	  "no new session; signals go to COMMAND alone" },
	{ 'g', 'c', "process-group", NULL, NULL,
	  "a new process group, not a new session" },
	{ 'a', '-', "all", NULL, NULL, "signals go to all processes" },
	{ 'r', '-', "rewrite", "FROM:TO", "two signals FROM:TO",
	  "pass TO on instead of FROM; 0 drops it (+)" },
	{ 'd', '-', "delay", "SIG:DURATION", "a signal and a duration, TERM:5s",
	  "pass SIG on that late, or at a second SIG" },
	{ 't', 'W', "grace", "DURATION", a_duration,
	  "SIGTERM to the rest, SIGKILL that much later" },
	{ 'k', '-', "kill-after", "DURATION", a_duration,
	  "SIGKILL that long after SIGTERM, INT or QUIT" },
	{ 'W', 't', "wait-all", NULL, NULL,
	  "stay until the rest has ended too" },
	{ 'e', '-', "map-exit", "FROM[:TO]", "a status or two, 0 to 255",
	  "end with TO, or 0, instead of FROM (+)" },
	{ 'p', '-', "parent-death-signal", "SIG", "a signal",
	  "get SIG when our parent dies" },
	{ 's', '-', "subreaper", NULL, NULL,
	  "ignored: it is so wherever that is needed" },
	{ 'w', '-', "warn-on-reap", NULL, NULL,
	  "a line for every orphan that is collected" },
	{ 'q', '-', "quiet", NULL, NULL, "say only what ends us" },
	{ 'v', '-', "verbose", NULL, NULL, "say what happens" },
	{ 'h', '-', "help", NULL, NULL, "this text" },
	{ 'V', '-', "version", NULL, NULL, "the version" },
};

enum {
	ROWS = sizeof(rows) / sizeof(rows[0]),
	HELP_COLUMN = 33, /* where the help texts begin */
	FIELD_MAX = 16,   /* one of FROM:TO, with the NUL behind it */
};

static const char usage[] =
	"Usage: dumb-init [OPTION]... [--] COMMAND [ARG]...\n"
	"\n"
	"Runs COMMAND as the init of a container: passes every signal on to\n"
	"it, collects orphaned processes, and ends with its status.\n"
	"\n";

static const char environment[] =
	"\n"
	"A signal is a number, 1 to 64, or a name: TERM, SIGTERM, RTMIN+3.\n"
	"A duration is in seconds, or has a unit: 10, 0.5, 500ms, 2m, 1h.\n"
	"(+): may be repeated.\n"
	"In the environment DUMB_INIT_SETSID=0 is as -c, DUMB_INIT_DEBUG=1\n"
	"is as -v.\n";

/* On stdout; false if it did not get there. */
static bool print(const char *text, size_t length)
{
	return write(STDOUT_FILENO, text, length) == (ssize_t)length;
}

static bool print_row(const struct row *row)
{
	char line[128];
	size_t length;

	length = format_text(line, sizeof(line), "  -%s, --%s%s%s",
			     (char[]){ row->letter, '\0' }, row->name,
			     row->argument ? " " : "",
			     row->argument ? row->argument : "");
	while (length < HELP_COLUMN)
		line[length++] = ' ';
	length += format_text(line + length, sizeof(line) - length, "%s\n",
			      row->help);
	return print(line, length);
}

static int print_help(void)
{
	bool printed = print(usage, sizeof(usage) - 1);

	for (size_t i = 0; i < ROWS; i++)
		printed = printed && print_row(&rows[i]);
	printed = printed && print(environment, sizeof(environment) - 1);
	return printed ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_version(void)
{
	static const char version[] = "dumb-init v" VERSION "\n";

	return print(version, sizeof(version) - 1) ? EXIT_SUCCESS
						   : EXIT_FAILURE;
}

static int usage_error(const char *what, const char *word)
{
	log_error("%s '%s' (see dumb-init --help)", what, word);
	return EXIT_FAILURE;
}

static int wrong_argument(const struct row *row, const char *argument)
{
	log_error("--%s wants %s, not '%s' (see dumb-init --help)", row->name,
		  row->wants, argument);
	return EXIT_FAILURE;
}

static int exclusion(const struct row *row, const struct row *other)
{
	log_error("-%s (--%s) and -%s (--%s) exclude each other "
		  "(see dumb-init --help)",
		  (char[]){ row->letter, '\0' }, row->name,
		  (char[]){ other->letter, '\0' }, other->name);
	return EXIT_FAILURE;
}

static int no_command(void)
{
	log_error("no COMMAND to run (see dumb-init --help)");
	return EXIT_FAILURE;
}

/* Copies what is before the colon and returns what is behind; NULL if none. */
static const char *split(const char *text, char before[FIELD_MAX])
{
	const char *colon = strchr(text, ':');

	if (colon == NULL || colon - text >= FIELD_MAX)
		return NULL;
	format_text(before, (size_t)(colon - text) + 1, "%s", text);
	return colon + 1;
}

static bool set_rewrite(struct options *options, const char *text)
{
	char from[FIELD_MAX];
	const char *to = split(text, from);

	return to && signals_rewrite(&options->rewrites, from, to);
}

static bool set_delay(struct options *options, const char *text)
{
	char signal[FIELD_MAX];
	const char *duration = split(text, signal);

	if (duration == NULL)
		return false;
	options->delayed = signals_parse(signal);
	options->delay_ms = numbers_duration(duration);
	return options->delayed != SIGNALS_NONE &&
	       options->delay_ms != NUMBERS_NONE;
}

static bool set_duration(int64_t *duration_ms, const char *text)
{
	*duration_ms = numbers_duration(text);
	return *duration_ms != NUMBERS_NONE;
}

static bool set_exit(struct options *options, const char *text)
{
	char before[FIELD_MAX];
	const char *behind = split(text, before);
	int from = numbers_parse(behind ? before : text, STATUSES - 1);
	int to = behind ? numbers_parse(behind, STATUSES - 1) : 0;

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

/* Sets what an option says. Returns whether its argument was a right one. */
static bool set(struct options *options, char letter, const char *argument)
{
	switch (letter) {
	case 'c':
		options->mode = MODE_SINGLE_CHILD;
		return true;
	case 'g':
		options->mode = MODE_GROUP;
		return true;
	case 'a':
		options->target = TARGET_EVERYTHING;
		return true;
	case 'r':
		return set_rewrite(options, argument);
	case 'd':
		return set_delay(options, argument);
	case 't':
		return set_duration(&options->grace_ms, argument);
	case 'k':
		return set_duration(&options->kill_after_ms, argument);
	case 'W':
		options->wait_all = true;
		return true;
	case 'e':
		return set_exit(options, argument);
	case 'p':
		return set_parent_death_signal(options, argument);
	case 'w':
		options->warn_on_reap = true;
		return true;
	case 'q':
		options->level = LOG_ERROR;
		return true;
	case 'v':
		options->level = LOG_VERBOSE;
		return true;
	}
	return true; /* -s, which is always so */
}

/*
 * What is still to be read, and what was. Not by getopt_long(3), which costs a
 * static musl binary 8.5 KB, permutes in one C library and not in the other,
 * and does not tell which word was wrong.
 */
struct parser {
	struct options *options;
	char **next;      /* into argv, behind the word being read */
	bool given[ROWS]; /* the rows that were */
};

/* Carries an option out. Returns as options_parse does. */
static int apply(struct parser *parser, const struct row *row,
		 const char *argument)
{
	if (row->letter == 'h')
		return print_help();
	if (row->letter == 'V')
		return print_version();
	for (size_t i = 0; i < ROWS; i++) {
		if (parser->given[i] && rows[i].letter == row->excludes)
			return exclusion(row, &rows[i]);
	}
	if (!set(parser->options, row->letter, argument))
		return wrong_argument(row, argument);
	parser->given[row - rows] = true;
	return OPTIONS_RUN;
}

/* "-v", "-vc", "-r1:2", "-cr 1:2": word without its "-". */
static int parse_letters(struct parser *parser, const char *word)
{
	int status = OPTIONS_RUN;

	for (; *word != '\0' && status == OPTIONS_RUN; word++) {
		const char letter[] = { '-', *word, '\0' };
		const struct row *row = rows;

		while (row < rows + ROWS && row->letter != *word)
			row++;
		if (row == rows + ROWS)
			return usage_error("unknown option", letter);
		if (row->argument) {
			const char *argument =
				word[1] ? word + 1 : *parser->next++;

			if (argument == NULL)
				return usage_error("no argument for", letter);
			return apply(parser, row, argument);
		}
		status = apply(parser, row, NULL);
	}
	return status;
}

/*
 * The row whose name begins with the length bytes at name, as getopt_long
 * takes it: all of a name, or as much as no other begins with. On failure NULL
 * and, in error, why.
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

/* "--verbose", "--rewrite 1:2", "--rewrite=1:2": word with its "--". */
static int parse_name(struct parser *parser, const char *word)
{
	const char *name = word + 2;
	const char *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const char *argument = equals ? equals + 1 : NULL;
	const char *error;
	const struct row *row = find_name(name, length, &error);

	if (row == NULL)
		return usage_error(error, word);
	if (argument && !row->argument)
		return usage_error("unwanted argument in", word);
	if (row->argument && !argument) {
		argument = *parser->next++;
		if (argument == NULL)
			return usage_error("no argument for", word);
	}
	return apply(parser, row, argument);
}

static bool environment_has(const char *name, const char *value)
{
	const char *found = getenv(name);

	return found && strcmp(found, value) == 0;
}

static struct options defaults(void)
{
	struct options options = {
		.target = TARGET_GROUP,
		.level = LOG_WARNING,
		.grace_ms = DURATION_NONE,
		.kill_after_ms = DURATION_NONE,
	};

	if (environment_has("DUMB_INIT_SETSID", "0"))
		options.mode = MODE_SINGLE_CHILD;
	if (environment_has("DUMB_INIT_DEBUG", "1"))
		options.level = LOG_VERBOSE;
	return options;
}

int options_parse(struct options *options, int argc, char **argv)
{
	struct parser parser = { .options = options, .next = argv + 1 };

	*options = defaults();
	/* Not even our own name: execve(2) allowed that before Linux 5.18. */
	if (argc == 0)
		return no_command();
	while (*parser.next && parser.next[0][0] == '-' && parser.next[0][1]) {
		const char *word = *parser.next++;
		int status;

		if (strcmp(word, "--") == 0)
			break;
		status = word[1] == '-' ? parse_name(&parser, word)
					: parse_letters(&parser, word + 1);
		if (status != OPTIONS_RUN)
			return status;
	}
	if (*parser.next == NULL)
		return no_command();
	if (options->mode == MODE_SINGLE_CHILD &&
	    options->target == TARGET_GROUP)
		options->target = TARGET_COMMAND;
	options->command = parser.next;
	return OPTIONS_RUN;
}
