/* Files as /proc has them, proc(5): lists of numbers, and lines. */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>

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

#endif
