/* Reads /proc, see proc(5): directories of numbers, lines, process states. */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PROC_LINE_MAX = 512, /* bytes, with a NUL in place of the newline */
};

/*
 * Calls visit for each name in the directory at path that is a number; the
 * directory is open as the file `directory` meanwhile. The walk may miss
 * entries that are added or removed meanwhile, but no others. Returns false,
 * with errno set, when the directory cannot be read.
 */
bool proc_each_number(const char *path,
		      void (*visit)(int number, int directory, void *argument),
		      void *argument);

/*
 * Finds the first line of the file at path that begins with key. If key begins
 * with a colon, the line may have text without a colon in front of it. Fills
 * rest with the text after key. Returns false if there is no such line. Skips
 * lines that do not fit PROC_LINE_MAX, and stops after 64 reads of that size.
 */
bool proc_find_line(const char *path, const char *key,
		    char rest[PROC_LINE_MAX]);

/* Whether /proc is mounted, for our PID namespace. */
bool proc_is_ours(void);

/* Some fields of /proc/PID/stat, proc_pid_stat(5). */
struct proc_stat {
	char state; /* 'Z' for a zombie */
	pid_t parent;
	bool is_kernel_thread;
	int64_t start; /* in ticks of PROC_TICK since boot */
};

#define PROC_TICK INT64_C(10000000) /* ns; USER_HZ is 100 on Linux */

/* Reads /proc/PID/stat. Returns false, with errno set, if it cannot. */
bool proc_read_stat(pid_t pid, struct proc_stat *stat);

/* Parses a line of /proc/PID/stat. Returns false if it is malformed. */
bool proc_parse_stat(const char *line, struct proc_stat *stat);

/*
 * Whether the process has a handler for signum: SigCgt in proc_pid_status(5).
 * False where that cannot be read.
 */
bool proc_catches(pid_t pid, int signum);

#endif
