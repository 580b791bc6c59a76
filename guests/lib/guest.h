/* SPDX-License-Identifier: MIT */
/*
 * The library of the test guests: TAP on COM1, exceptions that a test causes and examines, other
 * CPUs, power-off. A guest defines guest_main().
 *
 * Tests run on one CPU at a time: all CPUs share the record of the last exception.
 */
#ifndef GUEST_H
#define GUEST_H

#include "bits.h"
#include "log_ring.h"

#define MAX_CPUS 8

/* The guest's code, called on the first CPU. When it returns, the machine is switched off. */
void guest_main(void);

/* ---- Output on COM1, polled ---------------------------------------------------------------- */

/* Print text, at most 255 characters. Adds no newline. */
void say(const char *fmt, ...) __printf(1, 2);

/* The byte that has come on COM1, or 0. */
char typed(void);

/* Print a test's result with the next number: passed or failed; skipped. plan() prints the plan
 * after all tests. */
void ok(bool good, const char *fmt, ...) __printf(2, 3);
void skip(const char *why, const char *fmt, ...) __printf(2, 3);
void plan(void);

/* Print TAP's "Bail out!" with a reason, and switch the machine off. */
void bail_out(const char *fmt, ...) __printf(1, 2) __noreturn;

/* Switch the machine off by the ACPI ports of Bochs and QEMU's PC. */
void power_off(void) __noreturn;

/* ---- Boot parameters ----------------------------------------------------------------------- */

/* The value of @name=value on the command line, which ends at the next space, or NULL. */
const char *param(const char *name);

/* The decimal value of @name=number, or @fallback if the command line does not have it. */
u64 param_number(const char *name, u64 fallback);

/* The address of the initrd. Stores its size in *@size, 0 if there is none. */
const u8 *initrd(u32 *size);

struct e820_entry {
	u64 start, size;
	u32 type; /* 1: RAM, 2: reserved */
} __packed;

/* The screen that the boot loader tells of, in graphics mode; base is 0 in text mode. Linux/x86
 * Boot Protocol: the start of the "zero page". */
struct guest_screen {
	u8 before[18];
	u16 width, height, depth; /* pixels, bits */
	u32 base, size;
	u8 between[4];
	u16 pitch; /* bytes */
} __packed;
const struct guest_screen *guest_screen(void);

/* Entry @i of the memory map, or NULL beyond its end. */
const struct e820_entry *e820_entry(unsigned i);

/* ACPI's root pointer, as the boot parameters name it; NULL if they name none. */
const u8 *acpi_root(void);

/* True under Glasshouse, by CPUID. */
bool under_glasshouse(void);

#define HYPERCALL_LEAVE      0x476c617373000001ull /* docs/hypercalls.md */
#define HYPERCALL_DUMP_EXITS 0x476c617373000004ull

/* ---- Memory ------------------------------------------------------------------------------ */

/* Invalidate this CPU's TLB entries for the page at @addr. */
static inline void invlpg(u64 addr)
{
	asm volatile("invlpg (%0)" : : "r"(addr) : "memory");
}

/* Map 4 GiB to 512 GiB by pages of 1 GiB, present and writable. */
void map_above_4g(void);

/* Set the page table entry of page @i, 0 to 511, of the pages from TEST_PAGES on, which a test may
 * map as it likes. Returns the address of the entry, in which the CPU sets flags. */
#define TEST_PAGES 0x100000000ull
u64 *set_page(unsigned i, u64 entry);

/* Reserved range @n of the memory map between 16 MiB and 3 GiB, all of which Glasshouse hides,
 * without the last firmware=N KiB (0 in Bochs), which the firmware reserves at the end of RAM.
 * Returns false beyond the last range. */
bool hidden_range(unsigned n, struct e820_entry *range);

/* The address of page @n of the first hidden range, without those that may be read; or 0. */
u64 hidden_page(unsigned n);

/* Is @address in hidden memory that may be read: a log, or the exits? */
bool is_readable(u64 address);

/* A log of Glasshouse's, in hidden memory, as CPUID names it: its address; 0 if there is none.
 * Stores its size in bytes in *@size. */
u64 find_log(enum log_ring_of which, u64 *size);

