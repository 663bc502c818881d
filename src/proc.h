/* Directories of /proc whose entries are numbers, proc(5). */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>

/*
 * Calls visit for each number that is a name in the directory at path, which is
 * open as directory meanwhile. What is added or removed during the walk may be
 * visited or not, but nothing else is missed. Returns false, with errno set,
 * when the directory cannot be read.
 */
bool proc_each_number(const char *path,
		      void (*visit)(int number, int directory, void *argument),
		      void *argument);

#endif
