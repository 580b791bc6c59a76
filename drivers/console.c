/* SPDX-License-Identifier: MIT */
/*
 * printk(), the consoles behind it, and the ring in RAM.
 */
#include "drivers/console.h"
#include "arch/x86/io.h"
#include "drivers/serial.h"
#include "drivers/vga.h"
#include "lib/print.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define E9_PORT	  0xe9
#define RING_SIZE 16384u
#define LINE_MAX  512

static unsigned present, selected;
static enum log_level max_level = LOG_INFO;
static bool unlocked;
static spinlock_t lock;

/* Found by its name in a memory dump, and after a warm reset. */
struct log_ring {
	char magic[16];
	u64 written; /* bytes since start; the next one goes to written % RING_SIZE */
	char text[RING_SIZE];
};
static struct log_ring ring = {.magic = "glasshouse log"};

void console_init(void *vga)
{
	if (serial_init(SERIAL_COM1))
		present |= CONSOLE_COM1;
	if (serial_init(SERIAL_COM2))
		present |= CONSOLE_COM2;
	if (inb(E9_PORT) == E9_PORT)
		present |= CONSOLE_E9;
	if (vga) {
		vga_init(vga);
		present |= CONSOLE_VGA;
	}
	selected = present;
}

void console_forget_vga(void)
{
	present &= ~(unsigned)CONSOLE_VGA;
	selected = present;
}

void console_select(unsigned mask)
{
	spin_lock(&lock);
	if (selected & ~mask & CONSOLE_COM1)
		serial_flush(SERIAL_COM1);
	selected = present & mask;
	spin_unlock(&lock);
}

void console_set_level(enum log_level level)
{
	max_level = level;
}

void console_panic(void)
{
	unlocked = true;
	/* The guest's driver may have done anything to them. */
	if (present & CONSOLE_COM1)
		serial_init(SERIAL_COM1);
	if (present & CONSOLE_COM2)
		serial_init(SERIAL_COM2);
	selected = present;
}

static void write_all(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ring.text[ring.written++ % RING_SIZE] = s[i];
	if (selected & CONSOLE_E9)
		for (size_t i = 0; i < n; i++)
			outb(E9_PORT, (u8)s[i]);
	/* In slices of a FIFO, so that two UARTs send at the same time. */
	for (size_t i = 0; i < n; i += 14) {
		if (selected & CONSOLE_COM1)
			serial_write(SERIAL_COM1, s + i, MIN(n - i, 14));
		if (selected & CONSOLE_COM2)
			serial_write(SERIAL_COM2, s + i, MIN(n - i, 14));
	}
	if (selected & CONSOLE_VGA)
		vga_write(s, n);
}

void printk(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (level > max_level)
		return;
	if (!unlocked)
		spin_lock(&lock);
	write_all(line, MIN((size_t)n, sizeof(line) - 1));
	if (!unlocked)
		spin_unlock(&lock);
}
