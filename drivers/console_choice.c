/* SPDX-License-Identifier: MIT */
/*
 * Which consoles are Glasshouse's while a guest runs: see console_choice.h.
 */
#include "drivers/console_choice.h"

#include "drivers/serial.h"
#include "lib/string.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_word(char c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool equals(const char *word, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (lower(word[i]) != name[i])
			return false;
	return !name[n];
}

/* @name may be shorter than @n: equals() stops at its end, where the bytes differ. */
static unsigned uart_named(const char *word, size_t n)
{
	static const struct {
		const char *name;
		unsigned uart;
	} names[] = {
		{"ttys0", CONSOLE_COM1}, {"com1", CONSOLE_COM1},  {"0x3f8", CONSOLE_COM1},
		{"3f8", CONSOLE_COM1},   {"ttys1", CONSOLE_COM2}, {"com2", CONSOLE_COM2},
		{"0x2f8", CONSOLE_COM2}, {"2f8", CONSOLE_COM2},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (equals(word, n, names[i].name))
			return names[i].uart;
	return 0;
}

unsigned console_named(const char *words)
{
	unsigned named = 0;

	while (*words) {
		size_t n = 0;

		while (is_word(words[n]))
			n++;
		named |= uart_named(words, n);
		words += n ? n : 1;
	}
	return named;
}

unsigned console_of_spcr(const struct acpi_reg *uart)
{
	if (uart->space != ACPI_SPACE_IO)
		return 0;
	return uart->address == SERIAL_COM1   ? CONSOLE_COM1
	       : uart->address == SERIAL_COM2 ? CONSOLE_COM2
					      : 0;
}

unsigned console_choose(unsigned chosen, unsigned guests, unsigned present)
{
	return (chosen == CONSOLE_AUTO ? CONSOLE_OURS & ~guests : chosen) & present;
}

const char *console_names(char *text, unsigned mask)
{
	static const char *const names[] = {"COM1", "COM2", "the screen", "port E9",
					    "the graphics screen"};
	bool first = true;

	text[0] = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		size_t used = strlen(text);
		bool last = mask >> (i + 1) == 0;

		if (!(mask >> i & 1))
			continue;
		if (!first)
			used += strlcpy(text + used, last ? " and " : ", ",
					CONSOLE_NAMES_SIZE - used);
		strlcpy(text + used, names[i], CONSOLE_NAMES_SIZE - used);
		first = false;
	}
	return text;
}
