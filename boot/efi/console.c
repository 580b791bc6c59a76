/* SPDX-License-Identifier: MIT */
/*
 * Messages on the firmware's console. UEFI Specification: "Simple Text Output Protocol".
 */
#include "boot/efi/door.h"
#include "lib/print.h"

#define LINE_MAX 512

void door_write(const struct door *door, const char *text, size_t n)
{
	SIMPLE_TEXT_OUTPUT_INTERFACE *out = door->st->ConOut;
	CHAR16 wide[64];
	size_t used = 0;

	for (size_t i = 0; out && i < n; i++) {
		if (text[i] == '\n')
			wide[used++] = '\r';
		wide[used++] = text[i] & 0x80 ? '?' : (CHAR16)text[i];
		if (used < ARRAY_SIZE(wide) - 2 && i + 1 < n)
			continue;
		wide[used] = 0;
		out->OutputString(out, wide);
		used = 0;
	}
}

void door_print(const struct door *door, const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	door_write(door, line, (size_t)MIN(n, LINE_MAX - 1));
}

void door_wait_key(const struct door *door, unsigned seconds)
{
	SIMPLE_INPUT_INTERFACE *in = door->st->ConIn;
	EFI_INPUT_KEY key;

	/* Forget the key that has chosen this program. */
	if (in)
		in->Reset(in, FALSE);
	for (unsigned tenths = 0; tenths < seconds * 10; tenths++) {
		if (in && !in->ReadKeyStroke(in, &key))
			return;
		door->st->BootServices->Stall(100000);
	}
}
