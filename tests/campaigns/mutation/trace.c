/*
 * Records the blocks of this program that have run. If the file PROGRAM.trace
 * exists, it has a byte for each address of the program, and that of a block is
 * set to 1. The file is mapped, so that killed processes and the child of
 * vfork(2) are recorded, too.
 */
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The names are from ld(1) and gcc. NOLINTBEGIN */
extern char __executable_start[], etext[];

void __sanitizer_cov_trace_pc(void);
/* NOLINTEND */

static char *ran;

static size_t place(const void *address)
{
	return (uintptr_t)address - (uintptr_t)__executable_start;
}

__attribute__((constructor)) static void open_trace(void)
{
	static const char suffix[] = ".trace";
	char path[PATH_MAX + sizeof(suffix)];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	void *map;
	int file;

	if (length < 0)
		return;
	memcpy(path + length, suffix, sizeof(suffix));
	file = open(path, O_RDWR);
	if (file < 0)
		return;
	map = mmap(NULL, place(etext), PROT_READ | PROT_WRITE, MAP_SHARED, file,
		   0);
	(void)close(file);
	if (map != MAP_FAILED)
		ran = map;
}

/* -fsanitize-coverage=trace-pc: gcc calls this at the start of each block. */
void __sanitizer_cov_trace_pc(void)
{
	if (ran != NULL)
		ran[place(__builtin_return_address(0))] = 1;
}
