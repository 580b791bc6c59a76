/* SPDX-License-Identifier: MIT */
/*
 * From UEFI firmware into Glasshouse and out again as its guest: the steps.
 */
#include "boot/efi/door.h"
#include "boot/efi_switch.h"
#include "lib/number.h"
#include "lib/string.h"
#include "log_ring.h"
#include "trace_ring.h"

#define LAST_WORDS  1500 /* bytes of the log that are printed after a refusal */
#define KEY_SECONDS 10
#define EXIT_TRIES  3

/* The end of the image's log, from the start of a line on. @result: what door_switch_cpu()
 * returned, which says why if the image was not reached. */
static void print_last_words(const struct door *door, const struct efi_handoff *h, u64 result)
{
	const struct log_ring *log = (const void *)h->last_words;
	u64 from;

	if (!log) {
		door_print(door,
			   "Glasshouse was not reached (reason %lu), a defect of Glasshouse or of "
			   "the firmware. Please report it.\n",
			   result);
		return;
	}
	from = log->written - MIN(log->written, MIN(log->size, LAST_WORDS));

	while (from && from < log->written && log->text[(from - 1) % log->size] != '\n')
		from++;
	/* On a screen it stands already, where the firmware would write across it. */
	if (door->st->ConOut)
		door->st->ConOut->ClearScreen(door->st->ConOut);
	door_print(door, "Glasshouse gives the machine back. The end of its log:\n");
	for (; from < log->written; from++)
		door_write(door, &log->text[from % log->size], 1);
}

/*
 * The firmware's boot services end, and the guest gets the whole machine. With an error, *@called
 * says whether they have ended in part: then only memory services, and ExitBootServices, may be
 * called. UEFI Specification: "EFI_BOOT_SERVICES.ExitBootServices()".
 */
static EFI_STATUS end_boot_services(const struct door *door, bool *called)
{
	struct door_map map;
	EFI_STATUS status = EFI_INVALID_PARAMETER;

	/* The map's key is stale if an event changed the map after it was read. */
	for (unsigned tries = 0; tries < EXIT_TRIES && status; tries++) {
		status = door_read_map(door, &map);
		if (status)
			continue;
		*called = true;
		status = door->st->BootServices->ExitBootServices(door->image, map.key);
	}
	return status;
}

/* The guest calls this function instead of the firmware's, so that Glasshouse knows when an
 * operating system begins. */
static void watch_exit_boot_services(const struct door *door, const struct efi_handoff *h)
{
	EFI_BOOT_SERVICES *bs = door->st->BootServices;
	u32 crc = 0;

	bs->ExitBootServices =
		(EFI_EXIT_BOOT_SERVICES)(h->switch_page +
					 (u64)(door_exit_boot_services - door_switch));
	bs->Hdr.CRC32 = 0;
	bs->CalculateCrc32(bs, bs->Hdr.HeaderSize, &crc);
	bs->Hdr.CRC32 = crc;
}

static void copy_modules(const struct door *door, struct efi_handoff *h)
{
	for (unsigned i = 0; i < door->nr_modules; i++) {
		h->modules[i].start = (u64)door->modules[i].bytes;
		h->modules[i].size = door->modules[i].size;
		h->modules[i].string = (u64)door->modules[i].string;
	}
	h->nr_modules = door->nr_modules;
}

/* The number that the option @name gives, if it is from @min to @max; otherwise @other, as the
 * image says later. */
static u64 door_number(const struct door *door, const char *name, u64 min, u64 max, u64 other)
{
	char text[32];
	int length = door_option(door->cmdline, name, text, sizeof(text));
	u64 number;

	if (length < 0 || length >= (int)sizeof(text) || !parse_uint(text, &number))
		return other;
	return number >= min && number <= max ? number : other;
}

/* Fill @h, and reserve all that Glasshouse needs. */
static EFI_STATUS prepare(const struct door *door, struct efi_handoff *h)
{
	EFI_STATUS status;

	strlcpy(h->cmdline, door->cmdline, sizeof(h->cmdline));
	strlcpy(h->cmdline_from, door->cmdline_from, sizeof(h->cmdline_from));
	copy_modules(door, h);
	door_describe_machine(door, h);
	status = door_find_cpus(door, h);
	if (!status)
		status = door_reserve_memory(door, h, door_number(door, "reserve", 0, GIB(1), 0),
					     door_number(door, "trace", TRACE_RECORDS,
							 TRACE_RECORDS_MAX, TRACE_RECORDS));
	if (status)
		return status;
	return door_copy_code(door, h);
}

/* The guest is an EFI program: this CPU and the others return as guests. With an error, Glasshouse
 * does not run, and *@busy says whether a CPU may still use its memory. */
static EFI_STATUS enter_in_place(const struct door *door, struct efi_handoff *h, bool *busy)
{
	const struct image_header *image = (const void *)h->image.base;
	EFI_STATUS status;
	u64 result;

	h->boot_services = true;
	h->nr_states = 1; /* the boot CPU's is the first, whoever comes first */
	status = door_bring_cpus(door, h);
	if (status)
		return status;
	result = door_switch_cpu(h, image->boot_cpu, true);
	*busy = !door_wait_cpus(door, h, result != 0);
	if (!result)
		return 0;
	print_last_words(door, h, result);
	return EFI_UNSUPPORTED;
}

/* The guest is no EFI program: Glasshouse loads it when the firmware has given up the machine. If
 * it does not, only the image can still print that. Returns if the firmware was not asked. */
static EFI_STATUS enter_alone(const struct door *door, struct efi_handoff *h)
{
	const struct image_header *image = (const void *)h->image.base;
	bool called = false;

	h->nr_others = 0; /* the MP services end with the others */
	h->exit_status = end_boot_services(door, &called);
	if (!called) {
		door_print(door, "The firmware gives no memory map (GetMemoryMap: %lx).\n",
			   h->exit_status);
		return h->exit_status;
	}
	door_switch_cpu(h, image->boot_cpu, true);
	door_halt();
}

EFI_STATUS door_refuse(const struct door *door, EFI_STATUS status)
{
	door_print(door, "Glasshouse was not started. Press a key.\n");
	door_wait_key(door, KEY_SECONDS);
	return status;
}

EFI_STATUS door_run(const struct door *door)
{
	struct choice choice = {0};
	struct efi_handoff *h = door_pages(door, EfiLoaderData, DOOR_BELOW_4G, sizeof(*h));
	bool busy = false;
	EFI_STATUS status = door_check_cpu(door);

	if (!status && !h) {
		door_print(door,
			   "The firmware has no memory below 4 GiB for Glasshouse's start.\n");
		status = EFI_OUT_OF_RESOURCES;
	}
	if (status)
		goto refused;
	memset(h, 0, sizeof(*h));
	status = choose(door, &choice);
	if (status)
		goto refused;
	/* Where it cannot go back, the image says it on its own screen, with all it has found. */
	if (choice.program || choice.back)
		status = door_check_vmx(door);
	if (!status)
		status = prepare(door, h);
	if (!status)
		status = choice.program || choice.back ? enter_in_place(door, h, &busy)
						       : enter_alone(door, h);
	if (!status) {
		/* From here on, this is the guest. */
		watch_exit_boot_services(door, h);
		status = choice_start(door, &choice);
		if (!busy)
			door_free_pages(door, (u64)h, sizeof(*h));
		return status;
	}
	choice_drop(door, &choice);
	if (!busy) {
		door_give_back_cpus(door, h);
		door_free_memory(door, h);
	}
refused:
	if (!busy)
		door_free_pages(door, (u64)h, sizeof(*h));
	return door_refuse(door, status);
}
