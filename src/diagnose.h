/*
 * Why a program could not be executed: found in the files themselves, a bounded
 * part of each. Says nothing when the cause is uncertain.
 */
#ifndef DIAGNOSE_H
#define DIAGNOSE_H

#include <stdbool.h>

enum {
	DIAGNOSE_MAX = 768, /* bytes of a hint, with the NUL; longer is cut */
};

/*
 * Why execve(2) of the file at path failed with error (an errno): its first
 * line, interpreter, loader, processor, mode or file system. Fills hint and
 * returns true if the cause can be seen.
 */
bool diagnose_file(const char *path, int error, char hint[DIAGNOSE_MAX]);

/*
 * Why no file was found for name, which is COMMAND's; path: the PATH that was
 * searched. Fills hint and returns true if the cause can be seen.
 */
bool diagnose_name(const char *name, const char *path, char hint[DIAGNOSE_MAX]);

/*
 * Whether a shell may try the file at path, for which execve(2) returned
 * ENOEXEC: not if it is an ELF program, or a script whose interpreter is built
 * for another processor. True where the file cannot be read.
 */
bool diagnose_may_be_script(const char *path);

#endif
