/* SPDX-License-Identifier: MIT */
/*
 * Where our lines go: COM1, COM2, the VGA text screen, port E9 where an emulator answers there, and
 * always the ring in RAM. Once a guest runs, COM1 and the screen are the guest's.
 */
#ifndef GH_CONSOLE_H
#define GH_CONSOLE_H

#include "drivers/log_ring.h"
#include "lib/log.h"

enum console {
	CONSOLE_COM1 = 1 << 0,
	CONSOLE_COM2 = 1 << 1,
	CONSOLE_VGA = 1 << 2,
	CONSOLE_E9 = 1 << 3,
	CONSOLE_ALL = 0xf,
	/* What stays ours under a guest. */
	CONSOLE_OURS = CONSOLE_COM2 | CONSOLE_E9,
};

/* Find the consoles. @vga: linear address of B8000h, or NULL when the screen is not in text mode.
 * Before any printk(). */
void console_init(void *vga);

/* The screen is not in text mode after all. */
void console_forget_vga(void);

/* From now on only the consoles in @mask (of those that are there) get our lines. Waits until the
 * others are empty. */
void console_select(unsigned mask);

/* Waits, but not for ever, until what was printed has left the UARTs: before the machine ends. */
void console_flush(void);

/* From now on, lines up to this level are printed; all of them go to the ring. */
void console_set_level(enum log_level level);

/*
 * The ring in RAM: from now on it is at @where, which must not be written by anybody else:
 * CONSOLE_RING_PAGES pages of the linear address space. What it holds so far moves there. A warm
 * reset leaves it alone, and so do firmware and GRUB where they do not happen to need that memory:
 * see console_print_last().
 */
void console_keep_ring(void *where);

/*
 * Look for the ring of the boot before this one, at each page of the @size bytes at @start, and
 * print, to the consoles only, its panic, or its last lines if there was none. It is printed once.
 */
void console_print_last(void *start, u64 size);

/* The last words: every console again, and no lock, for its holder may be what is broken. */
void console_panic(void);

#endif
