/* SPDX-License-Identifier: MIT */
/*
 * What the firmware tells of the machine: ACPI's root pointer, and the screen. UEFI Specification:
 * "EFI Configuration Table", "Graphics Output Protocol".
 */
#include "boot/efi/door.h"
#include "boot/efi/services.h"
#include "lib/string.h"

static u64 config_table(const EFI_SYSTEM_TABLE *st, const EFI_GUID *guid)
{
	for (UINTN i = 0; i < st->NumberOfTableEntries; i++)
		if (!memcmp(&st->ConfigurationTable[i].VendorGuid, guid, sizeof(*guid)))
			return (u64)st->ConfigurationTable[i].VendorTable;
	return 0;
}

static struct fb_channel channel(u32 mask)
{
	unsigned low = mask ? (unsigned)__builtin_ctz(mask) : 0;
	unsigned high = mask ? 32 - (unsigned)__builtin_clz(mask) : 0;

	return (struct fb_channel){(u8)low, (u8)(high - low)};
}

/* Describe the framebuffer of @gop in @fb. Returns false if it has none. */
static bool describe_screen(const EFI_GRAPHICS_OUTPUT_PROTOCOL *gop, struct framebuffer *fb)
{
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;
	EFI_PIXEL_BITMASK mask = {0xff, 0xff00, 0xff0000, 0};

	if (!gop || !gop->Mode || !gop->Mode->Info || !gop->Mode->FrameBufferBase)
		return false;
	mode = gop->Mode->Info;
	if (mode->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
		mask = (EFI_PIXEL_BITMASK){0xff0000, 0xff00, 0xff, 0};
	else if (mode->PixelFormat == PixelBitMask)
		mask = mode->PixelInformation;
	else if (mode->PixelFormat != PixelRedGreenBlueReserved8BitPerColor)
		return false;
	*fb = (struct framebuffer){.address = gop->Mode->FrameBufferBase,
				   .width = mode->HorizontalResolution,
				   .height = mode->VerticalResolution,
				   .bpp = 32,
				   .type = FB_RGB,
				   .red = channel(mask.RedMask),
				   .green = channel(mask.GreenMask),
				   .blue = channel(mask.BlueMask)};
	if (mode->PixelFormat == PixelBitMask)
		fb->bpp =
			(u8)ALIGN_UP(32 - (u64)__builtin_clz(mask.RedMask | mask.GreenMask |
							     mask.BlueMask | mask.ReservedMask | 1),
				     8);
	fb->pitch = mode->PixelsPerScanLine * (fb->bpp / 8);
	return true;
}

/* The console's screen, otherwise the first that has a framebuffer: the console's may stand for
 * several screens. */
static void find_screen(const struct door *door, struct framebuffer *fb)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_HANDLE *handles;
	size_t n;

	if (describe_screen(efi_protocol(door, door->st->ConsoleOutHandle, guid), fb))
		return;
	n = efi_handles(door, &guid, &handles);
	for (size_t i = 0; i < n; i++)
		if (describe_screen(efi_protocol(door, handles[i], guid), fb))
			break;
	if (n)
		efi_free(door, handles);
}

void door_describe_machine(const struct door *door, struct efi_handoff *h)
{
	static const EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;

	h->rsdp = config_table(door->st, &acpi2);
	if (!h->rsdp)
		h->rsdp = config_table(door->st, &acpi1);
	if (door->fb.address)
		h->fb = door->fb;
	else
		find_screen(door, &h->fb);
}
