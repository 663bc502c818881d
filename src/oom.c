#include <limits.h>
#include <string.h>

#include "format.h"
#include "numbers.h"
#include "oom.h"
#include "proc.h"

/*
 * Reads the count in a file of our cgroup, which is below mount. key: the start
 * of the line of /proc/self/cgroup that names the cgroup; NULL: it is what is
 * mounted there.
 */
static int read_count(const char *mount, const char *key, const char *file)
{
	/* The path, then the count. Static: as in proc_find_line. */
	static char text[64 + PROC_LINE_MAX];
	size_t length = format_text(text, 32, "%s", mount);

	if (key) {
		if (!proc_find_line("/proc/self/cgroup", key, text + length))
			return OOM_UNKNOWN;
		length += strlen(text + length);
	}
	format_text(text + length, 32, "%s", file);
	if (!proc_find_line(text, "oom_kill ", text))
		return OOM_UNKNOWN;
	return numbers_parse(text, INT_MAX);
}

int oom_kills(void)
{
	const char *const version1 = "/sys/fs/cgroup/memory";
	const char *const version2 = "/sys/fs/cgroup";
	const char *const control = "/memory.oom_control";
	const char *const events = "/memory.events";
	/* In a container. The root of the hierarchy has no such file. */
	int count = read_count(version2, NULL, events);

	if (count == OOM_UNKNOWN)
		count = read_count(version1, ":memory:", control);
	if (count == OOM_UNKNOWN)
		count = read_count(version2, "0::", events);
	/* In a container that sees only its own cgroup. */
	if (count == OOM_UNKNOWN)
		count = read_count(version1, NULL, control);
	return count;
}

int oom_kills_since(int kills)
{
	const int now = oom_kills();

	return kills < 0 || now < kills ? OOM_UNKNOWN : now - kills;
}
