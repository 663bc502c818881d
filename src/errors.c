#include <errno.h>

#include "errors.h"
#include "format.h"

/* Those of execve(2), vfork(2), kill(2), open(2) and write(2), errno(3). */
static const struct {
	int number;
	const char *text;
} errors[] = {
	{ E2BIG, "Argument list too long" },
	{ EACCES, "Permission denied" },
	{ EAGAIN, "Resource temporarily unavailable" },
	{ EFBIG, "File too large" },
	{ EFAULT, "Bad address" },
	{ EINVAL, "Invalid argument" },
	{ EIO, "Input/output error" },
	{ EISDIR, "Is a directory" },
	{ ELIBBAD, "Accessing a corrupted shared library" },
	{ ELOOP, "Too many levels of symbolic links" },
	{ EMFILE, "Too many open files" },
	{ ENAMETOOLONG, "File name too long" },
	{ ENFILE, "Too many open files in system" },
	{ ENOENT, "No such file or directory" },
	{ ENOEXEC, "Exec format error" },
	{ ENOMEM, "Cannot allocate memory" },
	{ ENOSPC, "No space left on device" },
	{ ENOSYS, "Function not implemented" },
	{ ENOTDIR, "Not a directory" },
	{ ENXIO, "No such device or address" },
	{ EPERM, "Operation not permitted" },
	{ EROFS, "Read-only file system" },
	{ ESRCH, "No such process" },
	{ ETXTBSY, "Text file busy" },
};

struct error_text errors_text(int error)
{
	struct error_text result = { "" };

	format_text(result.text, sizeof(result.text), "error %d", error);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].number == error)
			format_text(result.text, sizeof(result.text), "%s",
				    errors[i].text);
	}
	return result;
}
