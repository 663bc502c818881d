#include <errno.h>

#include "errors.h"
#include "format.h"

const char *errors_text(int error)
{
	static char other[sizeof("error -2147483648")];

	/*
	 * Of execve, clone, kill, mmap, open, prctl and write, all (2), with
	 * those that a seccomp(2) filter or a sandbox returns in their place.
	 */
	switch (error) {
	case E2BIG:
		return "Argument list too long";
	case EACCES:
		return "Permission denied";
	case EAGAIN:
		return "Resource temporarily unavailable";
	case EBUSY:
		return "Device or resource busy";
	case EFBIG:
		return "File too large";
	case EINVAL:
		return "Invalid argument";
	case EIO:
		return "Input/output error";
	case EISDIR:
		return "Is a directory";
	case ELIBBAD:
		return "Accessing a corrupted shared library";
	case ELOOP:
		return "Too many levels of symbolic links";
	case EMFILE:
		return "Too many open files";
	case ENAMETOOLONG:
		return "File name too long";
	case ENFILE:
		return "Too many open files in system";
	case ENODEV:
		return "No such device";
	case ENOENT:
		return "No such file or directory";
	case ENOEXEC:
		return "Exec format error";
	case ENOMEM:
		return "Cannot allocate memory";
	case ENOSPC:
		return "No space left on device";
	case ENOSYS:
		return "Function not implemented";
	case ENOTDIR:
		return "Not a directory";
	case ENOTSUP:
		return "Operation not supported";
	case ENXIO:
		return "No such device or address";
	case EPERM:
		return "Operation not permitted";
	case EROFS:
		return "Read-only file system";
	case ESRCH:
		return "No such process";
	case ESTALE:
		return "Stale file handle";
	case ETIMEDOUT:
		return "Connection timed out";
	case ETXTBSY:
		return "Text file busy";
	}
	format_text(other, sizeof(other), "error %d", error);
	return other;
}
