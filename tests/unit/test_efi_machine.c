/* SPDX-License-Identifier: MIT */
/*
 * What the UEFI front door reads of the machine: the screen's pixels, of each format that a
 * firmware may have, and which of several screens and root pointers it takes.
 */
#include "tests/unit/stubs.h"

#include "boot/efi/services.h"

#define MODE_640(format_, line)                                                                   \
	{                                                                                         \
		.HorizontalResolution = 640, .VerticalResolution = 400, .PixelFormat = (format_), \
		.PixelsPerScanLine = (line)                                                       \
	}

/* The firmware: at most one screen for the console, and two others. */
static EFI_GRAPHICS_OUTPUT_MODE_INFORMATION info[3];
static EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode[3];
static EFI_GRAPHICS_OUTPUT_PROTOCOL gop[3];
static size_t handles; /* numbers from 1 on: each is gop[number - 1]'s */
static bool freed;

static const EFI_HANDLE console = (EFI_HANDLE)1;

void *efi_protocol(const struct door *door, EFI_HANDLE handle, EFI_GUID guid)
{
	(void)door;
	(void)guid;
	return gop[(u64)handle - 1].Mode ? &gop[(u64)handle - 1] : NULL;
}

size_t efi_handles(const struct door *door, const EFI_GUID *guid, EFI_HANDLE **list)
{
	static EFI_HANDLE all[] = {(EFI_HANDLE)2, (EFI_HANDLE)3};

	(void)door;
	(void)guid;
	*list = all;
	return handles;
}

void efi_free(const struct door *door, const void *memory)
{
	(void)door;
	freed = memory;
}

static int clear(void **state)
{
	(void)state;
	memset(gop, 0, sizeof(gop));
	handles = 0;
	freed = false;
	return 0;
}

/* Give screen @i a mode of 640x400. */
static void screen(unsigned i, EFI_GRAPHICS_PIXEL_FORMAT format, unsigned line)
{
	info[i] = (EFI_GRAPHICS_OUTPUT_MODE_INFORMATION)MODE_640(format, line);
	mode[i] = (EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE){.Info = &info[i],
						      .FrameBufferBase = 0xe0000000 + i};
	gop[i].Mode = &mode[i];
}

static struct efi_handoff *describe(EFI_CONFIGURATION_TABLE *tables, size_t n)
{
	static struct efi_handoff handoff;
	EFI_SYSTEM_TABLE st = {.ConsoleOutHandle = console,
			       .ConfigurationTable = tables,
			       .NumberOfTableEntries = n};
	struct door door = {.st = &st};

	memset(&handoff, 0, sizeof(handoff));
	door_describe_machine(&door, &handoff);
	return &handoff;
}

static void check_channels(const struct framebuffer *fb, unsigned red, unsigned green,
			   unsigned blue, unsigned bits)
{
	assert_int_equal(fb->type, FB_RGB);
	assert_int_equal(fb->red.position, red);
	assert_int_equal(fb->green.position, green);
	assert_int_equal(fb->blue.position, blue);
	assert_int_equal(fb->red.size, bits);
	assert_int_equal(fb->green.size, bits);
	assert_int_equal(fb->blue.size, bits);
}

static void test_rgb(void **state)
{
	const struct framebuffer *fb;

	(void)state;
	screen(0, PixelRedGreenBlueReserved8BitPerColor, 656);
	fb = &describe(NULL, 0)->fb;
	assert_int_equal(fb->address, 0xe0000000);
	assert_int_equal(fb->width, 640);
	assert_int_equal(fb->height, 400);
	assert_int_equal(fb->bpp, 32);
	assert_int_equal(fb->pitch, 656 * 4);
	check_channels(fb, 0, 8, 16, 8);
}

static void test_bgr(void **state)
{
	(void)state;
	screen(0, PixelBlueGreenRedReserved8BitPerColor, 640);
	check_channels(&describe(NULL, 0)->fb, 16, 8, 0, 8);
}

