/*
 * gcov's counters, for the build that measures coverage. They are in a file
 * that all processes of the program map, so that no process has to write them
 * when it exits. This counts processes that are killed or execute another
 * program, too, and the vfork child, whatever its files, directory and user
 * are. counters.ld puts the counters next to each other.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The place of the counters, from counters.ld. */
extern char counters_start[], counters_end[];

/* The names are from gcc and ld(1). NOLINTBEGIN */
struct gcov_info;
extern const struct gcov_info *const __start_gcov_info[];
extern const struct gcov_info *const __stop_gcov_info[];
/* Not from gcov.h, which is not for the other compilers that analyse this. */
void __gcov_info_to_gcda(const struct gcov_info *info,
			 void (*filename)(const char *path, void *argument),
			 void (*dump)(const void *data, unsigned int length,
				      void *argument),
			 void *(*allocate)(unsigned int length, void *argument),
			 void *argument);
/* NOLINTEND */

static size_t distance(const void *from, const void *to)
{
	return (uintptr_t)to - (uintptr_t)from;
}

static void open_output(const char *path, void *output)
{
	*(FILE **)output = fopen(path, "w");
	if (*(FILE **)output == NULL)
		_exit(1);
}

static void put(const void *data, unsigned int length, void *output)
{
	(void)fwrite(data, 1, length, *(FILE **)output);
}

static void *allocate(unsigned int length, void *output)
{
	(void)output;
	return malloc(length);
}

/* Writes the counts as gcov reads them: a .gcda beside each .gcno. */
static void dump(void)
{
	const size_t count =
		distance(__start_gcov_info, __stop_gcov_info) / sizeof(void *);

	for (size_t i = 0; i < count; i++) {
		FILE *output = NULL;

		__gcov_info_to_gcda(__start_gcov_info[i], open_output, put,
				    allocate, &output);
		if (fclose(output) != 0)
			_exit(1);
	}
	_exit(0);
}

__attribute__((constructor)) static void share(void)
{
	const size_t size = distance(counters_start, counters_end);
	const int file = open(COUNTERS, O_RDWR | O_CLOEXEC);

	/* If a test makes open fail, this process is not counted. */
	if (file >= 0) {
		(void)mmap(counters_start, size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, file, 0);
		(void)close(file);
	}
	if (getenv("COUNTERS_DUMP"))
		dump();
}
