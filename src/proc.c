#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "numbers.h"
#include "proc.h"

bool proc_each_number(const char *path,
		      void (*visit)(int number, int directory, void *argument),
		      void *argument)
{
	_Alignas(struct dirent) char entries[1024];
	int directory = open(path, O_RDONLY | O_DIRECTORY);
	long length;

	if (directory < 0)
		return false;
	while ((length = syscall(SYS_getdents64, directory, entries,
				 sizeof(entries))) > 0) {
		for (long at = 0; at < length;) {
			struct dirent *entry = (void *)(entries + at);
			int number = numbers_parse(entry->d_name, INT_MAX);

			if (number != NUMBERS_NONE)
				visit(number, directory, argument);
			at += entry->d_reclen;
		}
	}
	(void)close(directory);
	return length == 0;
}