/* Masks: the pixel is as wide as the highest bit of all four says. */
static void test_masks(void **state)
{
	static const struct {
		EFI_PIXEL_BITMASK mask;
		unsigned bpp, red, green, blue, bits;
	} cases[] = {
		{{0xff0000, 0xff00, 0xff, 0}, 24, 16, 8, 0, 8},
		{{0xff0000, 0xff00, 0xff, 0xff000000}, 32, 16, 8, 0, 8},
		{{0x3ff, 0xffc00, 0x3ff00000, 0xc0000000}, 32, 0, 10, 20, 10},
		{{0x7c00, 0x3e0, 0x1f, 0}, 16, 10, 5, 0, 5},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct framebuffer *fb;

		screen(0, PixelBitMask, 700);
		info[0].PixelInformation = cases[i].mask;
		fb = &describe(NULL, 0)->fb;
		assert_int_equal(fb->bpp, cases[i].bpp);
		assert_int_equal(fb->pitch, 700 * (cases[i].bpp / 8));
		check_channels(fb, cases[i].red, cases[i].green, cases[i].blue, cases[i].bits);
	}
}

/* A mask of no bits is a channel of no bits, and no undefined shift. */
static void test_empty_mask(void **state)
{
	const struct framebuffer *fb;

	(void)state;
	screen(0, PixelBitMask, 640);
	info[0].PixelInformation = (EFI_PIXEL_BITMASK){0};
	fb = &describe(NULL, 0)->fb;
	check_channels(fb, 0, 0, 0, 0);
	assert_int_equal(fb->bpp, 8);
}

/* The console stands for several screens: the first that has a framebuffer. */
static void test_other_screens(void **state)
{
	const struct framebuffer *fb;

	(void)state;
	screen(0, PixelBltOnly, 640);
	screen(1, PixelBltOnly, 640);
	screen(2, PixelBlueGreenRedReserved8BitPerColor, 640);
	handles = 2;
	fb = &describe(NULL, 0)->fb;
	assert_int_equal(fb->address, 0xe0000002);
	assert_true(freed);
	mode[2].FrameBufferBase = 0;
	assert_int_equal(describe(NULL, 0)->fb.address, 0);
}

/* What GRUB has set counts more than what the firmware knows. */
static void test_grubs_mode(void **state)
{
	struct door door = {.st = &(EFI_SYSTEM_TABLE){.ConsoleOutHandle = console},
			    .fb = {.address = 0xd0000000, .bpp = 24}};
	static struct efi_handoff handoff;

	(void)state;
	screen(0, PixelBlueGreenRedReserved8BitPerColor, 640);
	door_describe_machine(&door, &handoff);
	assert_int_equal(handoff.fb.address, 0xd0000000);
	assert_int_equal(handoff.fb.bpp, 24);
}

static void test_no_screen(void **state)
{
	(void)state;
	assert_int_equal(describe(NULL, 0)->fb.address, 0);
	assert_false(freed);
}

static void test_root_pointer(void **state)
{
	EFI_CONFIGURATION_TABLE tables[] = {
		{.VendorGuid = SMBIOS_TABLE_GUID, .VendorTable = (void *)0x1000},
		{.VendorGuid = ACPI_TABLE_GUID, .VendorTable = (void *)0x2000},
		{.VendorGuid = ACPI_20_TABLE_GUID, .VendorTable = (void *)0x3000},
	};

	(void)state;
	assert_int_equal(describe(tables, 3)->rsdp, 0x3000);
	assert_int_equal(describe(tables, 2)->rsdp, 0x2000);
	assert_int_equal(describe(tables, 1)->rsdp, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_rgb, clear),
		cmocka_unit_test_setup(test_bgr, clear),
		cmocka_unit_test_setup(test_masks, clear),
		cmocka_unit_test_setup(test_empty_mask, clear),
		cmocka_unit_test_setup(test_other_screens, clear),
		cmocka_unit_test_setup(test_grubs_mode, clear),
		cmocka_unit_test_setup(test_no_screen, clear),
		cmocka_unit_test_setup(test_root_pointer, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
