/* SPDX-License-Identifier: MIT */
/*
 * printk(), the consoles that it writes to, and the ring in RAM.
 */
#include "drivers/console.h"
#include "arch/x86/io.h"
#include "arch/x86/percpu.h"
#include "drivers/framebuffer_console.h"
#include "drivers/log_writer.h"
#include "drivers/serial.h"
#include "drivers/vga.h"
#include "lib/print.h"
#include "lib/spinlock.h"

#define E9_PORT  0xe9
#define LINE_MAX 512

static unsigned present, selected;
static unsigned giving_way; /* UARTs that a guest may take */
static enum log_level max_level = LOG_INFO;
static bool panicking; /* no lock any more: a CPU that has stopped may hold it */
static spinlock_t lock;

/* See console_share_com1(). */
static void (*com1_write)(const char *s, size_t n);
static void (*com1_flush)(void);

#define EARLY_SIZE 4096u /* bytes of the ring until console_keep_ring() */
static union {
	struct log_ring ring;
	char bytes[sizeof(struct log_ring) + EARLY_SIZE];
} early; /* console_init() fills in the header, so that the image need not hold it */
static struct log_ring *ring = &early.ring;

static void write_ring(const char *s, size_t n)
{
	log_ring_write(ring, s, n);
}

/* Pass the text that is in @from to @write. */
static void replay(const struct log_ring *from, void (*write)(const char *s, size_t n))
{
	u64 end = from->written;

	for (u64 i = end - MIN(end, from->size); i < end; i++)
		write(&from->text[i % from->size], 1);
}

void console_init(void *vga)
{
	log_ring_init(&early.ring, sizeof(early));
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

void console_use_framebuffer(const struct framebuffer *fb, void *pixels)
{
	const char *why_not = framebuffer_console_open(fb);

	present &= ~(unsigned)CONSOLE_SCREEN;
	if (!why_not) {
		replay(ring, framebuffer_console_write);
		framebuffer_console_show(pixels);
		present |= CONSOLE_FB;
	}
	selected = present;
	if (why_not)
		pr_warn("The screen is in graphics mode, and stays without messages: %s (type %u, "
			"%ux%u, %u bits per pixel, %u bytes per line, at %lx). The other consoles "
			"have them, and the log in memory.\n",
			why_not, fb->type, fb->width, fb->height, fb->bpp, fb->pitch, fb->address);
}

u64 console_framebuffer_size(void)
{
	return framebuffer_console_size();
}

void console_show_framebuffer(void *pixels)
{
	framebuffer_console_show(pixels);
}

void console_share_com1(void (*write)(const char *s, size_t n), void (*flush)(void))
{
	com1_write = write;
	com1_flush = flush;
}

static void flush(unsigned which)
{
	if (which & CONSOLE_COM1)
		serial_flush(SERIAL_COM1);
	if (which & CONSOLE_COM2)
		serial_flush(SERIAL_COM2);
}

void console_select(unsigned mask)
{
	spin_lock(&lock);
	flush(selected & ~mask);
	selected = present & mask;
	spin_unlock(&lock);
}

unsigned console_present(void)
{
	return present;
}

void console_give_way(unsigned mask)
{
	giving_way = mask;
}

/* The selected UARTs that the guest drives now. */
static unsigned taken(void)
{
	unsigned maybe = panicking ? 0 : selected & giving_way, in_use = 0;

	if (maybe & CONSOLE_COM1 && serial_in_use(SERIAL_COM1))
		in_use |= CONSOLE_COM1;
	if (maybe & CONSOLE_COM2 && serial_in_use(SERIAL_COM2))
		in_use |= CONSOLE_COM2;
	return in_use;
}

void console_flush(void)
{
	flush(selected & ~taken());
	if (com1_flush && !panicking)
		com1_flush();
}

void console_set_level(enum log_level level)
{
	max_level = level;
}

void console_panic(void)
{
	if (panicking)
		return; /* serial_init() again would drop bytes that a UART is sending */
	panicking = true;
	if (ring->panic == LOG_RING_NO_PANIC)
		ring->panic = ring->written;
	/* The guest may have reprogrammed the UARTs. */
	if (present & CONSOLE_COM1)
		serial_init(SERIAL_COM1);
	if (present & CONSOLE_COM2)
		serial_init(SERIAL_COM2);
	framebuffer_console_panic();
	selected = present;
}

void console_write(const char *s, size_t n)
{
	unsigned to = selected & ~taken();

	if (to & CONSOLE_E9)
		for (size_t i = 0; i < n; i++)
			outb(E9_PORT, (u8)s[i]);
	if (to & CONSOLE_COM1 && com1_write && !panicking) {
		com1_write(s, n);
		to &= ~(unsigned)CONSOLE_COM1;
	}
	/* At most a FIFO full at a time, so that the two UARTs send at the same time. */
	for (size_t i = 0; i < n; i += 14) {
		if (to & CONSOLE_COM1)
			serial_write(SERIAL_COM1, s + i, MIN(n - i, 14));
		if (to & CONSOLE_COM2)
			serial_write(SERIAL_COM2, s + i, MIN(n - i, 14));
	}
	if (to & CONSOLE_VGA)
		vga_write(s, n);
	if (to & CONSOLE_FB)
		framebuffer_console_write(s, n);
}

const struct log_ring *console_ring(void)
{
	return ring;
}

void console_keep_ring(void *where)
{
	struct log_ring *old = ring, *new = where;

	log_ring_init(new, CONSOLE_RING_PAGES * PAGE_SIZE);
	ring = new;
	replay(old, write_ring);
}

/* Say once, on what is left, that the guest has taken a UART. The caller has the lock. */
static void report_taken(void)
{
	static const char text[] =
		"The guest drives a serial line that was Glasshouse's: it is left "
		"alone meanwhile. The option console= chooses another console.\n";
	static bool reported;

	if (reported || !taken())
		return;
	reported = true;
	log_ring_write(ring, text, sizeof(text) - 1);
	console_write(text, sizeof(text) - 1);
}

static struct cpu *diverted; /* what this CPU prints goes to divert_to() */
static void (*divert_to)(const char *s, size_t n);

void console_divert(struct cpu *cpu, void (*write)(const char *s, size_t n))
{
	divert_to = write;
	__atomic_store_n(&diverted, cpu, __ATOMIC_RELEASE);
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
	if (__atomic_load_n(&diverted, __ATOMIC_ACQUIRE) == this_cpu() && !panicking) {
		if (level < LOG_DEBUG)
			divert_to(line, (size_t)n);
		if (level != LOG_WARN)
			return;
	}
	if (!panicking)
		spin_lock(&lock);
	report_taken();
	log_ring_write(ring, line, (size_t)n);
	if (level <= max_level)
		console_write(line, (size_t)n);
	if (!panicking)
		spin_unlock(&lock);
}
