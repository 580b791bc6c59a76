/* SPDX-License-Identifier: MIT */
/*
 * A screen in graphics mode for firmware in Bochs, whose own driver does not take Bochs' VGA.
 * Started first, it switches that to a mode, offers its framebuffer by the Graphics Output
 * Protocol, and starts glasshouse.efi. Started again, as the guest, it paints over the whole
 * screen, then executes CPUID.
 */
#include "guests/efi/start.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"

#define WIDTH       800
#define HEIGHT      600
#define FRAMEBUFFER 0xe0000000
#define EXITS       1000

/* The registers of Bochs' display extension ("DISPI"). */
#define VBE_INDEX  0x1ce
#define VBE_DATA   0x1cf
#define VBE_XRES   1
#define VBE_YRES   2
#define VBE_BPP    3
#define VBE_ENABLE 4
#define VBE_ON     0x41 /* with a linear framebuffer */

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

static void vbe_write(u16 index, u16 value)
{
	outw(VBE_INDEX, index);
	outw(VBE_DATA, value);
}

/* The protocol, in memory that stays: this program has no writable data. */
struct screen {
	EFI_GRAPHICS_OUTPUT_PROTOCOL gop;
	EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode;
	EFI_GRAPHICS_OUTPUT_MODE_INFORMATION info;
};

/* The firmware itself may call these. There is one mode, which cannot be changed. */
static EFI_STATUS EFIAPI query_mode(EFI_GRAPHICS_OUTPUT_PROTOCOL *this, UINT32 number, UINTN *size,
				    EFI_GRAPHICS_OUTPUT_MODE_INFORMATION **info)
{
	(void)this;
	(void)number;
	(void)size;
	(void)info;
	return EFI_DEVICE_ERROR;
}

static EFI_STATUS EFIAPI set_mode(EFI_GRAPHICS_OUTPUT_PROTOCOL *this, UINT32 number)
{
	(void)this;
	(void)number;
	return EFI_UNSUPPORTED;
}

static EFI_STATUS EFIAPI draw(EFI_GRAPHICS_OUTPUT_PROTOCOL *this,
			      EFI_GRAPHICS_OUTPUT_BLT_PIXEL *pixels,
			      EFI_GRAPHICS_OUTPUT_BLT_OPERATION operation, UINTN from_x,
			      UINTN from_y, UINTN to_x, UINTN to_y, UINTN width, UINTN height,
			      UINTN pitch)
{
	(void)this;
	(void)pixels;
	(void)operation;
	(void)from_x;
	(void)from_y;
	(void)to_x;
	(void)to_y;
	(void)width;
	(void)height;
	(void)pitch;
	return EFI_UNSUPPORTED;
}

static void offer(const struct door *door, EFI_GUID *guid)
{
	struct screen *s = efi_allocate(door, sizeof(*s));
	EFI_HANDLE handle = NULL;

	memset(s, 0, sizeof(*s));
	s->info.HorizontalResolution = WIDTH;
	s->info.VerticalResolution = HEIGHT;
	s->info.PixelFormat = PixelBlueGreenRedReserved8BitPerColor;
	s->info.PixelsPerScanLine = WIDTH;
	s->mode.MaxMode = 1;
	s->mode.Info = &s->info;
	s->mode.SizeOfInfo = sizeof(s->info);
	s->mode.FrameBufferBase = FRAMEBUFFER;
	s->mode.FrameBufferSize = WIDTH * HEIGHT * 4;
	s->gop.Mode = &s->mode;
	s->gop.QueryMode = query_mode;
	s->gop.SetMode = set_mode;
	s->gop.Blt = draw;
	vbe_write(VBE_ENABLE, 0);
	vbe_write(VBE_XRES, WIDTH);
	vbe_write(VBE_YRES, HEIGHT);
	vbe_write(VBE_BPP, 32);
	vbe_write(VBE_ENABLE, VBE_ON);
	door->st->BootServices->InstallProtocolInterface(&handle, guid, EFI_NATIVE_INTERFACE,
							 &s->gop);
}

static void paint(const struct door *door)
{
	u32 *pixels = (u32 *)FRAMEBUFFER;

	for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
		pixels[i] = i * 0x10101;
	door_print(door, "screen: painted %ux%u.\n", WIDTH, HEIGHT);
	for (unsigned i = 0; i < EXITS; i++)
		cpuid(0, 0);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	struct door door = {.image = image, .st = st};
	EFI_LOADED_IMAGE *own =
		efi_protocol(&door, image, (EFI_GUID)EFI_LOADED_IMAGE_PROTOCOL_GUID);
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_HANDLE *handles;

	if (efi_handles(&door, &guid, &handles)) {
		paint(&door);
		return EFI_ABORTED;
	}
	offer(&door, &guid);
	return start_file(&door, own->DeviceHandle, "\\EFI\\glasshouse\\glasshouse.efi", "");
}
