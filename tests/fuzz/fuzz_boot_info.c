/* SPDX-License-Identifier: MIT */
/*
 * The boot loader's information.
 */
#include "tests/fuzz/fuzz.h"

#include "boot/boot_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info info;
	size_t padded = MAX(size, 8);
	u8 *mbi = aligned_alloc(8, ALIGN_UP(padded, 8));
	u32 total = (u32)size;

	memset(mbi, 0, ALIGN_UP(padded, 8));
	memcpy(mbi, data, size);
	/* Correct the length in most inputs, so that the tags are parsed. */
	if (size && data[0] != 0xff)
		memcpy(mbi, &total, sizeof(total));
	boot_info_parse(&info, MULTIBOOT2_BOOTLOADER_MAGIC, mbi, size);
	free(mbi);
	return 0;
}
