/* SPDX-License-Identifier: MIT */
/*
 * The consoles: COM1, COM2, the screen, which is in text or in graphics mode, port E9h of
 * emulators, and the log ring in RAM, which gets every line. While a guest runs, COM1 and the
 * screen belong to the guest.
 */
#ifndef GH_CONSOLE_H
#define GH_CONSOLE_H

#include "framebuffer.h"
#include "log_ring.h"
#include "lib/log.h"

#define CONSOLE_RING_PAGES 5

struct cpu;

enum console {
	CONSOLE_COM1 = 1 << 0,
	CONSOLE_COM2 = 1 << 1,
	CONSOLE_VGA = 1 << 2,
	CONSOLE_E9 = 1 << 3,
	CONSOLE_FB = 1 << 4,
	CONSOLE_ALL = 0x1f,
	CONSOLE_AUTO = 1 << 5, /* console_choose() decides */
	CONSOLE_SCREEN = CONSOLE_VGA | CONSOLE_FB,
	/* The consoles that the guest does not use, if they are there. */
	CONSOLE_OURS = CONSOLE_COM2 | CONSOLE_E9,
};

/*
 * Detect the consoles and select all of them. Call it before the first printk().
 * @vga: linear address of the text buffer (B8000h), or NULL if the screen is not in text mode.
 */
void console_init(void *vga);

/*
 * The screen is in graphics mode: stop writing to the VGA text screen, write to @fb instead, with
 * all lines so far, and select all consoles. @pixels: linear address of the framebuffer, or NULL if
 * it is not mapped yet; then the lines are kept for console_show_framebuffer(). A framebuffer that
 * cannot be used is reported, and the other consoles go on.
 */
void console_use_framebuffer(const struct framebuffer *fb, void *pixels);

/* The number of bytes from the framebuffer's start that must stay mapped; 0: none is used. */
u64 console_framebuffer_size(void);

/* The framebuffer, which is used, is mapped at @pixels now: draw all lines so far. */
void console_show_framebuffer(void *pixels);

/* Select those of the consoles in @mask, bits of enum console, that are there. Waits first until
 * the UARTs that are deselected have sent all, but not longer than serial_flush() does. */
void console_select(unsigned mask);

/* The consoles that are there, bits of enum console. */
unsigned console_present(void);

/*
 * Stop writing to a UART in @mask while the guest drives it, even if it is selected; see
 * serial_in_use(). It is reported once. A panic writes to it all the same.
 */
void console_give_way(unsigned mask);

/*
 * COM1 is shared with the guest from now on: what is for it goes to @write, between two lines of
 * the guest, and @flush sends all that waits. NULL: no longer. A panic writes to the UART itself.
 */
void console_share_com1(void (*write)(const char *s, size_t n), void (*flush)(void));

/* Wait until the selected UARTs have sent all, but not longer than serial_flush() does. Call it
 * before the machine is reset or switched off. */
void console_flush(void);

/* Print only lines up to @level on the consoles, LOG_INFO by default. The ring gets all lines. */
void console_set_level(enum log_level level);

/* Write @n bytes at @s to the selected consoles, not to the ring. Takes no lock. */
void console_write(const char *s, size_t n);

/*
 * Move the log ring, with its content, to the CONSOLE_RING_PAGES pages at the linear address
 * @where, which nothing else may write. It survives a warm reset unless firmware or GRUB overwrite
 * that memory; then console_take_last() of the next boot finds it.
 */
void console_keep_ring(void *where);

/*
 * Search the @size bytes at the linear, page-aligned address @start for a log ring of the previous
 * boot. Print its panic, or its last lines if there was none, on the consoles (not to the ring),
 * and invalidate it, so that no later boot prints it again. Returns a copy of all of it, in
 * CONSOLE_RING_PAGES pages of their own; or NULL, if there is no ring, or no memory for a copy.
 */
void *console_take_last(void *start, u64 size);

/* The log ring. It moves once, see console_keep_ring(). */
const struct log_ring *console_ring(void);

/* From now on, what @cpu prints, but for the level debug, goes to @write, as the answer to a
 * person; @write takes no lock. Warnings go to the log, too, and nothing else does, but a panic.
 * NULL for @cpu: all to the log again. */
void console_divert(struct cpu *cpu, void (*write)(const char *s, size_t n));

/* For the last messages: select all consoles, set up the UARTs again, begin anew on a screen in
 * graphics mode, and take no lock from now on, because a CPU that has
 * stopped may hold it. */
void console_panic(void);

#endif
