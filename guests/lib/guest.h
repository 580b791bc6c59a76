/* SPDX-License-Identifier: MIT */
/*
 * What guests of our own are made with: TAP on COM1, exceptions that a test may cause and look at,
 * other CPUs, the end. A guest has one function of its own to begin with: guest_main().
 *
 * All is written for tests that run on one CPU at a time: the state of exceptions is one for all.
 */
#ifndef GUEST_H
#define GUEST_H

#include "bits.h"

#define MAX_CPUS 8

/* The guest, on the first CPU. When it returns, the machine is switched off. */
void guest_main(void);

/* ---- Saying: COM1, polled ---------------------------------------------------------------- */

/* Print a line of text, whole or in parts. */
void say(const char *fmt, ...) __printf(1, 2);

/* One test's result, numbered; then the plan, when all tests are done. */
void ok(bool good, const char *fmt, ...) __printf(2, 3);
void skip(const char *why, const char *fmt, ...) __printf(2, 3);
void plan(void);

/* The end, when nothing more can be tested. */
void bail_out(const char *fmt, ...) __printf(1, 2) __noreturn;

/* Switch the machine off by ACPI, as Bochs and QEMU's PC know it. */
void power_off(void) __noreturn;

/* ---- What the loader said ---------------------------------------------------------------- */

/* The value of NAME=value on the command line, up to the next space, or NULL; a number, or
 * @otherwise. */
const char *param(const char *name);
u64 param_number(const char *name, u64 otherwise);

/* Where the initrd is, and its size; 0: there is none. */
const u8 *initrd(u32 *size);

struct e820_entry {
	u64 start, size;
	u32 type; /* 1: RAM, 2: reserved */
} __packed;

/* Entry number @i of the memory map, or NULL beyond its end. */
const struct e820_entry *e820_entry(unsigned i);

/* True under Glasshouse, by CPUID. */
bool under_glasshouse(void);

#define HYPERCALL_LEAVE 0x476c617373000001ull /* docs/hypercalls.md */

/* ---- Memory ------------------------------------------------------------------------------ */

/* This CPU forgets what it has cached of the page at @addr. */
static inline void invlpg(u64 addr)
{
	asm volatile("invlpg (%0)" : : "r"(addr) : "memory");
}

/* The 512 pages of 4 KiB from 4 GiB on are a test's to play with: make @entry page @i's. Returns
 * where it is, for the CPU sets flags in it. */
#define PLAY 0x100000000ull
u64 *set_page(unsigned i, u64 entry);

/* Range @n of those between 16 MiB and 3 GiB that the memory map has reserved: in Bochs they are
 * all Glasshouse's. NULL beyond the last. */
const struct e820_entry *hidden_range(unsigned n);

/* Page @n of the first of them, or 0. */
u64 hidden_page(unsigned n);

/* ---- Exceptions and interrupts ----------------------------------------------------------- */

#define NO_TRAP (~0ull)

/* The last one, and how many there were. */
struct trap {
	u64 vector, error, rip, rflags, cr2, dr6;
	u64 count, nmis, nmi_depth_max; /* without the next: */
	u64 machine_checks;
};
extern volatile struct trap trap;

/* Sent to this CPU again from inside the next NMI's handler. */
extern volatile bool nmi_again;

/* Called once, from inside the next exception's handler. */
extern void (*volatile trap_hook)(void);

/* So many single steps follow the next one; then it is the last. */
extern volatile u64 more_steps;

/*
 * Carry out @instructions; an exception ends them. Yields its vector or NO_TRAP. The arguments
 * after the first are those of an asm statement; "r11" and "memory" must be among the clobbers.
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
 * @prepare, then with TF set by POPF @instructions and a NOP; yields true when one #DB came, right
 * behind @instructions, for a single step. After that come the asm's inputs, from %1 on, in no
 * register that is among the clobbers.
 */
#define STEPS(prepare, instructions, ...)                                                          \
	({                                                                                         \
		u64 count_ = trap.count, behind_;                                                  \
		asm volatile(prepare "\n\tleaq 8f(%%rip), %0\n\tpushfq\n\torq $0x100, (%%rsp)\n\t" \
				     "popfq\n\t" instructions "\n8:\tnop"                          \
			     : "=&r"(behind_)                                                      \
			     : __VA_ARGS__                                                         \
			     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "cc", "memory");          \
		trap.count == count_ + 1 &&                                                        \
			trap.vector == DB_VECTOR &&trap.rip == behind_ &&trap.dr6 &DR6_BS;         \
	})

/* ---- Local APIC and other CPUs ------------------------------------------------------------ */

#define IPI_VECTOR   48
#define TIMER_VECTOR 49

#define ICR_NMI     0x400
#define ICR_INIT    0x4500 /* with level: assert */
#define ICR_STARTUP 0x4600

/* Switch this CPU's local APIC on, in xAPIC or x2APIC mode (once and for all CPUs). */
void apic_init(bool x2apic);
u32 apic_read(u32 offset);
void apic_write(u32 offset, u32 value);
u32 apic_id(void);
/* Send the interrupt command @low (delivery mode and vector) to the CPU with APIC id @id. */
void apic_send(u32 id, u32 low);

/* What INIT left in the registers of the CPU started last. */
struct ap_state {
	u32 edx, cr0, cr4;
	u16 cs, ds;
	u32 eflags;
} __packed;

#define AP_BASE 0x8000

/* Start CPU @cpu (its APIC id) by INIT-SIPI. False when it does not come. */
bool ap_boot(unsigned cpu, struct ap_state *state);
/* The same with one SIPI, so many ticks behind the INIT; with an NMI between, twice as many. */
bool ap_boot_once(unsigned cpu, u64 ticks, bool nmi);
/* Run @fn there; wait for its end, false when that does not come; both. */
void ap_start_job(unsigned cpu, void (*fn)(unsigned cpu));
bool ap_wait(unsigned cpu);
bool ap_run(unsigned cpu, void (*fn)(unsigned cpu));

/* Wait for a number of ticks of the TSC. */
void wait_ticks(u64 ticks);

#endif
