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

/* A module that is left out would be missed: the door refuses to start then. */
static void add_module(struct door *door, const struct tag_module *tag)
{
	const char *end = (const char *)tag + tag->size;

	if (door->nr_modules == DOOR_MODULES || tag->size <= sizeof(*tag) || end[-1] ||
	    tag->mod_end < tag->mod_start) {
		door->nr_modules = DOOR_MODULES + 1;
		return;
	}
	if (door->nr_modules > DOOR_MODULES)
		return;
	door->modules[door->nr_modules++] = (struct door_module){
		(const void *)(u64)tag->mod_start, tag->mod_end - tag->mod_start, tag->string};
}

/* The mode that GRUB has set. It may have done so by a driver of its own, so that the firmware does
 * not know the mode. */
static void read_framebuffer(struct door *door, const struct tag_framebuffer *tag)
{
	if (tag->fb_type != FB_RGB || tag->size < sizeof(*tag) + 3 * sizeof(tag->channels[0]) ||
	    tag->pitch < (u64)tag->width * tag->bpp / 8)
		return;
	door->fb = (struct framebuffer){.address = tag->address,
					.pitch = tag->pitch,
					.width = tag->width,
					.height = tag->height,
					.bpp = tag->bpp,
					.type = tag->fb_type,
					.red = tag->channels[0],
					.green = tag->channels[1],
					.blue = tag->channels[2]};
}

static void *pointer_in(const struct tag *tag)
{
	u64 pointer;

	memcpy(&pointer, tag->data, sizeof(pointer));
	return (void *)pointer;
}

static void read_tag(struct door *door, const struct tag *tag)
{
	bool has_pointer = tag->size >= sizeof(*tag) + sizeof(u64);
	bool is_text = tag->size > sizeof(*tag) && !tag->data[tag->size - sizeof(*tag) - 1];

	if (tag->type == TAG_EFI64_SYSTEM_TABLE && has_pointer)
		door->st = pointer_in(tag);
	else if (tag->type == TAG_EFI64_IMAGE_HANDLE && has_pointer)
		door->image = pointer_in(tag);
	else if (tag->type == TAG_CMDLINE && is_text)
		door->cmdline = (const char *)tag->data;
	else if (tag->type == TAG_MODULE)
		add_module(door, (const void *)tag);
	else if (tag->type == TAG_FRAMEBUFFER && tag->size >= sizeof(struct tag_framebuffer))
		read_framebuffer(door, (const void *)tag);
}

static EFI_STATUS start(const struct door *door)
{
	if (door->nr_modules > DOOR_MODULES) {
		door_print(door,
			   "GRUB's information names more than %u modules, "
			   "or a module whose end is wrong. Give fewer in grub.cfg.\n",
			   DOOR_MODULES);
		return door_refuse(door, EFI_INVALID_PARAMETER);
	}
	if (strlen(door->cmdline) >= HANDOFF_CMDLINE) {
		door_print(door,
			   "Glasshouse's command line is longer than %lu characters. "
			   "Make it shorter in grub.cfg.\n",
			   HANDOFF_CMDLINE - 1);
		return door_refuse(door, EFI_INVALID_PARAMETER);
	}
	return door_run(door);
}

/* Without the firmware's table there is no console: the CPU can only stop. */
void multiboot2_efi_main(u32 magic, const struct mbi_header *mbi)
{
	struct door door = {0};

	door.hypervisor = &image_header;
	door.cmdline = "";
	door.cmdline_from = "grub.cfg";
	for (u64 at = sizeof(*mbi);
	     magic == MULTIBOOT2_BOOTLOADER_MAGIC && at + sizeof(struct tag) <= mbi->total_size;) {
		const struct tag *tag = (const void *)((const u8 *)mbi + at);

		if (tag->type == TAG_END || tag->size < sizeof(*tag) ||
		    tag->size > mbi->total_size - at)
			break;
		read_tag(&door, tag);
		at += ALIGN_UP(tag->size, 8);
	}
	/* GRUB cannot go on: it is the firmware's program that ends. */
	if (door.st && door.image)
		door.st->BootServices->Exit(door.image, start(&door), 0, NULL);
	door_halt();
}
