/* SPDX-License-Identifier: MIT */
/*
 * The start by GRUB under UEFI, with the firmware's boot services. Multiboot2 Specification: "Boot
 * information format".
 */
#include "boot/efi/door.h"
#include "boot/mbi.h"
#include "lib/string.h"

extern const struct image_header image_header; /* boot/image.S: the image, as GRUB has loaded it */

void multiboot2_efi_main(u32 magic, const struct mbi_header *mbi) __noreturn;

static void add_module(struct door *door, const struct tag_module *tag)
{
	if (door->nr_modules == DOOR_MODULES || tag->mod_end < tag->mod_start)
		return;
	door->modules[door->nr_modules++] = (struct door_module){
		(const void *)(u64)tag->mod_start, tag->mod_end - tag->mod_start, tag->string};
}

static void *pointer_in(const struct tag *tag)
{
	u64 pointer;

	memcpy(&pointer, tag->data, sizeof(pointer));
	return (void *)pointer;
}

static void read_tag(struct door *door, const struct tag *tag)
{
	if (tag->type == TAG_EFI64_SYSTEM_TABLE)
		door->st = pointer_in(tag);
	else if (tag->type == TAG_EFI64_IMAGE_HANDLE)
		door->image = pointer_in(tag);
	else if (tag->type == TAG_CMDLINE)
		door->cmdline = (const char *)tag->data;
	else if (tag->type == TAG_MODULE)
		add_module(door, (const void *)tag);
}

/* Without the firmware's table there is no console: the CPU can only stop. */
void multiboot2_efi_main(u32 magic, const struct mbi_header *mbi)
{
	struct door door;
	EFI_STATUS status;

	/* Not an initializer: clang makes that a constant with pointers. */
	memset(&door, 0, sizeof(door));
	door.hypervisor = &image_header;
	door.cmdline = "";
	(void)magic;
	for (u64 at = sizeof(*mbi); at + sizeof(struct tag) <= mbi->total_size;) {
		const struct tag *tag = (const void *)((const u8 *)mbi + at);

		if (tag->type == TAG_END || tag->size < sizeof(*tag))
			break;
		read_tag(&door, tag);
		at += ALIGN_UP(tag->size, 8);
	}
	if (door.st && door.image) {
		if (strlen(door.cmdline) < HANDOFF_CMDLINE) {
			status = door_run(&door);
		} else {
			door_print(
				&door,
				"Glasshouse's command line is longer than %lu characters. Make it "
				"shorter in grub.cfg.\n",
				HANDOFF_CMDLINE - 1);
			status = EFI_INVALID_PARAMETER;
		}
		/* GRUB cannot go on: it is the firmware's program that ends. */
		door.st->BootServices->Exit(door.image, status, 0, NULL);
	}
	for (;;)
		asm volatile("cli; hlt");
}
