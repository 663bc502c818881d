#include <errno.h>

#include "errors.h"
#include "format.h"

const char *errors_text(int error)
{
	static char other[sizeof("error -2147483648")];

	/* What execve, vfork, kill, open and write, all (2), say to us. */
	switch (error) {
	case E2BIG:
		return "Argument list too long";
	case EACCES:
		return "Permission denied";
	case EAGAIN:
		return "Resource temporarily unavailable";
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
	case ENOENT:
		return "No such file or directory";
	case ENOEXEC:
		return "Exec format error";
	case ENOMEM:
		return "Cannot allocate memory";
	case ENOSPC:
		return "No space left on device";
	case ENOTDIR:
		return "Not a directory";
	case ENXIO:
		return "No such device or address";
	case EPERM:
		return "Operation not permitted";
	case EROFS:
		return "Read-only file system";
	case ESRCH:
		return "No such process";
	case ETXTBSY:
		return "Text file busy";
	}
	format_text(other, sizeof(other), "error %d", error);
	return other;
}
