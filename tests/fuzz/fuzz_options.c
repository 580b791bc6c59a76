/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's command line.
 */
#include "tests/fuzz/fuzz.h"

#include "boot/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_options options;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	boot_options_parse(&options, text);
	if (strlen(options.provoke) >= sizeof(options.provoke) || options.reserve > GIB(1))
		abort();
	free(text);
	return 0;
}
