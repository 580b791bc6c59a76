/* SPDX-License-Identifier: MIT */
/*
 * What the UEFI front door does with the firmware's memory: its memory map, and the page of code,
 * which must never be writable and executable at the same time.
 */
#include "tests/unit/said.h"

#include "boot/efi_switch.h"
#include "trace_ring.h"

#define RO     0x20000ull
#define XP     0x4000ull
#define RANGES (3 * BOOT_MEM_RANGES)

/* Where boot/efi/switch.S would be. */
asm(".globl door_switch, door_exit_boot_services, door_switch_end\n"
    "door_switch: .fill 24, 1, 0x5a\n"
    "door_exit_boot_services: .fill 8, 1, 0x5b\n"
    "door_switch_end: .byte 0\n");

static u8 page[PAGE_SIZE] __aligned(PAGE_SIZE);
static u64 attributes; /* the page's, of firmware that executes no code of its own accord */
static unsigned clears;
static EFI_STATUS refuse; /* to make it executable */
static bool has_protocol, page_is_free;
static bool low_room;             /* there is memory below 640 KiB; and some */
static u64 free_below;            /* below this address, in MiB, as high as that */
static u64 limits[16], nr_limits; /* below which it was asked for */

/* The memory map; its descriptors are larger than those of our specification. */
static struct {
	EFI_MEMORY_DESCRIPTOR d;
	u64 more;
} map[RANGES];
static unsigned nr_map, more_by_pool;

static struct efi_handoff h;

static EFI_STATUS EFIAPI set(void *this, u64 base, u64 size, u64 which)
{
	(void)this;
	assert_true(base == (u64)page && size == PAGE_SIZE);
	attributes |= which;
	return 0;
}

static EFI_STATUS EFIAPI get(void *this, u64 base, u64 size, u64 *which)
{
	(void)this;
	assert_true(base == (u64)page && size == PAGE_SIZE);
	*which = attributes;
	return 0;
}

static EFI_STATUS EFIAPI clear(void *this, u64 base, u64 size, u64 which)
{
	(void)this;
	assert_true(base == (u64)page && size == PAGE_SIZE);
	clears++;
	if (refuse)
		return refuse;
	assert_true(which);
	attributes &= ~which;
	assert_true(attributes & (RO | XP)); /* strict firmware allows nothing else */
	return 0;
}

/* EFI_MEMORY_ATTRIBUTE_PROTOCOL. */
static const void *protocol[] = {get, set, clear};

static EFI_STATUS EFIAPI locate(EFI_GUID *guid, void *registration, void **interface)
{
	(void)guid;
	(void)registration;
	*interface = protocol;
	return has_protocol ? 0 : EFI_NOT_FOUND;
}

static EFI_STATUS EFIAPI allocate_pages(EFI_ALLOCATE_TYPE type, EFI_MEMORY_TYPE memory, UINTN n,
					EFI_PHYSICAL_ADDRESS *at)
{
	assert_int_equal(type, AllocateMaxAddress);
	if (memory == EfiLoaderCode) {
		assert_int_equal(n, 1);
		*at = (u64)page;
		return 0;
	}
	assert_int_equal(memory, EfiReservedMemoryType);
	limits[nr_limits++ % ARRAY_SIZE(limits)] = *at;
	if (*at < MIB(1) ? !low_room : *at < MIB(free_below))
		return EFI_OUT_OF_RESOURCES;
	*at = (u64)aligned_alloc(PAGE_SIZE, n * PAGE_SIZE);
	return 0;
}

static EFI_STATUS EFIAPI free_pages(EFI_PHYSICAL_ADDRESS at, UINTN n)
{
	(void)n;
	if (at != (u64)page) {
		free((void *)at);
		return 0;
	}
	assert_int_equal(attributes, XP);
	page_is_free = true;
	return 0;
}

static EFI_STATUS EFIAPI allocate_pool(EFI_MEMORY_TYPE type, UINTN size, void **at)
{
	(void)type;
	*at = malloc(size);
	nr_map += more_by_pool;
	return 0;
}

static EFI_STATUS EFIAPI free_pool(void *at)
{
	free(at);
	return 0;
}

static EFI_STATUS EFIAPI get_map(UINTN *size, EFI_MEMORY_DESCRIPTOR *to, UINTN *key, UINTN *step,
				 UINT32 *version)
{
	UINTN room = *size;

	(void)key;
	(void)version;
	*step = sizeof(map[0]);
	*size = nr_map * sizeof(map[0]);
	if (room < *size)
		return EFI_BUFFER_TOO_SMALL;
	memcpy(to, map, *size);
	return 0;
}

