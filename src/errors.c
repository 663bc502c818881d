#include <errno.h>
#include <stddef.h>

#include "errors.h"
#include "format.h"

/*
 * The errnos of execve, clone, kill, mmap, open, prctl and write, all (2), and
 * those that seccomp(2) filters and sandboxes return.
 */
static const struct {
	int error;
	const char *text;
} errors[] = {
	{ E2BIG, "Argument list too long" },
	{ EACCES, "Permission denied" },
	{ EAGAIN, "Resource temporarily unavailable" },
	{ EBUSY, "Device or resource busy" },
	{ EFBIG, "File too large" },
	{ EINVAL, "Invalid argument" },
	{ EIO, "Input/output error" },
	{ EISDIR, "Is a directory" },
	{ ELIBBAD, "Accessing a corrupted shared library" },
	{ ELOOP, "Too many levels of symbolic links" },
	{ EMFILE, "Too many open files" },
	{ ENAMETOOLONG, "File name too long" },
	{ ENFILE, "Too many open files in system" },
	{ ENODEV, "No such device" },
	{ ENOENT, "No such file or directory" },
	{ ENOEXEC, "Exec format error" },
	{ ENOMEM, "Cannot allocate memory" },
	{ ENOSPC, "No space left on device" },
	{ ENOSYS, "Function not implemented" },
	{ ENOTDIR, "Not a directory" },
	{ ENOTSUP, "Operation not supported" },
	{ ENXIO, "No such device or address" },
	{ EPERM, "Operation not permitted" },
	{ EROFS, "Read-only file system" },
	{ ESRCH, "No such process" },
	{ ESTALE, "Stale file handle" },
	{ ETIMEDOUT, "Connection timed out" },
	{ ETXTBSY, "Text file busy" },
};

const char *errors_text(int error)
{
	static char other[sizeof("error -2147483648")];

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].error == error)
			return errors[i].text;
	}
	format_text(other, sizeof(other), "error %d", error);
	return other;
}
