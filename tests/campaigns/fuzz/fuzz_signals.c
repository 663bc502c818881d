/*
 * libFuzzer: a text is read as the signal that has this name in libc or in
 * signal(7), or as none, and the name of the result is read as the same signal.
 * If there are two texts, the signal of the first is rewritten to the second.
 */
#include <stdbool.h>
#include <strings.h>

#include "fuzz.h"
#include "signals.h"

/* The text as an unsigned number, 999 if it is larger; -1 if it is none. */
static int digits_only(const char *text)
{
	const size_t length = strspn(text, "0123456789");
	long value;

	if (length == 0 || text[length] != '\0')
		return -1;
	value = strtol(text, NULL, 10);
	return value < 999 ? (int)value : 999;
}

static int by_name(const char *text)
{
	for (int signum = 1; signum < SIGNALS_RTMIN; signum++) {
		const char *name = sigabbrev_np(signum);

		if (name && strcasecmp(text, name) == 0)
			return signum;
	}
	if (strcasecmp(text, "IOT") == 0)
		return SIGABRT;
	if (strcasecmp(text, "CLD") == 0)
		return SIGCHLD;
	return strcasecmp(text, "IO") == 0 ? SIGIO : SIGNALS_NONE;
}

static int realtime(const char *text)
{
	const bool max = strncasecmp(text, "RTMAX", 5) == 0;
	const int base = max ? SIGNALS_RTMAX : SIGNALS_RTMIN;
	int offset;

	if (!max && strncasecmp(text, "RTMIN", 5) != 0)
		return SIGNALS_NONE;
	if (text[5] == '\0')
		return base;
	if (text[5] != (max ? '-' : '+'))
		return SIGNALS_NONE;
	offset = digits_only(text + 6);
	if (offset < 0 || offset > SIGNALS_RTMAX - SIGNALS_RTMIN)
		return SIGNALS_NONE;
	return max ? base - offset : base + offset;
}

static int expected(const char *text)
{
	int signum = digits_only(text);

	if (signum >= 0)
		return signum >= 1 && signum <= SIGNALS_RTMAX ? signum
							      : SIGNALS_NONE;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	signum = by_name(text);
	return signum != SIGNALS_NONE ? signum : realtime(text);
}

static void check_name(int signum)
{
	const struct signal_name name = signals_name(signum);
	/* signal(7) has no name for these two. */
	const bool nameless = signum == 32 || signum == 33;

	assert(memchr(name.text, '\0', sizeof(name.text)));
	assert(strncmp(name.text, "SIG", 3) == 0);
	assert(signals_parse(name.text) == (nameless ? SIGNALS_NONE : signum));
}

static void check_rewrite(const char *from, const char *to)
{
	const int signum = signals_parse(from);
	const bool drop = strcmp(to, "0") == 0;
	struct rewrites rewrites = { { 0 } };
	struct rewrites other = { { 0 } };
	const bool right = signum != SIGNALS_NONE &&
			   (drop || signals_parse(to) != SIGNALS_NONE);

	if (right)
		other.to[signum] =
			drop ? REWRITE_DROP : (uint8_t)signals_parse(to);
	assert(signals_rewrite(&rewrites, from, to) == right);
	assert(memcmp(&rewrites, &other, sizeof(other)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	const int signum = signals_parse(text);

	assert(signum == expected(text));
	if (signum != SIGNALS_NONE)
		check_name(signum);
	if (strlen(text) < size)
		check_rewrite(text, text + strlen(text) + 1);
	free(text);
	return 0;
}
