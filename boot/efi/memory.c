/* SPDX-License-Identifier: MIT */
/*
 * Memory for Glasshouse, which the firmware and every operating system leave alone. UEFI
 * Specification: "Memory Allocation Services".
 */
#include "boot/efi/door.h"
#include "boot/efi/services.h"
#include "boot/efi_switch.h"
#include "boot/heap.h"
#include "drivers/console.h"
#include "lib/string.h"

#define EFI_PERSISTENT_MEMORY 14      /* gnu-efi does not name it */
#define EFI_MEMORY_RO         0x20000 /* nor this */
#define LOW_LIMIT             0x9efff

static u32 memory_type(u32 efi_type)
{
	switch (efi_type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiConventionalMemory:
		return MEM_RAM;
	case EfiUnusableMemory:
		return MEM_BAD;
	case EfiACPIReclaimMemory:
		return MEM_ACPI;
	/* The firmware's programs and data, which it uses while the operating system runs. */
	case EfiRuntimeServicesCode:
	case EfiRuntimeServicesData:
	case EfiACPIMemoryNVS:
		return MEM_NVS;
	case EFI_PERSISTENT_MEMORY:
		return MEM_PMEM;
	default:
		return MEM_RESERVED;
	}
}

/* The firmware's memory map, in memory that door_free_map() gives back. */
EFI_STATUS door_read_map(const struct door *door, struct door_map *map)
{
	EFI_BOOT_SERVICES *bs = door->st->BootServices;
	EFI_STATUS status = EFI_BUFFER_TOO_SMALL;
	UINT32 version;

	map->descriptors = NULL;
	map->size = 0;
	for (unsigned tries = 0; tries < 5 && status == EFI_BUFFER_TOO_SMALL; tries++) {
		if (map->descriptors)
			bs->FreePool(map->descriptors);
		map->descriptors = NULL;
		/* The allocation itself may add descriptors. */
		map->size += tries ? 8 * map->step : 0;
		if (map->size &&
		    bs->AllocatePool(EfiLoaderData, map->size, (void **)&map->descriptors))
			map->descriptors = NULL;
		status = bs->GetMemoryMap(&map->size, map->descriptors, &map->key, &map->step,
					  &version);
	}
	return status;
}

void door_free_map(const struct door *door, struct door_map *map)
{
	if (map->descriptors)
		door->st->BootServices->FreePool(map->descriptors);
}

/* Make our ranges of the descriptors, in their place, where each needs less room. Returns how many
 * there are, sorted by address. */
static size_t sorted_ranges(const struct door_map *map, struct mem_range *ranges)
{
	EFI_MEMORY_DESCRIPTOR d;
	size_t n = 0, i;

	_Static_assert(sizeof(*ranges) <= sizeof(d), "a range overwrites the next descriptor");
	for (UINTN at = 0; at + map->step <= map->size; at += map->step) {
		memcpy(&d, (const u8 *)map->descriptors + at, sizeof(d));
		if (!d.NumberOfPages)
			continue;
		for (i = n++; i && ranges[i - 1].base > d.PhysicalStart; i--)
			ranges[i] = ranges[i - 1];
		ranges[i] = (struct mem_range){d.PhysicalStart, d.NumberOfPages << PAGE_SHIFT,
					       memory_type(d.Type)};
	}
	return n;
}

/* Make one range of neighbours of one type. Returns how many there are then. */
static size_t merge_ranges(struct mem_range *ranges, size_t n)
{
	size_t merged = 0;

	for (size_t i = 0; i < n; i++) {
		struct mem_range *last = merged ? &ranges[merged - 1] : NULL;

		if (last && last->type == ranges[i].type &&
		    last->base + last->size == ranges[i].base)
			last->size += ranges[i].size;
		else
			ranges[merged++] = ranges[i];
	}
	return merged;
}

