#include <string.h>

#include "names.h"

/*
 * dockerd reads the lines of its init, whatever its name is, but for the name
 * of the program: it wants " - git." and a commit.
 */
static const char tini_version[] =
	"tini version " VERSION " - git." COMMIT "\n";

/* The first is for every name that is not here. */
static const struct name names[] = {
	{ "dumb-init", MODE_SESSION, TARGET_GROUP, false,
	  "dumb-init v" VERSION "\nsource - git." COMMIT "\n" },
	{ "docker-init", MODE_GROUP, TARGET_COMMAND, true, tini_version },
	{ "podman-init", MODE_GROUP, TARGET_COMMAND, true, tini_version },
	{ "tini", MODE_GROUP, TARGET_COMMAND, true, tini_version },
	{ "tini-static", MODE_GROUP, TARGET_COMMAND, true, tini_version },
	{ "catatonit", MODE_GROUP, TARGET_COMMAND, true, tini_version },
};

const struct name *names_find(const char *path)
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
