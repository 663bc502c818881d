#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "errors.h"
#include "format.h"

/*
 * The errnos of execve, clone, kill, mmap, open, prctl and write, all (2), and
 * those that seccomp(2) filters and sandboxes return.
 */
#define ERRORS(ROW)                                                            \
	ROW(E2BIG, "Argument list too long")                                   \
	ROW(EACCES, "Permission denied")                                       \
	ROW(EAGAIN, "Resource temporarily unavailable")                        \
	ROW(EBUSY, "Device or resource busy")                                  \
	ROW(EFBIG, "File too large")                                           \
	ROW(EINVAL, "Invalid argument")                                        \
	ROW(EIO, "Input/output error")                                         \
	ROW(EISDIR, "Is a directory")                                          \
	ROW(ELIBBAD, "Accessing a corrupted shared library")                   \
	ROW(ELOOP, "Too many levels of symbolic links")                        \
	ROW(EMFILE, "Too many open files")                                     \
	ROW(ENAMETOOLONG, "File name too long")                                \
	ROW(ENFILE, "Too many open files in system")                           \
	ROW(ENODEV, "No such device")                                          \
	ROW(ENOENT, "No such file or directory")                               \
	ROW(ENOEXEC, "Exec format error")                                      \
	ROW(ENOMEM, "Cannot allocate memory")                                  \
	ROW(ENOSPC, "No space left on device")                                 \
	ROW(ENOSYS, "Function not implemented")                                \
	ROW(ENOTDIR, "Not a directory")                                        \
	ROW(ENOTSUP, "Operation not supported")                                \
	ROW(ENXIO, "No such device or address")                                \
	ROW(EPERM, "Operation not permitted")                                  \
	ROW(EROFS, "Read-only file system")                                    \
	ROW(ESRCH, "No such process")                                          \
	ROW(ESTALE, "Stale file handle")                                       \
	ROW(ETIMEDOUT, "Connection timed out")                                 \
	ROW(ETXTBSY, "Text file busy")

#define NUMBER(number, text) number,
#define TEXT(number, text)   text "\0"

/* Not an array of structs with pointers, which would take 400 bytes more. */
static const uint8_t numbers[] = { ERRORS(NUMBER) };
static const char texts[] = ERRORS(TEXT);

const char *errors_text(int error)
{
	static char other[sizeof("error -2147483648")];
	const char *text = texts;

	for (size_t i = 0; i < sizeof(numbers); i++) {
		if (numbers[i] == error)
			return text;
		text += strlen(text) + 1;
	}
	format_text(other, sizeof(other), "error %d", error);
	return other;
}
