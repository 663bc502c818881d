/* The part of printf(3) that our messages need: strings and small integers. */
#ifndef FORMAT_H
#define FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Writes the text that format describes to out, at most size bytes with the
 * NUL that always ends it; what does not fit is cut off. Knows %s, %d, %u and
 * %%. size: at least 1. Returns the length of what was written, without the
 * NUL.
 */
size_t format_text(char *out, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

size_t format_list(char *out, size_t size, const char *format, va_list list)
	__attribute__((format(printf, 3, 0)));

#endif
