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

static void put_int(struct output *out, int value)
{
	char digits[sizeof("-2147483648")];
	char *digit = digits + sizeof(digits) - 1;
	/* The magnitude of INT_MIN fits an unsigned only. */
	unsigned int rest =
		value < 0 ? 0U - (unsigned int)value : (unsigned int)value;

	*digit = '\0';
	do {
		*--digit = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (value < 0)
		*--digit = '-';
	put(out, digit);
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