static EFI_STATUS EFIAPI exit_services(EFI_HANDLE image, UINTN key)
{
	(void)image;
	(void)key;
	return 0;
}

static EFI_BOOT_SERVICES bs = {.LocateProtocol = locate,
			       .AllocatePages = allocate_pages,
			       .FreePages = free_pages,
			       .AllocatePool = (void *)allocate_pool,
			       .FreePool = (void *)free_pool,
			       .GetMemoryMap = get_map,
			       .ExitBootServices = exit_services};
static EFI_SYSTEM_TABLE st = {.BootServices = &bs};
static const struct image_header image = {.file_size = sizeof(image), .size = PAGE_SIZE};
static const struct door door = {.st = &st, .hypervisor = &image};

static int start(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	memset(page, 0, sizeof(page));
	said[0] = '\0';
	has_protocol = true;
	page_is_free = false;
	attributes = XP;
	clears = 0;
	refuse = 0;
	nr_map = more_by_pool = 0;
	low_room = true;
	nr_limits = free_below = 0;
	return 0;
}

static void test_code(void **state)
{
	size_t size = (size_t)(door_switch_end - door_switch);
	void *function;

	(void)state;
	assert_int_equal(door_copy_code(&door, &h), 0);
	assert_int_equal(h.switch_page, (u64)page);
	assert_int_equal(attributes, RO);
	assert_memory_equal(page, door_switch, size);
	memcpy(&function, page + size, sizeof(function));
	assert_ptr_equal(function, exit_services);
	door_free_memory(&door, &h);
	assert_true(page_is_free);
}

static void test_code_without_protocol(void **state)
{
	(void)state;
	has_protocol = false;
	assert_int_equal(door_copy_code(&door, &h), 0);
	assert_memory_equal(page, door_switch, (size_t)(door_switch_end - door_switch));
	door_free_memory(&door, &h);
	assert_true(page_is_free);
	assert_int_equal(clears, 0);
}

static void test_code_refused(void **state)
{
	(void)state;
	refuse = EFI_ACCESS_DENIED;
	assert_int_equal(door_copy_code(&door, &h), EFI_ACCESS_DENIED);
	assert_non_null(strstr(said, "(ClearMemoryAttributes: 800000000000000f)"));
	refuse = 0;
	door_free_memory(&door, &h);
	assert_true(page_is_free);
}

/* Firmware that cannot change the attributes of this page does not protect it either. */
static void test_code_unsupported(void **state)
{
	(void)state;
	refuse = EFI_UNSUPPORTED;
	assert_int_equal(door_copy_code(&door, &h), 0);
	assert_string_equal(said, "");
	refuse = 0;
	door_free_memory(&door, &h);
	assert_true(page_is_free);
}

static void describe(u32 type, u64 start_mib, u64 mib)
{
	map[nr_map++].d = (EFI_MEMORY_DESCRIPTOR){.Type = type,
						  .PhysicalStart = MIB(start_mib),
						  .NumberOfPages = MIB(mib) / PAGE_SIZE};
}

/* The types become ours, neighbours of one kind one range, and an allocation may add some. */
static void test_map(void **state)
{
	static const struct mem_range expected[] = {{0, MIB(3), MEM_RAM},
						    {MIB(3), MIB(1), MEM_NVS},
						    {MIB(4), MIB(1), MEM_ACPI},
						    {MIB(5), MIB(1), MEM_RESERVED},
						    {MIB(8), MIB(1), MEM_RAM}};

	(void)state;
	describe(EfiConventionalMemory, 0, 1);
	describe(EfiBootServicesCode, 1, 1);
	describe(EfiLoaderData, 2, 1);
	describe(EfiRuntimeServicesData, 3, 1);
	describe(EfiACPIReclaimMemory, 4, 1);
	describe(EfiReservedMemoryType, 5, 1);
	describe(EfiConventionalMemory, 6, 0);
	describe(EfiConventionalMemory, 8, 1);
	map[nr_map].d = (EFI_MEMORY_DESCRIPTOR){0};
	more_by_pool = 1;
	h.max_cpus = 1;
	assert_int_equal(door_reserve_memory(&door, &h, 0, TRACE_RECORDS), 0);
	assert_int_equal(h.nr_mem, ARRAY_SIZE(expected));
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(h.mem[i].base, expected[i].base);
		assert_int_equal(h.mem[i].size, expected[i].size);
		assert_int_equal(h.mem[i].type, expected[i].type);
	}
	assert_memory_equal((void *)h.image.base, &image, sizeof(image));
	door_free_memory(&door, &h);
}