/* ---- Exceptions and interrupts ----------------------------------------------------------- */

#define NO_TRAP (~0ull)

/* The last exception or interrupt, and counters. */
struct trap {
	u64 vector, error, rip, rflags, cr2, dr6;
	u64 count; /* of all but machine checks */
	u64 nmis, nmi_depth_max;
	u64 machine_checks;
};
extern volatile struct trap trap;

/* Set it to make the handler of the next NMI send another NMI to this CPU. */
extern volatile bool nmi_again;

/* Called once, from the handler of the next exception. */
extern void (*volatile trap_hook)(void);

/* How many single steps follow the next one before the handler clears TF. */
extern volatile u64 more_steps;

/*
 * Execute @instructions until their end or the first exception. Yields its vector, or NO_TRAP. The
 * other arguments are those of an asm statement; the clobbers must include "r11" and "memory".
 */
#define TRY(instructions, ...)                                                                   \
	({                                                                                       \
		trap.vector = NO_TRAP;                                                           \
		asm volatile("leaq 9f(%%rip), %%r11\n\tmovq %%r11, trap_resume\n\t" instructions \
			     "\n9:\tmovq $0, trap_resume" __VA_ARGS__);                          \
		trap.vector;                                                                     \
	})
extern volatile u64 trap_resume;

#define DR6_B0 BIT(0)
#define DR6_BS BIT(14)

/*
 * Execute @prepare, then set TF by POPF and execute @instructions and a NOP. Yields true if exactly
 * one #DB came, for a single step, directly after @instructions. The other arguments are the asm's
 * inputs, from %1 on, in registers that are not among the clobbers.
 */
#define STEPS(prepare, instructions, ...)                                                          \
	({                                                                                         \
		u64 count_ = trap.count, next_;                                                    \
		asm volatile(prepare "\n\tleaq 8f(%%rip), %0\n\tpushfq\n\torq $0x100, (%%rsp)\n\t" \
				     "popfq\n\t" instructions "\n8:\tnop"                          \
			     : "=&r"(next_)                                                        \
			     : __VA_ARGS__                                                         \
			     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "cc", "memory");          \
		trap.count == count_ + 1 &&                                                        \
			trap.vector == DB_VECTOR &&trap.rip == next_ &&trap.dr6 &DR6_BS;           \
	})

/* ---- Local APIC and other CPUs ------------------------------------------------------------ */

#define IPI_VECTOR   48
#define TIMER_VECTOR 49

#define ICR_NMI     0x400
#define ICR_INIT    0x4500 /* with level: assert */
#define ICR_STARTUP 0x4600

/* Enable this CPU's local APIC in xAPIC or x2APIC mode, and use this mode on all CPUs. */
void apic_init(bool x2apic);

/* Read or write a register of this CPU's local APIC, by its xAPIC offset; read its APIC ID. */
u32 apic_read(u32 offset);
void apic_write(u32 offset, u32 value);
u32 apic_id(void);

/* Send the interrupt command @low (delivery mode and vector) to the CPU with APIC ID @id. */
void apic_send(u32 id, u32 low);

/* The registers after INIT of the CPU that was started last. */
struct ap_state {
	u32 edx, cr0, cr4;
	u16 cs, ds;
	u32 eflags;
} __packed;

#define AP_BASE 0x8000

/* Start the CPU with APIC ID @cpu by INIT-SIPI-SIPI, and fill @state. False if it does not start.
 */
bool ap_boot(unsigned cpu, struct ap_state *state);

/* Start it with one SIPI, @ticks after the INIT; if @nmi, an NMI after @ticks, and the SIPI @ticks
 * after the NMI. */
bool ap_boot_once(unsigned cpu, u64 ticks, bool nmi);

/* Start it with one SIPI. It waits for that, after an INIT. */
bool ap_boot_stopped(unsigned cpu);

/* Start @fn on @cpu; wait for its end (false on a time-out); both. */
void ap_start_job(unsigned cpu, void (*fn)(unsigned cpu));
bool ap_wait(unsigned cpu);
bool ap_run(unsigned cpu, void (*fn)(unsigned cpu));

/* Wait for a number of ticks of the TSC. */
void wait_ticks(u64 ticks);

#endif