/* The descriptors come in any order, and a large machine has several hundred. */
static EFI_STATUS convert_map(const struct door *door, struct efi_handoff *h)
{
	struct door_map map;
	EFI_STATUS status = door_read_map(door, &map);
	struct mem_range *ranges = (void *)map.descriptors;
	size_t n = 0;

	if (status)
		door_print(door, "The firmware gives no memory map (GetMemoryMap: %lx).\n", status);
	else
		n = merge_ranges(ranges, sorted_ranges(&map, ranges));
	if (n > ARRAY_SIZE(h->mem)) {
		door_print(door,
			   "The firmware's memory map has %lu ranges, more than %lu: "
			   "build Glasshouse with a larger BOOT_MEM_RANGES.\n",
			   n, ARRAY_SIZE(h->mem));
		status = EFI_BUFFER_TOO_SMALL;
	} else {
		memcpy(h->mem, ranges, n * sizeof(*ranges));
		h->nr_mem = (u32)n;
	}
	door_free_map(door, &map);
	return status;
}

void *door_pages(const struct door *door, EFI_MEMORY_TYPE type, u64 limit, u64 size)
{
	EFI_PHYSICAL_ADDRESS at = limit;

	return door->st->BootServices->AllocatePages(AllocateMaxAddress, type,
						     ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE, &at)
		       ? NULL
		       : (void *)at;
}

void door_free_pages(const struct door *door, u64 at, u64 size)
{
	if (at)
		door->st->BootServices->FreePages(at, ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE);
}

/*
 * Reserve memory, at low addresses if there is room. At its top EDK2 keeps an area ("bin") for each
 * type of memory that must be at the same address at each boot. It makes that area larger for the
 * next boot when a boot has needed more there, and resets the machine once for it; so a refused
 * start would cost a reset. Below its areas, and below what it allocates for itself, it does not
 * count.
 */
static bool reserve(const struct door *door, struct mem_range *range, u64 size)
{
	static const u64 limits[] = {MIB(256) - 1, GIB(1) - 1, DOOR_BELOW_4G};

	*range = (struct mem_range){0, ALIGN_UP(size, PAGE_SIZE), MEM_RESERVED};
	for (unsigned i = 0; !range->base && i < ARRAY_SIZE(limits); i++)
		range->base = (u64)door_pages(door, EfiReservedMemoryType, limits[i], range->size);
	if (!range->base)
		door_print(door,
			   "The firmware has no %lu KiB of memory below 4 GiB for Glasshouse.\n",
			   range->size >> 10);
	return range->base;
}

static u64 memory_top(const struct efi_handoff *h)
{
	u64 top = 0;

	for (u32 i = 0; i < h->nr_mem; i++)
		if (mem_holds_bytes(h->mem[i].type))
			top = MAX(top, h->mem[i].base + h->mem[i].size);
	return top;
}

/* Below 640 KiB, because the next boot looks for the log at the same place: what is free higher up
 * depends on the programs that were started before. Otherwise anywhere. */
static bool reserve_log(const struct door *door, struct mem_range *log)
{
	u64 size = CONSOLE_RING_PAGES * PAGE_SIZE;

	*log = (struct mem_range){(u64)door_pages(door, EfiReservedMemoryType, LOW_LIMIT, size),
				  size, MEM_RESERVED};
	return log->base || reserve(door, log, size);
}

EFI_STATUS door_reserve_memory(const struct door *door, struct efi_handoff *h, u64 option_reserve,
			       u64 option_trace)
{
	const struct image_header *image = door->hypervisor;
	EFI_STATUS status =
		convert_map(door, h); /* before the rest: Glasshouse's memory is RAM, too */

	if (status)
		return status;
	if (!reserve(door, &h->heap,
		     boot_heap_size(h->max_cpus, memory_top(h), option_reserve, option_trace)) ||
	    !reserve_log(door, &h->log) || !reserve(door, &h->image, image->size))
		return EFI_OUT_OF_RESOURCES;
	/* Needed where no MP services bring the other CPUs, and after the boot services. */
	h->low_page = (u64)door_pages(door, EfiReservedMemoryType, LOW_LIMIT, PAGE_SIZE);
	if (!h->low_page && !h->has_mp_services) {
		door_print(door,
			   "The firmware has neither MP services, which start the other CPUs, "
			   "nor a free page below 640 KiB to start them from. "
			   "Look for a newer firmware.\n");
		return EFI_OUT_OF_RESOURCES;
	}
	memcpy((void *)h->image.base, image, image->file_size);
	memset((void *)(h->image.base + image->file_size), 0, image->size - image->file_size);
	return 0;
}

