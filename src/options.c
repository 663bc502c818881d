#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "errors.h"
#include "format.h"
#include "license.h"
#include "names.h"
#include "options.h"

enum {
	TERMINATION_LOG = 1, /* in place of a letter, for it has none */
};

static const char a_duration[] = "a duration such as 10, 0.5, 500ms or 2m";

/* Parsing and --help both come from here. */
static const struct row {
	char letter;   /* or TERMINATION_LOG */
	char excludes; /* the letter of another that goes not with it */
	const char *name;
	const char *argument; /* NULL: it takes none; "[=": it may be absent */
	const char *wants;    /* what the argument has to be */
	const char *help;
} rows[] = {
	{ 'c', 'g', "single-child", NULL, NULL,
	  "no new session; signals go to COMMAND alone" },
	{ 'g', 'c', "process-group", NULL, NULL,
	  "a new group, no new session; it gets signals" },
	{ 'a', '-', "all", NULL, NULL, "signals go to all processes" },
	{ 'r', '-', "rewrite", "FROM:TO", "two signals FROM:TO",
	  "pass TO on instead of FROM; 0 drops it (+)" },
	{ 'd', '-', "delay", "SIG:DURATION", "a signal and a duration, TERM:5s",
	  "pass SIG on that late, or at a second SIG" },
	{ 't', 'W', "grace", "DURATION", a_duration,
	  "SIGTERM to the rest, SIGKILL that much later" },
	{ 'k', '-', "kill-after", "[SIG:]DURATION",
	  "a duration such as 10, or a signal and one, WINCH:10",
	  "SIGKILL that long after SIG (TERM,INT,QUIT)" },
	{ 'W', 't', "wait-all", NULL, NULL,
	  "stay until the rest has ended too" },
	{ 'e', '-', "map-exit", "FROM[:TO]", "a status or two, 0 to 255",
	  "end with TO, or 0, instead of FROM (+)" },
	{ 'p', '-', "parent-death-signal", "SIG", "a signal",
	  "get SIG when our parent dies" },
	{ 's', '-', "subreaper", NULL, NULL, "ignored: it is always so" },
	{ 'w', '-', "warn-on-reap", NULL, NULL,
	  "a line for each orphan collected" },
	{ 'P', '-', "pause", NULL, NULL,
	  "no COMMAND: wait for SIGTERM or SIGINT" },
	{ TERMINATION_LOG, '-', "termination-log", "[=FILE]",
	  "a whole path of up to 127 bytes", "say there, too, why we end" },
	{ 'q', '-', "quiet", NULL, NULL, "say only what ends us" },
	{ 'v', '-', "verbose", NULL, NULL, "say what happens" },
	{ 'h', '-', "help", NULL, NULL, "this text" },
	{ 'V', '-', "version", NULL, NULL, "the version" },
	{ 'l', '-', "license", NULL, NULL, "the licence; also -L" },
};

enum {
	ROWS = sizeof(rows) / sizeof(rows[0]),
	HELP_COLUMN = 35, /* where the help texts begin */
	FIELD_MAX = 16,   /* one of FROM:TO, with the NUL behind it */
};

static const char *const usage =
	"Usage: dumb-init [OPTION]... [--] COMMAND [ARG]...\n"
	"       dumb-init [OPTION]... --pause\n"
	"\n"
	"Runs COMMAND as the init of a container: passes signals on to it,\n"
	"collects orphans, and ends with its status.\n"
	"\n";

static const char *const environment =
	"\n"
	"A signal is a number or a name: 15, TERM, SIGTERM, RTMIN+3.\n"
	"A duration is in seconds, or has a unit: 10, 0.5, 500ms, 2m.\n"
	"(+): may be repeated.\n"
	"In the environment DUMB_INIT_SETSID=0 is as -c, DUMB_INIT_DEBUG=1\n"
	"is as -v; DUMB_INIT_OPTIONS holds options to be read first.\n"
	"As tini or catatonit: a new group; signals go to COMMAND alone\n"
	"unless -g or TINI_KILL_PROCESS_GROUP is given.\n";

