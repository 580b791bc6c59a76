/* SPDX-License-Identifier: MIT */
/*
 * The Linux loader: check, plan and load a kernel image, with a random memory map.
 */
#include "tests/fuzz/fuzz.h"

#include "vmm/load/linux.h"

#define MEMORY MIB(4)
#define KERNEL MIB(1)

/* Not cleared between inputs, for speed: the loader must not depend on its content. */
static u8 memory[MEMORY] __aligned(4096);

/* In the place of vmm/memslot.c. */
void *gpa_to_ptr(struct vm *vm, gpa_t gpa, u64 len)
{
	(void)vm;
	return len <= MEMORY && gpa <= MEMORY - len ? memory + gpa : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mem_range ranges[4] = {{0, MEMORY, MEM_RAM}};
	static struct linux_image image;
	static struct linux_plan plan;
	static struct memmap map;
	struct linux_input in = {.kernel = KERNEL, .cmdline = "quiet"};
	struct mem_range files[3];
	u32 pages[10];
	u8 *kernel;

	/* The first words give holes in the RAM, and the initrd; the rest is the kernel. */
	take(&data, &size, pages, sizeof(pages));
	for (unsigned i = 1; i < 4; i++)
		ranges[i] =
			(struct mem_range){(u64)(pages[i - 1] & 0x3ff) << 12,
					   (u64)(pages[i - 1] >> 10 & 0xff) << 12, MEM_RESERVED};
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
	if (!linux_check(kernel, size, &image) && !memmap_init(&map, ranges, 4) &&
	    !linux_plan(&image, &map, &in, &plan))
		linux_load(NULL, &plan, &in, &map);
	free(kernel);
	return 0;
}