/* In UEFI Specification: "EFI_MEMORY_ATTRIBUTE_PROTOCOL", which gnu-efi does not have. */
struct memory_attribute {
	EFI_STATUS(EFIAPI *get)(struct memory_attribute *this, u64 base, u64 size, u64 *attributes);
	EFI_STATUS(EFIAPI *set)(struct memory_attribute *this, u64 base, u64 size, u64 attributes);
	EFI_STATUS(EFIAPI *clear)
	(struct memory_attribute *this, u64 base, u64 size, u64 attributes);
};

static struct memory_attribute *memory_attributes(const struct door *door)
{
	EFI_GUID guid = {
		0xf4560cf6, 0x40ec, 0x4b4a, {0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89}};
	struct memory_attribute *protocol = NULL;

	return door->st->BootServices->LocateProtocol(&guid, NULL, (void **)&protocol) ? NULL
										       : protocol;
}

EFI_STATUS door_copy_code(const struct door *door, struct efi_handoff *h)
{
	EFI_BOOT_SERVICES *bs = door->st->BootServices;
	struct memory_attribute *attributes = memory_attributes(door);
	size_t size = (size_t)(door_switch_end - door_switch);
	EFI_STATUS status = 0;
	u8 *page;

	h->switch_page = (u64)door_pages(door, EfiLoaderCode, DOOR_BELOW_4G, PAGE_SIZE);
	if (!h->switch_page) {
		door_print(door, "The firmware has no page of memory below 4 GiB "
				 "for Glasshouse's code.\n");
		return EFI_OUT_OF_RESOURCES;
	}
	page = (u8 *)h->switch_page;
	memcpy(page, door_switch, size);
	memcpy(page + size, &bs->ExitBootServices, sizeof(bs->ExitBootServices));
	/* Strict firmware allows no execution from memory that is not a program's, and none from
	 * memory that can be written. */
	if (attributes) {
		attributes->get(attributes, h->switch_page, PAGE_SIZE, &h->switch_attributes);
		attributes->set(attributes, h->switch_page, PAGE_SIZE, EFI_MEMORY_RO);
		status = attributes->clear(attributes, h->switch_page, PAGE_SIZE, EFI_MEMORY_XP);
	}
	/* It cannot be protected, so it is not. */
	if (status == EFI_UNSUPPORTED)
		status = 0;
	if (status)
		door_print(door,
			   "The firmware does not let Glasshouse's code be executed "
			   "(ClearMemoryAttributes: %lx). "
			   "Look in its setup for a policy that protects memory.\n",
			   status);
	return status;
}

/* The next owner of the page must find it as it was. */
static void free_code(const struct door *door, const struct efi_handoff *h)
{
	struct memory_attribute *attributes = memory_attributes(door);

	if (h->switch_page && attributes) {
		if (h->switch_attributes & EFI_MEMORY_XP)
			attributes->set(attributes, h->switch_page, PAGE_SIZE, EFI_MEMORY_XP);
		attributes->clear(attributes, h->switch_page, PAGE_SIZE, EFI_MEMORY_RO);
	}
	door_free_pages(door, h->switch_page, PAGE_SIZE);
}

void door_free_memory(const struct door *door, const struct efi_handoff *h)
{
	door_free_pages(door, h->heap.base, h->heap.size);
	door_free_pages(door, h->log.base, h->log.size);
	door_free_pages(door, h->image.base, h->image.size);
	door_free_pages(door, h->low_page, PAGE_SIZE);
	free_code(door, h);
}
