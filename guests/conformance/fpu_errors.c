// SPDX-License-Identifier: MIT
/*
 * x87 errors with CR0.NE = 1 and 0: #MF, or IRQ 13 by the 8259s. SDM: "MS-DOS Compatibility
 * Sub-mode".
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"

#define MASTER   0x20
#define SLAVE    0xa0
#define EOI      0x20
#define READ_ISR 0x0b
#define BASE     0x20 /* the first vector of both */
#define IRQ4     (BASE + 4)
#define IRQ13    (BASE + 13)
#define COM1_IER 0x3f9
#define COM1_MCR 0x3fc
#define LVT0     0x350

#define FSW_ZE 0x04u
#define FSW_ES 0x80u
#define FCW    0x37bu /* an unmasked division by zero */
#define MASKED 0x37fu

/* Changed by the handlers. */
static volatile u32 errors; /* their calls */
static volatile u32 wrong;
static volatile u16 seen_fcw, seen_fsw;
static volatile u32 stored;
static volatile u8 seen_master, seen_slave; /* what they read from the 8259s */

static void init_8259s(u8 mask)
{
	static const struct {
		u8 port, value;
	} words[] = {
		{MASTER, 0x11}, {MASTER + 1, BASE},    {MASTER + 1, 4}, {MASTER + 1, 1},
		{SLAVE, 0x11},  {SLAVE + 1, BASE + 8}, {SLAVE + 1, 2},  {SLAVE + 1, 1},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		outb(words[i].port, words[i].value);
	outb(MASTER + 1, mask);
	outb(SLAVE + 1, mask);
}

static u16 fsw(void)
{
	u16 value;

	asm volatile("fnstsw %0" : "=am"(value));
	return value;
}

static u16 fcw(void)
{
	u16 value;

	asm volatile("fnstcw %0" : "=m"(value));
	return value;
}

static void load_fcw(u16 value)
{
	asm volatile("fldcw %0" : : "m"(value));
}

static void end_interrupt(void)
{
	outb(SLAVE, EOI);
	outb(MASTER, EOI);
}

/* The handlers. What most do: */
static void clear_error(void)
{
	errors++;
	outb(0xf0, 0);
	asm volatile("fninit");
	end_interrupt();
}

/* One that uses the FPU before it clears the error. Some machines take port F0h for the end of the
 * error only, hence the second write. */
static void use_fpu(void)
{
	errors++;
	outb(0xf0, 0);
	asm volatile("fldpi; fistpl %0" : "=m"(stored));
	seen_fcw = fcw();
	seen_fsw = fsw();
	asm volatile("fclex; fninit");
	outb(0xf0, 0);
	end_interrupt();
}

static void mask_error(void)
{
	errors++;
	outb(0xf0, 0);
	load_fcw(MASKED);
	outb(0xf0, 0);
	end_interrupt();
}

static void ignore_error(void)
{
	errors++;
	outb(0xf0, 0);
	end_interrupt();
}

/* Both chips read what is in service. */
static void clear_error_in_service(void)
{
	seen_master = inb(MASTER);
	seen_slave = inb(SLAVE);
	clear_error();
}

static void unmask_irq13(void)
{
	seen_slave = inb(SLAVE);
	trap_hook = clear_error;
	outb(SLAVE + 1, (u8)~BIT(5));
}

/* Divide by zero, and let @handler handle what comes. Returns its vector, or NO_TRAP. */
static u64 divide(void (*handler)(void))
{
	u16 cw = FCW;

	trap_hook = handler;
	asm volatile("cli");
	TRY("fninit; fldcw %0; fldz; fld1; fdivp; sti; nop; fwait; nop; nop",
	    :
	    : "m"(cw)
	    : "r11", "memory");
	asm volatile("cli");
	trap_hook = NULL;
	return trap.vector;
}

/* In the handler of COM1's interrupt. */
static void divide_in_service(void)
{
	u64 vector;
	u8 isr;

	outb(SLAVE, READ_ISR);
	outb(MASTER, READ_ISR);
	vector = divide(clear_error_in_service);
	isr = inb(MASTER);
	ok(vector == IRQ13 && isr == BIT(4),
	   "an x87 error in a handler: the ends of interrupt end IRQ 13 only");
	ok(seen_master == (BIT(2) | BIT(4)) && seen_slave == BIT(5),
	   "the 8259s say that it is in service (%x, %x)", seen_master, seen_slave);
	outb(COM1_IER, 0);
	outb(MASTER, EOI);
}

static void check_waiting(void)
{
	u64 count = trap.count;
	u16 cw = FCW;

	outb(SLAVE + 1, 0xff);
	apic_write(0x3e0, 0xb);
	apic_write(0x320, TIMER_VECTOR);
	apic_write(0x380, 20000);
	errors = 0;
	trap_hook = unmask_irq13;
	asm volatile("fninit; fldcw %0; fldz; fld1; fdivp; sti; fwait" : : "m"(cw) : "memory");
	while (trap.count < count + 2)
		cpu_relax();
	asm volatile("cli");
	trap_hook = NULL;
	ok(errors == 1 && trap.vector == IRQ13 && seen_slave & BIT(5),
	   "a masked IRQ 13 waits for its mask, and is requested (%x)", seen_slave);
}

/* What an interrupt finds that arrives while an error is ignored: RFLAGS and the control word are
 * the guest's, wherever the instructions execute alone. */
static void see_state(void)
{
	if (trap.rflags & RFLAGS_TF || fcw() != FCW)
		wrong++;
	errors++;
}

static void check_interrupts_while_ignoring(void)
{
	wrong = errors = 0;
	for (u32 ticks = 500; ticks <= 20000; ticks += 500) {
		u64 count = trap.count;

		trap_hook = see_state;
		apic_write(0x380, ticks);
		asm volatile("sti\n\t"
			     ".rept 8\n\t"
			     "fldpi; fistpl %0\n\t"
			     ".endr\n\t"
			     "fwait; cli"
			     : "=m"(stored));
		while (trap.count == count)
			asm volatile("sti; nop; cli");
	}
	trap_hook = NULL;
	ok(!wrong && errors == 40 && fcw() == FCW,
	   "interrupts while it is ignored find the guest's state (%u of %u do not)", wrong,
	   errors);
}

/* An error that nobody clears is ignored, until it is cleared, or CR0.NE is 1. */
static void check_ignoring(u64 ne0)
{
	static const char *const names[] = {
		"an x87 error that port F0h has told to ignore",
		"interrupts while it is ignored find the guest's state",
		"the next one is an interrupt again",
		"with CR0.NE = 1 it is not ignored",
		"once it is cleared there, the next one is an interrupt",
	};
	u64 vector;

	if (!under_hypervisor) {
		for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
			skip("Bochs has no IGNNE#", "%s", names[i]);
		return;
	}
	errors = 0;
	divide(ignore_error);
	trap_hook = ignore_error;
	asm volatile("sti; fldpi; fistpl %0; fwait; cli" : "=m"(stored));
	trap_hook = NULL;
	ok(errors == 1 && stored == 3 && fsw() & FSW_ES && fcw() == FCW, "%s", names[0]);
	check_interrupts_while_ignoring();
	errors = 0;
	ok(divide(clear_error) == IRQ13 && errors == 1, "%s", names[2]);

	divide(ignore_error);
	write_cr0(ne0 | CR0_NE);
	vector = TRY("fwait", : : : "r11", "memory");
	ok(vector == MF_VECTOR, "%s", names[3]);
	asm volatile("fninit");
	write_cr0(ne0);
	errors = 0;
	ok(divide(clear_error) == IRQ13 && errors == 1, "%s", names[4]);
}

void check_fpu_errors(void)
{
	u64 cr0 = read_cr0(), ne0 = cr0 & ~(CR0_TS | CR0_EM | CR0_NE);
	u32 lvt0 = apic_read(LVT0);
	u8 mcr = inb(COM1_MCR);

	apic_write(LVT0, 0x700); /* ExtINT */
	write_cr0(ne0 | CR0_NE);
	init_8259s(0xff);
	ok(divide(NULL) == MF_VECTOR, "an x87 error with CR0.NE = 1 is #MF");
	outb(MASTER + 1, (u8)~BIT(2));
	outb(SLAVE + 1, (u8)~BIT(5));
	asm volatile("fninit");
	write_cr0(ne0);
	ok(read_cr0() == ne0, "CR0.NE can be 0");

	errors = 0;
	for (unsigned i = 0; i < 3; i++)
		ok(divide(clear_error) == IRQ13 && errors == i + 1, "then it is IRQ 13 (%u)", i);
	ok(divide(use_fpu) == IRQ13 && errors == 4 && stored == 3,
	   "its handler can use the FPU before it clears the error");
	ok(seen_fcw == FCW && (seen_fsw & (FSW_ZE | FSW_ES)) == (FSW_ZE | FSW_ES),
	   "and see the error (FCW %x, FSW %x)", seen_fcw, seen_fsw);
	ok(divide(mask_error) == IRQ13 && fcw() == MASKED && !(fsw() & FSW_ES), "or mask it");
	check_waiting();
	check_ignoring(ne0);

	/* COM1's transmitter becomes empty. */
	outb(MASTER + 1, (u8) ~(BIT(2) | BIT(4)));
	outb(COM1_MCR, mcr | 8);
	trap_hook = divide_in_service;
	asm volatile("sti");
	outb(COM1_IER, 2);
	wait_ticks(200000);
	asm volatile("cli");
	trap_hook = NULL;

	outb(COM1_MCR, mcr);
	outb(MASTER + 1, 0xff);
	outb(SLAVE + 1, 0xff);
	apic_write(LVT0, lvt0);
	asm volatile("fninit");
	write_cr0(cr0);
}
