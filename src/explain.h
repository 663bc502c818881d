/*
 * Why a program did not start, and why COMMAND died: read from the files
 * themselves, a bounded part of each. What cannot be made out is no claim.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdbool.h>

enum {
	EXPLAIN_MAX = 768, /* bytes, with the NUL; cut where it is longer */
	EXPLAIN_UNKNOWN = -1,
};

/*
 * Why execve(2) of the file at path failed with error (an errno): its first
 * line, its interpreter or loader, its processor, its mode, its file system.
 * Fills hint and returns true if that can be seen.
 */
bool explain_program(const char *path, int error, char hint[EXPLAIN_MAX]);

/*
 * Why no file was found for name, a COMMAND; path: the PATH that was searched.
 * Fills hint and returns true if there is something to say.
 */
bool explain_missing(const char *name, const char *path,
		     char hint[EXPLAIN_MAX]);

/*
 * Whether a shell may try the file at path, that execve(2) calls ENOEXEC: not
 * if it is an ELF program, or a script whose interpreter is one for another
 * processor. True where it cannot be read.
 */
bool explain_may_be_script(const char *path);

/*
 * How many processes of our memory cgroup the kernel has killed for want of
 * memory so far, or EXPLAIN_UNKNOWN.
 */
int explain_oom_kills(void);

/*
 * What usually is behind a death by signum; text that begins with ": ", or "".
 * oom_kills: what explain_oom_kills has added meanwhile, or EXPLAIN_UNKNOWN.
 */
const char *explain_death(int signum, int oom_kills);

#endif