static const char *const license = LICENSE_TEXT;

/*
 * On stdout; false if it did not get there. Nothing runs that a signal could be
 * forwarded to: it may end us, should stdout have no room.
 */
static bool print(const char *text)
{
	const size_t length = strlen(text);

	signals_block_only(SIGNALS_BIT(SIGPIPE) | SIGNALS_BIT(SIGXFSZ));
	return write(STDOUT_FILENO, text, length) == (ssize_t)length;
}

/* The same; returns what to end with. */
static int print_and_end(const char *text)
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
	return printed ? print_and_end(environment) : EXIT_FAILURE;
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

/* [SIG:]DURATION */
static bool set_kill_after(struct options *options, const char *text)
{
	char signal[FIELD_MAX];
	const char *duration = split(text, signal);

	options->kill_after_signal = duration ? signals_parse(signal) : 0;
	options->kill_after_ms = numbers_duration(duration ? duration : text);
	return options->kill_after_signal != SIGNALS_NONE &&
	       options->kill_after_ms != NUMBERS_NONE;
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

/* With -P there is no COMMAND to be anywhere. */
static bool set_mode(struct options *options, enum mode mode,
		     enum target target)
{
	if (options->mode != MODE_PAUSE)
		options->mode = mode;
	if (options->target != TARGET_EVERYTHING)
		options->target = target;
	return true;
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

/* A whole path, as we are in "/" when we write there. NULL: the usual one. */
static bool set_termination_log(struct options *options, const char *path)
{
	if (path == NULL)
		path = "/dev/termination-log"; /* where Kubernetes looks */
	format_text(options->termination_log, TERMINATION_LOG_MAX, "%s", path);
	return *path == '/' && strlen(path) < TERMINATION_LOG_MAX;
}

/* Sets what an option says. Returns whether its argument was a right one. */
static bool set(struct options *options, char letter, const char *argument)
{
	switch (letter) {
	case 'c':
		return set_mode(options, MODE_SINGLE_CHILD, TARGET_COMMAND);
	case 'g':
		return set_mode(options, MODE_GROUP, TARGET_GROUP);
	case 'a':
		options->target = TARGET_EVERYTHING;
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
		return set_exit(options, argument);
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
	const struct name *name; /* the one that we were started under */
	const char *where;       /* where the words are from, for errors */
	char **next;             /* behind the word being read */
	bool given[ROWS];        /* the rows that were */
};

static int usage_error(const struct parser *parser, const char *what,
		       const char *word)
{
	log_error("%s%s '%s' (see --help)", parser->where, what, word);
	return EXIT_FAILURE;
}

static int wrong_argument(const struct parser *parser, const struct row *row,
			  const char *argument)
{
	log_error("%s--%s wants %s, not '%s' (see --help)", parser->where,
		  row->name, row->wants, argument);
	return EXIT_FAILURE;
}

static int exclusion(const struct parser *parser, const struct row *row,
		     const struct row *other)
{
	log_error("%s-%s (--%s) and -%s (--%s) exclude each other (see --help)",
		  parser->where, (char[]){ row->letter, '\0' }, row->name,
		  (char[]){ other->letter, '\0' }, other->name);
	return EXIT_FAILURE;
}

/* Carries an option out. Returns as options_parse does. */
static int apply(struct parser *parser, const struct row *row,
		 const char *argument)
{
	switch (row->letter) {
	case 'h':
		return print_help();
	case 'V':
		return print_and_end(parser->name->version);
	case 'l':
		return print_and_end(license);
	}
	for (size_t i = 0; i < ROWS; i++) {
		if (parser->given[i] && rows[i].letter == row->excludes)
			return exclusion(parser, row, &rows[i]);
	}
	if (!set(parser->options, row->letter, argument))
		return wrong_argument(parser, row, argument);
	parser->given[row - rows] = true;
	return OPTIONS_RUN;
}

static const struct row *find_letter(char letter)
{
	if (letter == 'L') /* catatonit's; tini has the other */
		letter = 'l';
	for (const struct row *row = rows; row < rows + ROWS; row++) {
		if (row->letter == letter && has_letter(row))
			return row;
	}
	return NULL;
}

/* "-v", "-vc", "-r1:2", "-cr 1:2": word without its "-". */
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
				return usage_error(parser, "no argument for",
						   letter);
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
		return usage_error(parser, error, word);
	if (argument && !row->argument)
		return usage_error(parser, "unwanted argument in", word);
	if (needs_argument(row) && !argument) {
		argument = *parser->next++;
		if (argument == NULL)
			return usage_error(parser, "no argument for", word);
	}
	return apply(parser, row, argument);
}

/* Reads words up to the first that is no option. Returns as options_parse. */
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

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Cuts text into words, at blanks; NULL is behind the last. */
static void split_words(char *text, char **words)
{
	bool in_word = false;

	for (; *text != '\0'; text++) {
		if (is_blank(*text)) {
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
 * The same for DUMB_INIT_OPTIONS, in memory that is given back, as COMMAND must
 * get the variable as it was. Not on the stack, which may be too small for it.
 */
static int parse_variable(struct options *options, const struct name *name)
{
	const char *value = getenv("DUMB_INIT_OPTIONS");
	const size_t length = value ? strlen(value) : 0;
	const size_t words = length / 2 + 2; /* "a b c", and NULL */
	const size_t size = words * sizeof(char *) + length + 1;
	struct parser parser = { .options = options,
				 .name = name,
				 .where = "DUMB_INIT_OPTIONS: " };
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
		status = usage_error(&parser, "not an option:", *parser.next);
	(void)munmap(memory, size);
	return status;
}

static bool environment_has(const char *name, const char *value)
{
	const char *found = getenv(name);

	return found && strcmp(found, value) == 0;
}

/* tini's levels are ours, but for some above; what is no number is 0 to it. */
static enum log_level tini_level(const char *verbosity)
{
	const char *end;
	int64_t level = numbers_digits(verbosity, INT_MAX, &end);

	if (level >= LOG_VERBOSE)
		return LOG_VERBOSE;
	return level == LOG_WARNING ? LOG_WARNING : LOG_ERROR;
}

/* TINI_SUBREAPER is not forgotten: we always are one. */
static void set_tini_variables(struct options *options)
{
	const char *verbosity = getenv("TINI_VERBOSITY");

	if (getenv("TINI_KILL_PROCESS_GROUP"))
		(void)set(options, 'g', NULL);
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
		(void)set(options, 'c', NULL);
	if (environment_has("DUMB_INIT_DEBUG", "1"))
		(void)set(options, 'v', NULL);
}

int options_parse(struct options *options, int argc, char **argv)
{
	/* Not even our own name: execve(2) allowed that before Linux 5.18. */
	const struct name *name = names_find(argc > 0 ? argv[0] : "");
	struct parser parser = { .options = options,
				 .name = name,
				 .where = "",
				 .next = argc > 0 ? argv + 1 : argv };
	int status;

	set_defaults(options, name);
	status = parse_variable(options, name);
	if (status == OPTIONS_RUN)
		status = parse_words(&parser);
	if (status != OPTIONS_RUN)
		return status;
	if (options->mode == MODE_PAUSE && *parser.next)
		return usage_error(&parser, "no COMMAND goes with --pause, not",
				   *parser.next);
	if (options->mode != MODE_PAUSE && *parser.next == NULL) {
		log_error("no COMMAND to run (see --help)");
		return EXIT_FAILURE;
	}
	options->command = parser.next;
	return OPTIONS_RUN;
}
