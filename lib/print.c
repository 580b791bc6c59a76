/* SPDX-License-Identifier: MIT */
/*
 * Formatted text. No floating point: the hypervisor is compiled without vector registers.
 */
#include "lib/print.h"
#include "lib/string.h"

struct out {
	char *buf;
	size_t size, len; /* len may exceed size: it counts what did not fit, too */
};

/* One conversion: %[flags][width][.precision][length]conv */
struct spec {
	bool left, zero, plus, space, alt;
	int width, precision; /* precision: -1 if not given */
	unsigned bytes;       /* size of an integer argument */
	char conv;
};

static void put(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_n(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

/* Print @prefix, @zeros zeros and @n bytes of @text, padded with spaces to the width. */
static void put_field(struct out *o, const struct spec *s, const char *prefix, int zeros,
		      const char *text, int n)
{
	int prefix_len = (int)strlen(prefix);
	int pad = s->width - prefix_len - zeros - n;

	if (!s->left)
		put_n(o, ' ', pad);
	while (*prefix)
		put(o, *prefix++);
	put_n(o, '0', zeros);
	while (n-- > 0)
		put(o, *text++);
	if (s->left)
		put_n(o, ' ', pad);
}

static void put_number(struct out *o, const struct spec *s, u64 value, const char *prefix)
{
	const char *digits = s->conv == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned base = s->conv == 'x' || s->conv == 'X' ? 16 : 10;
	char text[20], *p = text + sizeof(text);
	int n, zeros;

	if (base == 16 && s->alt && value)
		prefix = s->conv == 'X' ? "0X" : "0x";
	for (; value; value /= base)
		*--p = digits[value % base];
	n = (int)(text + sizeof(text) - p);
	if (s->precision >= 0)
		zeros = s->precision - n;
	else if (s->zero && !s->left)
		zeros = MAX(s->width - (int)strlen(prefix) - n, n ? 0 : 1);
	else
		zeros = n ? 0 : 1;
	put_field(o, s, prefix, MAX(zeros, 0), p, n);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
	int n = 0;

	if (!text)
		text = "(null)";
	while ((s->precision < 0 || n < s->precision) && text[n])
		n++;
	put_field(o, s, "", 0, text, n);
}

static int parse_number(const char **fmt)
{
	int n = 0;

	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++) {
		if (n < 10000)
			n = n * 10 + (**fmt - '0');
	}
	return n;
}

static void parse_flags(struct spec *s, const char **fmt)
{
	for (;; (*fmt)++) {
		switch (**fmt) {
		case '-':
			s->left = true;
			break;
		case '0':
			s->zero = true;
			break;
		case '+':
			s->plus = true;
			break;
		case ' ':
			s->space = true;
			break;
		case '#':
			s->alt = true;
			break;
		default:
			return;
		}
	}
}

static void parse_length(struct spec *s, const char **fmt)
{
	s->bytes = sizeof(int);
	if (**fmt == 'h') {
		s->bytes = *++*fmt == 'h' ? 1 : 2;
		*fmt += s->bytes == 1;
	} else if (**fmt == 'l' || **fmt == 'z') {
		s->bytes = 8;
		*fmt += **fmt == 'l' && (*fmt)[1] == 'l' ? 2 : 1;
	}
}

static s64 sign_extend(u64 value, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (s64)(value << shift) >> shift;
}

static void put_signed(struct out *o, const struct spec *s, u64 value)
{
	s64 v = sign_extend(value, s->bytes);

	if (v < 0)
		put_number(o, s, 0 - (u64)v, "-");
	else
		put_number(o, s, (u64)v, s->plus ? "+" : s->space ? " " : "");
}

static u64 next_integer(va_list *args, unsigned bytes)
{
	return bytes == 8 ? va_arg(*args, u64) : va_arg(*args, unsigned);
}

static void convert(struct out *o, struct spec *s, va_list *args)
{
	char c;

	switch (s->conv) {
	case 'd':
	case 'i':
		put_signed(o, s, next_integer(args, s->bytes));
		break;
	case 'u':
	case 'x':
	case 'X':
		put_number(o, s, next_integer(args, s->bytes) & GENMASK(8 * s->bytes - 1, 0), "");
		break;
	case 'p':
		s->conv = 'x';
		put_number(o, s, (uintptr_t)va_arg(*args, void *), "0x");
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		put_field(o, s, "", 0, &c, 1);
		break;
	case 's':
		put_string(o, s, va_arg(*args, const char *));
		break;
	default: /* %%; an unknown conversion prints its letter */
		put(o, s->conv);
	}
}

static void parse_spec(struct spec *s, const char **fmt, va_list *args)
{
	parse_flags(s, fmt);
	if (**fmt == '*') {
		s->width = va_arg(*args, int);
		++*fmt;
		if (s->width < 0) {
			s->left = true;
			s->width = -s->width;
		}
	} else {
		s->width = parse_number(fmt);
	}
	s->precision = -1;
	if (**fmt == '.') {
		if (*++*fmt == '*') {
			s->precision = va_arg(*args, int);
			++*fmt;
		} else {
			s->precision = parse_number(fmt);
		}
	}
	parse_length(s, fmt);
	s->conv = **fmt;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list list)
{
	struct out o = {.buf = buf, .size = size};
	va_list args;

	/* Copy it: va_list is an array type, so &list of a parameter is not a va_list *. */
	va_copy(args, list);
	for (; *fmt; fmt++) {
		struct spec s = {0};

		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		fmt++;
		parse_spec(&s, &fmt, &args);
		if (!s.conv)
			break;
		convert(&o, &s, &args);
	}
	va_end(args);
	if (size)
		buf[MIN(o.len, size - 1)] = '\0';
	return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list list;
	int n;

	va_start(list, fmt);
	n = vsnprintf(buf, size, fmt, list);
	va_end(list);
	return n;
}
