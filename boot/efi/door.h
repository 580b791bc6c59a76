/* SPDX-License-Identifier: MIT */
/*
 * The code that runs as a program of UEFI firmware: before Glasshouse has the CPUs, and afterwards
 * as the guest's first code. It is linked twice: into glasshouse.efi, and into glasshouse.elf for
 * the entry from GRUB.
 *
 * It runs at any address, without relocation, under the firmware's page tables: it has no writable
 * data of its own and no tables of pointers (tools/build/efi.mk checks this). Source: UEFI
 * Specification.
 */
#ifndef GH_BOOT_EFI_DOOR_H
#define GH_BOOT_EFI_DOOR_H

#include <efi.h>

#include "bits.h"
#include "boot/efi_handoff.h"

#define DOOR_MODULES BOOT_MODULES
#define DOOR_CMDLINE HANDOFF_CMDLINE

/* A module that GRUB loaded. */
struct door_module {
	const void *bytes;
	u64 size;
	const char *string; /* its role and arguments */
};

struct door {
	EFI_HANDLE image; /* this program: glasshouse.efi, or GRUB */
	EFI_SYSTEM_TABLE *st;
	const struct image_header *hypervisor; /* the image, as it is in the file */
	const char *cmdline; /* Glasshouse's options, quoted as GRUB does: a backslash before each
				backslash and quote */
	const char *cmdline_from; /* where the user writes them, for messages */
	struct door_module modules[DOOR_MODULES];
	unsigned nr_modules;

	struct framebuffer fb; /* the mode that GRUB has set; address 0: none */
};

/* ---- console.c: messages on the firmware's console ---------------------------------------- */

/* Print a message, as printf() does. Each "\n" becomes CR LF. At most 512 characters. */
void door_print(const struct door *door, const char *format, ...) __printf(2, 3);

/* Print @n bytes of text. */
void door_write(const struct door *door, const char *text, size_t n);

/* Wait for a key, but at most @seconds. */
void door_wait_key(const struct door *door, unsigned seconds);

/* ---- start.c: the steps ------------------------------------------------------------------- */

#define DOOR_BELOW_4G 0xffffffffu

/*
 * Start Glasshouse, and then, as its guest, what choose() has chosen. Returns when that has
 * returned, as the guest, for the caller to return to the firmware; or with an error, after
 * door_refuse(), if Glasshouse was not started.
 */
EFI_STATUS door_run(const struct door *door);

/* The end of every refusal, after the message that says why: wait for a key, because the firmware's
 * boot manager would clear the screen. Returns @status. */
EFI_STATUS door_refuse(const struct door *door, EFI_STATUS status);

