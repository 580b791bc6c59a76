/* SPDX-License-Identifier: MIT */
/*
 * The Linux loader: check, plan and load a kernel image, with a random memory map.
 */
#include "tests/fuzz/guest_memory.h"

#include "vmm/load/linux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct linux_image image;
	static struct linux_plan plan;
	static struct memmap map;
	struct linux_input in = {.kernel = KERNEL, .cmdline = "quiet"};
	struct mem_range files[3];
	u32 pages[10];
	u8 *kernel;

	/* The first words give holes in the RAM, and the initrd; the rest is the kernel. */
	take(&data, &size, pages, sizeof(pages));
	in.initrd = files;
	for (unsigned i = 0; i < 3; i++) {
		u64 base = pages[4 + 2 * i] & (MEMORY - 1), bytes = pages[5 + 2 * i] & 0xfffff;

		if (bytes)
			files[in.nr_initrd++] =
				(struct mem_range){.base = base, .size = MIN(bytes, MEMORY - base)};
	}
	kernel = malloc(size + 1);
	memcpy(kernel, data, size);
	if (size <= MEMORY - KERNEL)
		memcpy(memory + KERNEL, data, size);
	if (!linux_check(kernel, size, &image) && !random_map(&map, pages) &&
	    !linux_plan(&image, &map, &in, &plan))
		linux_load(NULL, &plan, &in, &map);
	free(kernel);
	return 0;
}
