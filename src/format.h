/* The part of printf(3) that our messages need: strings and integers. */
#ifndef FORMAT_H
#define FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Writes text as printf(3) does, with %s, %d, %u and %% only. Cuts it to size
 * bytes, at least 1, with the NUL that always ends it. Returns the length of
 * the text that was written.
 */
size_t format_text(char *out, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

size_t format_list(char *out, size_t size, const char *format, va_list list)
	__attribute__((format(printf, 3, 0)));

/* Copies length bytes of text to out, and adds a NUL. */
void format_copy(char *out, const char *text, size_t length);

#endif
