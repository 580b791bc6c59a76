/* SPDX-License-Identifier: MIT */
/*
 * build/check-options WORDS, on the host: says what is wrong with Glasshouse's options before a
 * machine is started with them, by the very table and parser that Glasshouse has. Status 1: some
 * are wrong.
 */
#include <unistd.h>

#include "boot/options.h"
#include "lib/log.h"
#include "lib/print.h"
#include "lib/string.h"

void printk(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	(void)level;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		_exit(2);
}

int main(int argc, char **argv)
{
	struct boot_options options;

	return argc != 2 ? 2 : boot_options_parse(&options, argv[1]) != 0;
}
