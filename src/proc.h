/* Files as /proc has them, proc(5): lists of numbers, and lines. */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PROC_LINE_MAX = 512, /* bytes, with a NUL in place of the newline */
};

/*
 * Calls visit for each number that is a name in the directory at path, which is
 * open as directory meanwhile. What is added or removed during the walk may be
 * visited or not, but nothing else is missed. Returns false, with errno set,
 * when the directory cannot be read.
 */
bool proc_each_number(const char *path,
		      void (*visit)(int number, int directory, void *argument),
		      void *argument);

/*
 * Looks in the file at path for the first line that begins with key; if key
 * begins with a colon, at the first colon of a line. Fills rest with what is
 * behind key. Returns false if there is none, among lines that end and
 * fit PROC_LINE_MAX in the first 64 reads, of that size.
 */
bool proc_find_line(const char *path, const char *key,
		    char rest[PROC_LINE_MAX]);

/* Whether /proc is there, and of our PID namespace. */
bool proc_is_ours(void);

/* Some fields of /proc/PID/stat, proc_pid_stat(5). */
struct proc_stat {
	char state; /* 'Z' for a zombie */
	pid_t parent;
	bool is_kernel_thread;
	int64_t start; /* in ticks of PROC_TICK since boot */
};

#define PROC_TICK INT64_C(10000000) /* ns; USER_HZ is 100 on Linux */

/* Reads /proc/PID/stat. Returns false if there is no such process to be seen.
 */
bool proc_read_stat(pid_t pid, struct proc_stat *stat);

/* The fields of a line of /proc/PID/stat; false if it is not such a line. */
bool proc_parse_stat(const char *line, struct proc_stat *stat);

/*
 * Whether the process handles signum, "SigCgt" in proc_pid_status(5). False
 * where that cannot be read.
 */
bool proc_catches(pid_t pid, int signum);

#endif
