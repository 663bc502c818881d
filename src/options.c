#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "options.h"

/* Parsing and --help both come from here. */
static const struct row {
	char letter;
	const char *name;
	const char *argument; /* NULL where it takes none */
	const char *help;
} rows[] = {
	{ 'c', "single-child", NULL,
	  "no new session; signals go to COMMAND alone" },
	{ 'r', "rewrite", "FROM:TO",
	  "pass TO on instead of FROM; 0 drops it (repeatable)" },
	{ 'q', "quiet", NULL, "say only what ends us" },
	{ 'v', "verbose", NULL, "say what happens" },
	{ 'h', "help", NULL, "this text" },
	{ 'V', "version", NULL, "the version" },
};

enum {
	ROWS = sizeof(rows) / sizeof(rows[0]),
	HELP_COLUMN = 28, /* where the help texts begin */
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

static int no_command(void)
{
	log_error("no COMMAND to run (see dumb-init --help)");
	return EXIT_FAILURE;
}

/* Carries an option out. Returns as options_parse does. */
static int apply(struct options *options, const struct row *row,
		 const char *argument)
{
	switch (row->letter) {
	case 'c':
		options->mode = MODE_SINGLE_CHILD;
		break;
	case 'r':
		if (!signals_rewrite(&options->rewrites, argument))
			return usage_error("--rewrite wants two signals "
					   "FROM:TO, not",
					   argument);
		break;
	case 'q':
		options->level = LOG_ERROR;
		break;
	case 'v':
		options->level = LOG_VERBOSE;
		break;
	case 'h':
		return print_help();
	case 'V':
		return print_version();
	}
	return OPTIONS_RUN;
}

/*
 * What is still to be read. Not by getopt_long(3), which costs a static musl
 * binary 8.5 KB, permutes in one C library and not in the other, and does not
 * tell which word was wrong.
 */
struct words {
	char **next; /* into argv, behind the word being read */
};

/* "-v", "-vc", "-r1:2", "-cr 1:2": word without its "-". */
static int parse_letters(struct options *options, struct words *words,
			 const char *word)
{
	int status = OPTIONS_RUN;

	for (; *word != '\0' && status == OPTIONS_RUN; word++) {
		const char letter[] = { '-', *word, '\0' };
		const struct row *row = rows;
		const char *argument = NULL;

		while (row < rows + ROWS && row->letter != *word)
			row++;
		if (row == rows + ROWS)
			return usage_error("unknown option", letter);
		if (row->argument) {
			argument = word[1] ? word + 1 : *words->next++;
			if (argument == NULL)
				return usage_error("no argument for", letter);
			return apply(options, row, argument);
		}
		status = apply(options, row, argument);
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
static int parse_name(struct options *options, struct words *words,
		      const char *word)
{
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	const char *argument = name[length] == '=' ? name + length + 1 : NULL;
	const char *error;
	const struct row *row = find_name(name, length, &error);

	if (row == NULL)
		return usage_error(error, word);
	if (argument && !row->argument)
		return usage_error("unwanted argument in", word);
	if (row->argument && !argument) {
		argument = *words->next++;
		if (argument == NULL)
			return usage_error("no argument for", word);
	}
	return apply(options, row, argument);
}

static bool environment_has(const char *name, const char *value)
{
	const char *found = getenv(name);

	return found && strcmp(found, value) == 0;
}

int options_parse(struct options *options, int argc, char **argv)
{
	struct words words = { argv + 1 };

	*options = (struct options){ .level = LOG_WARNING };
	if (environment_has("DUMB_INIT_SETSID", "0"))
		options->mode = MODE_SINGLE_CHILD;
	if (environment_has("DUMB_INIT_DEBUG", "1"))
		options->level = LOG_VERBOSE;
	/* Not even our own name: execve(2) allowed that before Linux 5.18. */
	if (argc == 0)
		return no_command();
	while (*words.next && words.next[0][0] == '-' && words.next[0][1]) {
		const char *word = *words.next++;
		int status;

		if (strcmp(word, "--") == 0)
			break;
		status = word[1] == '-'
				 ? parse_name(options, &words, word)
				 : parse_letters(options, &words, word + 1);
		if (status != OPTIONS_RUN)
			return status;
	}
	if (*words.next == NULL)
		return no_command();
	options->command = words.next;
	return OPTIONS_RUN;
}
