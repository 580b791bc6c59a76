/* SPDX-License-Identifier: MIT */
/*
 * panic(): the message. panic_handler adds the report (report/).
 */
#include <stdarg.h>
#include "lib/log.h"
#include "lib/print.h"

void (*panic_handler)(const char *text, u64 rsp);

void panic(const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (panic_handler)
		panic_handler(text, (u64)__builtin_frame_address(0));
	pr_err("\n*** Glasshouse panics: %s ***\n", text);
	for (;;)
		asm volatile("hlt");
}
