/* SPDX-License-Identifier: MIT */
/*
 * The multiboot loaders: a kernel of either version, with random modules and a random memory map.
 */
#include "tests/fuzz/fuzz.h"

#include "vmm/load/multiboot.h"

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

/* The addresses that the entry needs are in guest memory. */
static void check(const struct multiboot_entry *entry)
{
	if (entry->gdt > MEMORY || entry->ebx > MEMORY)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct framebuffer fb = {.type = FB_RGB, .width = 640, .height = 480};
	struct mem_range ranges[4] = {{0, MEMORY, MEM_RAM}};
	struct guest_module modules[2] = {{.string = "a module"}, {.string = ""}};
	struct multiboot_entry entry;
	struct memmap map;
	struct multiboot_input in = {.modules = modules, .map = &map};
	u32 pages[7];

	/* The first words give holes in the RAM, and the modules; the rest is the kernel. */
	take(&data, &size, pages, sizeof(pages));
	for (unsigned i = 1; i < 4; i++)
		ranges[i] =
			(struct mem_range){(u64)(pages[i - 1] & 0x3ff) << 12,
					   (u64)(pages[i - 1] >> 10 & 0xff) << 12, MEM_RESERVED};
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
	if (!memmap_init(&map, ranges, 4) &&
	    !(pages[6] >> 30 & 1 ? multiboot2_load : multiboot1_load)(&in, &entry))
		check(&entry);
	return 0;
}
