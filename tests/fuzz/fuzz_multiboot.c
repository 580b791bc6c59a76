/* SPDX-License-Identifier: MIT */
/*
 * The multiboot loaders: a kernel of either version, with random modules and a random memory map.
 */
#include "tests/fuzz/guest_memory.h"

#include "vmm/load/multiboot.h"

/* The addresses that the entry needs are in guest memory. */
static void check(const struct multiboot_entry *entry)
{
	if (entry->gdt > MEMORY || entry->ebx > MEMORY)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct framebuffer fb = {.type = FB_RGB, .width = 640, .height = 480};
	struct guest_module modules[2] = {{.string = "a module"}, {.string = ""}};
	struct multiboot_entry entry;
	struct memmap map;
	struct multiboot_input in = {.modules = modules, .map = &map};
	u32 pages[7];

	/* The first words give holes in the RAM, and the modules; the rest is the kernel. */
	take(&data, &size, pages, sizeof(pages));
	for (unsigned i = 0; i < 2; i++) {
		modules[i].start = pages[3 + i] & (MEMORY - 1);
		modules[i].size = MIN(pages[5 + i] & 0xfffff, MEMORY - modules[i].start);
	}
	in.nr_modules = pages[5] >> 30;
	in.nr_modules = MIN(in.nr_modules, 2);
	in.fb = pages[6] >> 31 ? &fb : NULL;
	if (size > MEMORY - KERNEL)
		return 0;
	in.kernel = (struct guest_module){KERNEL, size, "words for the kernel"};
	memcpy(memory + KERNEL, data, size);
	if (!random_map(&map, pages) &&
	    !(pages[6] >> 30 & 1 ? multiboot2_load : multiboot1_load)(&in, &entry))
		check(&entry);
	return 0;
}