/* Where there is no way back: the CPU stops. */
static inline void door_halt(void) __noreturn;
static inline void door_halt(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

/* ---- check_cpu.c -------------------------------------------------------------------------- */

/* Is this CPU not Glasshouse's guest already, and has it XD, once the firmware's limits are undone?
 * Returns 0, or an error, after a message. */
EFI_STATUS door_check_cpu(const struct door *door);

/* Has it VT-x, and does the firmware allow it? Returns 0, or an error, after a message. */
EFI_STATUS door_check_vmx(const struct door *door);

/* ---- memory.c ----------------------------------------------------------------------------- */

/* The firmware's memory map. */
struct door_map {
	EFI_MEMORY_DESCRIPTOR *descriptors; /* @step bytes from one to the next */
	UINTN size, step, key;
};

/* Read the memory map into memory of the firmware's, which door_free_map() gives back, also after
 * an error. */
EFI_STATUS door_read_map(const struct door *door, struct door_map *map);
void door_free_map(const struct door *door, struct door_map *map);

/* Allocate @size bytes, whole pages, of @type, as high as possible at addresses up to @limit.
 * Returns NULL if there are none. */
void *door_pages(const struct door *door, EFI_MEMORY_TYPE type, u64 limit, u64 size);

/* Give them back. @at 0: nothing. */
void door_free_pages(const struct door *door, u64 at, u64 size);

/* Reserve Glasshouse's own memory, copy the image there, and fill in the memory map.
 * @option_reserve, @option_trace: the values of these options. After door_find_cpus(). Returns 0,
 * or an error, after a message. */
EFI_STATUS door_reserve_memory(const struct door *door, struct efi_handoff *h, u64 option_reserve,
			       u64 option_trace);

/* Allocate h->switch_page, executable, with the code of switch.S. Returns 0, or an error, after a
 * message. */
EFI_STATUS door_copy_code(const struct door *door, struct efi_handoff *h);

/* Give back what these two have allocated. */
void door_free_memory(const struct door *door, const struct efi_handoff *h);

/* ---- machine.c ---------------------------------------------------------------------------- */

/* Fill in the ACPI root pointer (version 2.0's if there are two) and the screen: GRUB's, that of
 * the firmware's console, otherwise the first that has a framebuffer. Both may be missing. */
void door_describe_machine(const struct door *door, struct efi_handoff *h);

/* ---- cpus.c ------------------------------------------------------------------------------- */

/* Fill in the other CPUs that the firmware can bring, and enable those that it has disabled.
 * Returns 0; or an error, with a message: there are too many, or one that it does not give. */
EFI_STATUS door_find_cpus(const struct door *door, struct efi_handoff *h);

/* Disable those again, when Glasshouse was refused. */
void door_give_back_cpus(const struct door *door, const struct efi_handoff *h);

/* Start them: they wait until the image calls them. Returns 0, or an error, after a message. */
EFI_STATUS door_bring_cpus(const struct door *door, struct efi_handoff *h);

/* Wait until they have returned from the image, as guests or, with @send_home, natively. Returns
 * false, after a message, if one has not: it may still use the handoff and the image. */
bool door_wait_cpus(const struct door *door, struct efi_handoff *h, bool send_home);

/* Let this CPU enter the image at the offset @entry. Returns as door_switch() (switch.S). */
u64 door_switch_cpu(struct efi_handoff *h, u32 entry, bool boot_cpu);

/* ---- choose.c: what is started as the guest ----------------------------------------------- */

#define CHOICE_NO_ENTRY (-1)

/* What is started: an EFI program that is loaded, and where the search for another goes on. */
struct choice {
	EFI_HANDLE program; /* NULL: the guest is not an EFI program, or the firmware itself: */
	bool back;          /* there is nothing to start: back to the firmware's boot manager */
	char name[128];     /* for messages: "Boot0003 debian", a path, or "module linux" */

	/* choose.c's own: */
	bool entries;   /* boot=efi: if the program returns, another one is searched */
	unsigned next;  /* the place where the search goes on */
	int after;      /* BootOrder is searched from the entry after this one on: BootCurrent */
	int entry;      /* the number of the program's boot entry, or CHOICE_NO_ENTRY */
	bool connected; /* all drivers have been asked for their devices */
	void *initrd;   /* kernel.c's own; NULL: there is none */
};

/*
 * Choose what to start, by the option boot= in door->cmdline, and load it by LoadImage, so that
 * what is missing or not bootable is refused before Glasshouse takes the CPUs.
 *
 * Modules, without boot= or with boot=modules: a module of the role linux that is an EFI program is
 * loaded, with its arguments as its load options, and with the modules of the role initrd (see
 * kernel.c). Otherwise Glasshouse's own loaders start the guest: choice->program is NULL.
 *
 * boot=PATH, which begins with a backslash or a slash: that file, on the file system that this
 * program was loaded from, otherwise on the first that has it.
 *
 * boot=efi, or neither boot= nor modules: the entry of BootNext, then those of BootOrder that are
 * active and not this program, from the one after BootCurrent on; then the removable path,
 * BOOTX64.EFI in EFI/BOOT, unless that is this program; then the firmware itself: choice->back.
 *
 * Returns 0; or an error, with a message that says what is not there or why it cannot be started,
 * and what is there: boot entries, and programs below EFI.
 */
EFI_STATUS choose(const struct door *door, struct choice *choice);

/*
 * Start choice->program. As the guest. If it returns, say so, and start the next one of BootOrder
 * (boot=efi only). Returns when there is nothing more to start: the caller returns to the
 * firmware's boot manager.
 */
EFI_STATUS choice_start(const struct door *door, struct choice *choice);

/* Give back what choose() loaded, when Glasshouse was refused. */
void choice_drop(const struct door *door, struct choice *choice);

/* ---- options.c: glasshouse.efi's command line --------------------------------------------- */

/*
 * Write into @cmdline, of DOOR_CMDLINE bytes, which becomes door->cmdline, the options of the file
 * glasshouse.conf beside this program (if it is there; "#" starts a comment, lines are joined),
 * then this program's load options, which therefore win; both with backslashes and quotes as GRUB
 * quotes them. The EFI shell puts the program's name before the options; firmware may give binary
 * data as load options: both are left out, the data after a message. Returns 0; or an error, with a
 * message: glasshouse.conf cannot be read, or all is longer than DOOR_CMDLINE.
 */
EFI_STATUS door_options(struct door *door, char *cmdline);

#define DOOR_VALUE_MAX 256 /* bytes of a word of an option, the NUL among them */

/* Copy the value of the last word "@name=VALUE" in @cmdline, unquoted, to @value of @size bytes, 1
 * to DOOR_VALUE_MAX. Returns its length; @size or more if it, or its word, was too long, and is
 * cut; -1 if there is none. */
int door_option(const char *cmdline, const char *name, char *value, size_t size);

#endif
