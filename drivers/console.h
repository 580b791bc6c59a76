/* SPDX-License-Identifier: MIT */
/*
 * Where our lines go: COM1, COM2, the VGA text screen, port E9 where an emulator answers there, and always the
 * ring in RAM. Once a guest runs, COM1 and the screen are the guest's.
 */
#ifndef GH_CONSOLE_H
#define GH_CONSOLE_H

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

/* Find the consoles. @vga: linear address of B8000h, or NULL when the screen is not in text mode. Before any printk(). */
void console_init(void *vga);

/* The screen is not in text mode after all. */
void console_forget_vga(void);

/* From now on only the consoles in @mask (of those that are there) get our lines. Waits until the others are empty. */
void console_select(unsigned mask);

/* From now on, lines up to this level are printed; all of them go to the ring. */
void console_set_level(enum log_level level);

/* The last words: every console again, and no lock, for its holder may be what is broken. */
void console_panic(void);

#endif
