/* SPDX-License-Identifier: MIT */
/*
 * build/check-options OPTIONS, a program for the host: checks Glasshouse's options before a machine
 * is started, with Glasshouse's own option table and parser. Exit status 1: some are wrong, and
 * stderr says which.
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
