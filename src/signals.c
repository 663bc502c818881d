#include <string.h>

#include "format.h"
#include "numbers.h"
#include "signals.h"

/* As in signal(7). SIGEMT and SIGSTKFLT are not on every processor. */
static const char names[][sizeof("STKFLT")] = {
	[SIGHUP] = "HUP",       [SIGINT] = "INT",   [SIGQUIT] = "QUIT",
	[SIGILL] = "ILL",       [SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",
	[SIGBUS] = "BUS",       [SIGFPE] = "FPE",   [SIGKILL] = "KILL",
	[SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE",     [SIGALRM] = "ALRM", [SIGTERM] = "TERM",
	[SIGCHLD] = "CHLD",     [SIGCONT] = "CONT", [SIGSTOP] = "STOP",
	[SIGTSTP] = "TSTP",     [SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",
	[SIGURG] = "URG",       [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ",
	[SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH",
	[SIGIO] = "IO",         [SIGPWR] = "PWR",   [SIGSYS] = "SYS",
#ifdef SIGEMT
	[SIGEMT] = "EMT",
#endif
#ifdef SIGSTKFLT
	[SIGSTKFLT] = "STKFLT",
#endif
};

enum {
	NAMES = sizeof(names) / sizeof(names[0]),
	/* RTMIN+15 is followed by RTMAX-14, as in bash's "kill -l". */
	RTMIN_LAST = SIGNALS_RTMIN + 15,
};

static const struct {
	const char *name;
	int signum;
} synonyms[] = { { "IOT", SIGABRT }, { "CLD", SIGCHLD }, { "POLL", SIGIO } };

/*
 * Skips the prefix name (upper case; text in either case). Returns NULL if text
 * does not begin with it. musl's strncasecmp is five times as long.
 */
static const char *skip_prefix(const char *text, const char *name)
{
	for (; *name != '\0'; text++, name++) {
		const bool lower = *text >= 'a' && *text <= 'z';

		if ((lower ? *text - 'a' + 'A' : *text) != *name)
			return NULL;
	}
	return text;
}

/* "RTMIN", "RTMIN+N", "RTMAX" or "RTMAX-N". */
static int parse_realtime(const char *text)
{
	const int last = SIGNALS_RTMAX - SIGNALS_RTMIN;
	const char *from_min = skip_prefix(text, "RTMIN");
	const char *rest = from_min ? from_min : skip_prefix(text, "RTMAX");
	int offset = 0;

	if (rest == NULL)
		return SIGNALS_NONE;
	if (*rest != '\0') {
		if (*rest != (from_min ? '+' : '-'))
			return SIGNALS_NONE;
		offset = numbers_parse(rest + 1, last);
		if (offset < 0)
			return SIGNALS_NONE;
	}
	return from_min ? SIGNALS_RTMIN + offset : SIGNALS_RTMAX - offset;
}

static bool is_name(const char *text, const char *name)
{
	const char *rest = skip_prefix(text, name);

	return *text != '\0' && rest && *rest == '\0';
}

int signals_parse(const char *text)
{
	int signum = numbers_parse(text, SIGNALS_RTMAX);

	if (signum > 0)
		return signum;
	if (skip_prefix(text, "SIG"))
		text += 3;
	for (signum = 1; signum < NAMES; signum++) {
		/* A gap in the table is an empty name: no match. */
		if (is_name(text, names[signum]))
			return signum;
	}
	for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++) {
		if (is_name(text, synonyms[i].name))
			return synonyms[i].signum;
	}
	return parse_realtime(text);
}

struct signal_name signals_name(int signum)
{
	struct signal_name name = { "" };
	char *out = name.text;
	const size_t size = sizeof(name.text);

	if (signum < NAMES && names[signum][0] != '\0')
		format_text(out, size, "SIG%s", names[signum]);
	else if (signum == SIGNALS_RTMIN)
		format_text(out, size, "SIGRTMIN");
	else if (signum == SIGNALS_RTMAX)
		format_text(out, size, "SIGRTMAX");
	else if (signum < SIGNALS_RTMIN)
		format_text(out, size, "SIG%d", signum);
	else if (signum <= RTMIN_LAST)
		format_text(out, size, "SIGRTMIN+%d", signum - SIGNALS_RTMIN);
	else
		format_text(out, size, "SIGRTMAX-%d", SIGNALS_RTMAX - signum);
	return name;
}

bool signals_rewrite(struct rewrites *rewrites, const char *from,
		     const char *to)
{
	int from_signum = signals_parse(from);
	int to_signum = strcmp(to, "0") == 0 ? REWRITE_DROP : signals_parse(to);

	if (from_signum == SIGNALS_NONE || to_signum == SIGNALS_NONE)
		return false;
	rewrites->to[from_signum] = (uint8_t)to_signum;
	return true;
}