/* Descriptors in any order, three times as many as there may be ranges, become one range. */
static void test_map_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RANGES; i++)
		describe(i % 2 ? EfiBootServicesData : EfiConventionalMemory, i * 101 % RANGES, 1);
	h.max_cpus = 1;
	assert_int_equal(door_reserve_memory(&door, &h, 0, TRACE_RECORDS), 0);
	assert_int_equal(h.nr_mem, 1);
	assert_int_equal(h.mem[0].base, 0);
	assert_int_equal(h.mem[0].size, MIB(RANGES));
	door_free_memory(&door, &h);
}

static void test_map_too_long(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BOOT_MEM_RANGES; i++)
		describe(EfiConventionalMemory, 2 * i, 1);
	assert_int_equal(door_reserve_memory(&door, &h, 0, TRACE_RECORDS), 0);
	assert_int_equal(h.nr_mem, BOOT_MEM_RANGES);
	door_free_memory(&door, &h);
	memset(&h, 0, sizeof(h));
	describe(EfiConventionalMemory, 2 * BOOT_MEM_RANGES, 1);
	assert_int_equal(door_reserve_memory(&door, &h, 0, TRACE_RECORDS), EFI_BUFFER_TOO_SMALL);
	assert_int_equal(h.nr_mem, 0);
	assert_non_null(strstr(said, "has 257 ranges, more than 256"));
}

/* Memory is reserved at low addresses, where it does not change what EDK2 keeps for the next boot;
 * higher up only where there is none. */
static void test_where(void **state)
{
	static const struct {
		u64 free_below, limits[6]; /* for heap, log, image, page */
	} cases[] = {
		{0, {MIB(256) - 1, 0x9efff, MIB(256) - 1, 0x9efff}},
		{300, {MIB(256) - 1, GIB(1) - 1, 0x9efff, MIB(256) - 1, GIB(1) - 1, 0x9efff}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		start(state);
		free_below = cases[i].free_below;
		describe(EfiConventionalMemory, 0, 1);
		h.max_cpus = 1;
		assert_int_equal(door_reserve_memory(&door, &h, 0, TRACE_RECORDS), 0);
		assert_memory_equal(limits, cases[i].limits, nr_limits * sizeof(limits[0]));
		door_free_memory(&door, &h);
	}
	start(state);
	free_below = 5000;
	describe(EfiConventionalMemory, 0, 1);
	assert_int_equal(door_reserve_memory(&door, &h, 0, TRACE_RECORDS), EFI_OUT_OF_RESOURCES);
	assert_int_equal(nr_limits, 3);
	assert_int_equal(limits[2], GIB(4) - 1);
	assert_non_null(strstr(said, "KiB of memory below 4 GiB for Glasshouse."));
}

/* A page to start CPUs from is needed where no MP services start them. */
static void test_low_page(void **state)
{
	(void)state;
	low_room = false;
	describe(EfiConventionalMemory, 0, 1);
	h.max_cpus = 1;
	h.has_mp_services = true;
	assert_int_equal(door_reserve_memory(&door, &h, 0, TRACE_RECORDS), 0);
	assert_int_equal(h.low_page, 0);
	door_free_memory(&door, &h);
	start(state);
	low_room = false;
	describe(EfiConventionalMemory, 0, 1);
	assert_int_equal(door_reserve_memory(&door, &h, 0, TRACE_RECORDS), EFI_OUT_OF_RESOURCES);
	assert_non_null(strstr(said, "nor a free page below 640 KiB"));
	door_free_memory(&door, &h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_code, start),
		cmocka_unit_test_setup(test_code_without_protocol, start),
		cmocka_unit_test_setup(test_code_refused, start),
		cmocka_unit_test_setup(test_map, start),
		cmocka_unit_test_setup(test_code_unsupported, start),
		cmocka_unit_test_setup(test_map_order, start),
		cmocka_unit_test_setup(test_map_too_long, start),
		cmocka_unit_test_setup(test_where, start),
		cmocka_unit_test_setup(test_low_page, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
