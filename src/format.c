#include <string.h>

#include "format.h"

struct output {
	char *text;
	size_t length;
	size_t room; /* without the NUL */
};

static void append(struct output *out, const char *text)
{
	for (; *text != '\0' && out->length < out->room; text++)
		out->text[out->length++] = *text;
}

static void append_unsigned(struct output *out, unsigned int value)
{
	char digits[sizeof("4294967295")];
	char *digit = digits + sizeof(digits) - 1;

	*digit = '\0';
	do {
		*--digit = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	append(out, digit);
}

static void append_int(struct output *out, int value)
{
	/* The magnitude of INT_MIN fits an unsigned only. */
	unsigned int magnitude = (unsigned int)value;

	if (value < 0) {
		append(out, "-");
		magnitude = 0U - magnitude;
	}
	append_unsigned(out, magnitude);
}

size_t format_list(char *out, size_t size, const char *format, va_list list)
{
	struct output output = { .text = out, .room = size - 1 };

	for (; *format != '\0'; format++) {
		if (*format != '%') {
			append(&output, (char[]){ *format, '\0' });
			continue;
		}
		format++;
		if (*format == 's')
			append(&output, va_arg(list, const char *));
		else if (*format == 'd')
			append_int(&output, va_arg(list, int));
		else if (*format == 'u')
			append_unsigned(&output, va_arg(list, unsigned int));
		else
			append(&output, "%");
	}
	out[output.length] = '\0';
	return output.length;
}

size_t format_text(char *out, size_t size, const char *format, ...)
{
	va_list list;
	size_t length;

	va_start(list, format);
	length = format_list(out, size, format, list);
	va_end(list);
	return length;
}

void format_copy(char *out, const char *text, size_t length)
{
	memcpy(out, text, length);
	out[length] = '\0';
}
