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

#define E9_PORT  0xe9
#define LINE_MAX 512

static unsigned present, selected;
static enum log_level max_level = LOG_INFO;
static bool unlocked;
static spinlock_t lock;

#define MAGIC      "glasshouse log"
#define TEXT_SIZE  (CONSOLE_RING_PAGES * PAGE_SIZE - sizeof(struct log_ring))
#define EARLY_SIZE 4096u /* before there is memory for more */
#define LAST_LINES 768u  /* of a boot that did not panic, so many characters */
#define NO_PANIC   ~0ull

/* Found by its name in a memory dump, and after a warm reset. */
struct log_ring {
	char magic[16];
	u64 size;    /* of text */
	u64 written; /* bytes since start; the next one goes to written % size */
	u64 panic;   /* what was written before the panic; NO_PANIC: there was none */
	u32 sum;     /* of the bytes of text */
	u32 check;   /* of the header */
	char text[];
};

static union {
	struct log_ring ring;
	char bytes[sizeof(struct log_ring) + EARLY_SIZE];
} early = {.ring = {.magic = MAGIC, .size = EARLY_SIZE, .panic = NO_PANIC}};
static struct log_ring *ring = &early.ring;

static u32 header_check(const struct log_ring *r)
{
	return (u32)(r->size * 3 + r->written * 5 + r->panic * 7) ^ r->sum;
}

static void ring_write(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *to = &ring->text[ring->written++ % ring->size];

		ring->sum += (u32)(u8)s[i] - (u8)*to;
		*to = s[i];
	}
	ring->check = header_check(ring);
}

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
	if (unlocked)
		return; /* once: what is under way in a UART would be lost */
	unlocked = true;
	if (ring->panic == NO_PANIC)
		ring->panic = ring->written;
	/* The guest's driver may have done anything to them. */
	if (present & CONSOLE_COM1)
		serial_init(SERIAL_COM1);
	if (present & CONSOLE_COM2)
		serial_init(SERIAL_COM2);
	selected = present;
}

static void write_consoles(const char *s, size_t n)
{
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

void console_keep_ring(void *where)
{
	struct log_ring *old = ring, *new = where;
	u64 n = MIN(old->written, old->size);

	memset(new, 0, CONSOLE_RING_PAGES * PAGE_SIZE);
	*new = (struct log_ring){.magic = MAGIC, .size = TEXT_SIZE, .panic = NO_PANIC};
	ring = new;
	for (u64 i = old->written - n; i < old->written; i++)
		ring_write(&old->text[i % old->size], 1);
}

static bool is_ring(const struct log_ring *r)
{
	u32 sum = 0;

	if (memcmp(r->magic, MAGIC, sizeof(MAGIC)) != 0 || r->size != TEXT_SIZE ||
	    r->check != header_check(r))
		return false;
	for (u64 i = 0; i < r->size; i++)
		sum += (u8)r->text[i];
	return sum == r->sum;
}

/* Where the last lines of @r begin that are worth it. */
static u64 last_lines(const struct log_ring *r)
{
	u64 oldest = r->written - MIN(r->written, r->size), from;

	if (r->panic != NO_PANIC && r->panic <= r->written)
		return MAX(r->panic, oldest);
	from = MAX(oldest, r->written - MIN(r->written, LAST_LINES));
	while (from > 0 && from < r->written && r->text[(from - 1) % r->size] != '\n')
		from++;
	return from;
}

static void print_last(struct log_ring *r)
{
	static const char head[] = "\n--- The boot before this one ended with: ---\n",
			  foot[] = "--- End ---\n\n";

	write_consoles(head, sizeof(head) - 1);
	for (u64 i = last_lines(r); i < r->written; i++)
		write_consoles(&r->text[i % r->size], 1);
	write_consoles(foot, sizeof(foot) - 1);
}

void console_print_last(void *start, u64 size)
{
	u64 ring_size = CONSOLE_RING_PAGES * PAGE_SIZE;

	for (u64 offset = 0; offset + ring_size <= size; offset += PAGE_SIZE) {
		struct log_ring *r = (void *)((char *)start + offset);

		if (!is_ring(r))
			continue;
		print_last(r);
		memset(r->magic, 0, sizeof(r->magic));
	}
}

void printk(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	n = MIN(n, (int)sizeof(line) - 1);
	if (!unlocked)
		spin_lock(&lock);
	ring_write(line, (size_t)n);
	if (level <= max_level)
		write_consoles(line, (size_t)n);
	if (!unlocked)
		spin_unlock(&lock);
}
