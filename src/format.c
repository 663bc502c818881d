#include <stdbool.h>

#include "format.h"

struct output {
	char *text;
	size_t length;
	size_t room; /* without the NUL */
};

static void put(struct output *out, const char *text)
{
	for (; *text != '\0' && out->length < out->room; text++)
		out->text[out->length++] = *text;
}

static void put_unsigned(struct output *out, unsigned int value)
{
	char digits[sizeof("4294967295")];
	char *digit = digits + sizeof(digits) - 1;

	*digit = '\0';
	do {
		*--digit = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	put(out, digit);
}

static void put_int(struct output *out, int value)
{
	/* The magnitude of INT_MIN fits an unsigned only. */
	unsigned int magnitude = (unsigned int)value;

	if (value < 0) {
		put(out, "-");
		magnitude = 0U - magnitude;
	}
	put_unsigned(out, magnitude);
}

size_t format_list(char *out, size_t size, const char *format, va_list list)
{
	struct output output = { .text = out, .room = size - 1 };

	for (; *format != '\0'; format++) {
		if (*format != '%') {
			put(&output, (char[]){ *format, '\0' });
			continue;
		}
		format++;
		if (*format == 's')
			put(&output, va_arg(list, const char *));
		else if (*format == 'd')
			put_int(&output, va_arg(list, int));
		else if (*format == 'u')
			put_unsigned(&output, va_arg(list, unsigned int));
		else
			put(&output, "%");
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
