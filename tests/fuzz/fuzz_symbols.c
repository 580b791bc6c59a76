/* SPDX-License-Identifier: MIT */
/*
 * A list of symbols, as the boot loader passes it for the monitor, and an address.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/system_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[8], *text;
	u64 address, offset;

	take(&data, &size, &address, sizeof(address));
	text = malloc(size + 1); /* of exactly this size, for the sanitizer */
	memcpy(text, data, size);
	text = realloc(text, size ? size : 1);
	if (system_map_lookup(text, size, address, name, sizeof(name), &offset) &&
	    (offset > address || !name[0] || strlen(name) >= sizeof(name)))
		abort();
	system_map_find(text, size, "entry", &address);
	free(text);
	return 0;
}
