// SPDX-License-Identifier: MIT
/*
 * Console, TAP, boot parameters, exceptions and power-off for the test guests.
 */
#include "guests/lib/guest.h"

#include <stdarg.h>
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "lib/print.h"
#include "lib/string.h"

#define COM1 0x3f8

struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

struct idt_gate {
	u16 offset_low, selector;
	u16 flags, offset_mid;
	u32 offset_high, zero;
};

volatile struct trap trap;
volatile u64 trap_resume;
volatile bool nmi_again;
void (*volatile trap_hook)(void);
volatile u64 more_steps;

extern const u8 trap_stubs[64][16];
void guest_start(const u8 *boot_params);
void trap_init(void);
void trap_handler(struct trap_frame *frame);

static const u8 *boot_params;
static unsigned tests;
static unsigned nmi_depth;
static struct idt_gate idt[64];

static void put(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM1 + 5) & 0x20))
			cpu_relax();
		outb(COM1, *text);
	}
}

static void say_args(const char *fmt, va_list args)
{
	char line[256];

	vsnprintf(line, sizeof(line), fmt, args);
	put(line);
}

char typed(void)
{
	return (char)(inb(COM1 + 5) & 1 ? inb(COM1) : 0);
}

#define SAY_ARGS(fmt)                \
	do {                         \
		va_list args;        \
		va_start(args, fmt); \
		say_args(fmt, args); \
		va_end(args);        \
	} while (0)

void say(const char *fmt, ...)
{
	SAY_ARGS(fmt);
}

void ok(bool good, const char *fmt, ...)
{
	say("%sok %u - ", good ? "" : "not ", ++tests);
	SAY_ARGS(fmt);
	put("\n");
	if (!good)
		say("# last trap: vector %lld error %llx at %llx CR2 %llx DR6 %llx, %llu in all\n",
		    (long long)trap.vector, (unsigned long long)trap.error,
		    (unsigned long long)trap.rip, (unsigned long long)trap.cr2,
		    (unsigned long long)trap.dr6, (unsigned long long)trap.count);
}

void skip(const char *why, const char *fmt, ...)
{
	say("ok %u - ", ++tests);
	SAY_ARGS(fmt);
	say(" # SKIP %s\n", why);
}

void plan(void)
{
	say("1..%u\n", tests);
}

void bail_out(const char *fmt, ...)
{
	put("Bail out! ");
	SAY_ARGS(fmt);
	put("\n");
	power_off();
}

void power_off(void)
{
	while (!(inb(COM1 + 5) & 0x40))
		cpu_relax();
	outw(0xb004, 0x2000);
	outw(0x604, 0x2000);
	for (;;)
		cpu_halt();
}

const char *param(const char *name)
{
	const char *word = (const char *)(u64) * (const u32 *)(boot_params + 0x228);
	size_t length = strlen(name);

	while (word && *word) {
		if (!strncmp(word, name, length) && word[length] == '=')
			return word + length + 1;
		word = strchr(word, ' ');
		word = word ? word + 1 : NULL;
	}
	return NULL;
}

u64 param_number(const char *name, u64 fallback)
{
	const char *text = param(name);
	u64 number = 0;

	if (!text)
		return fallback;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (u64)(*text - '0');
	return number;
}

const u8 *initrd(u32 *size)
{
	*size = *(const u32 *)(boot_params + 0x21c);
	return (const u8 *)(u64) * (const u32 *)(boot_params + 0x218);
}

const struct guest_screen *guest_screen(void)
{
	return (const struct guest_screen *)boot_params;
}

const struct e820_entry *e820_entry(unsigned i)
{
	return i < boot_params[0x1e8] ? (const struct e820_entry *)(boot_params + 0x2d0) + i : NULL;
}

const u8 *acpi_root(void)
{
	return (const u8 *)*(const u64 *)(boot_params + 0x70);
}

bool under_glasshouse(void)
{
	struct cpuid_regs r = cpuid(0x40000000, 0);

	return !memcmp(&r.ebx, "Glas", 4) && !memcmp(&r.ecx, "shou", 4) &&
	       !memcmp(&r.edx, "se  ", 4);
}

static void on_nmi(void)
{
	trap.nmis++;
	nmi_depth++;
	if (nmi_depth > trap.nmi_depth_max)
		trap.nmi_depth_max = nmi_depth;
	if (nmi_again) {
		nmi_again = false;
		apic_send(apic_id(), ICR_NMI);
		wait_ticks(10000);
	}
	nmi_depth--;
}

void trap_handler(struct trap_frame *frame)
{
	u64 dr6;

	if (frame->vector == MC_VECTOR) {
		trap.machine_checks++;
		return;
	}
	trap.count++;
	if (frame->vector == NMI_VECTOR) {
		on_nmi();
		return;
	}
	trap.vector = frame->vector;
	trap.error = frame->error;
	trap.rip = frame->rip;
	trap.rflags = frame->rflags;
	trap.cr2 = read_cr2();
	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	trap.dr6 = dr6;
	asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ull));
	if (trap_hook) {
		void (*hook)(void) = trap_hook;

		trap_hook = NULL;
		hook();
	}

	if (frame->vector >= 32) {
		apic_write(0xb0, 0);
	} else if (frame->vector == DB_VECTOR) {
		if (more_steps)
			more_steps--;
		else
			frame->rflags &= ~RFLAGS_TF;
		frame->rflags |= RFLAGS_RF;
	} else if (trap_resume) {
		frame->rip = trap_resume;
	} else if (frame->vector != BP_VECTOR) {
		bail_out("exception %llu, error %llx, at %llx, CR2 %llx",
			 (unsigned long long)frame->vector, (unsigned long long)frame->error,
			 (unsigned long long)frame->rip, (unsigned long long)read_cr2());
	}
}

/* Load the IDT. Each CPU calls this. */
void trap_init(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = {sizeof(idt) - 1, (u64)idt};

	for (unsigned i = 0; i < ARRAY_SIZE(idt); i++) {
		u64 stub = (u64)trap_stubs[i];

		idt[i] = (struct idt_gate){(u16)stub,         0x10, 0x8e00, (u16)(stub >> 16),
					   (u32)(stub >> 32), 0};
	}
	asm volatile("lidt %0" : : "m"(pointer));
}

void guest_start(const u8 *params)
{
	boot_params = params;
	outb(COM1 + 1, 0);    /* no interrupts */
	outb(COM1 + 3, 0x80); /* divisor 1: 115200 */
	outb(COM1, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);
	outb(COM1 + 2, 7);
	/* Mask the legacy interrupt controllers. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	trap_init();
	guest_main();
	power_off();
}
