// SPDX-License-Identifier: MIT
/*
 * The guest of lab 6: it causes so many events of random kinds, each after an INVD, which is a
 * signal for the check: the delivery of the event may be interrupted by an exit. The handlers
 * count: each event must arrive once.
 *
 * Command line: seed=N, of the kinds; cases=N. stay=1: at its end it waits for a q on COM1.
 */
#include "guests/lib/guest.h"
#include "guests/lib/random.h"

#include "arch/x86/cpu.h"

#define ICR_LOW  0xfee00300
#define LONG     100000u /* turns of a loop, until an event is lost */
#define NO_GDT   0x4000u /* a selector beyond the GDT, and those above it */
#define SOFT_INT 51

enum kind {
	UNDEFINED,
	PROTECTION,
	PAGE,
	SOFTWARE,
	BREAKPOINT,
	INTERRUPT,
	NMI,
	NMI_IN_NMI,
	BOTH,
	NMI_BEFORE_IRET,
	NR_KINDS
};

static const char *const names[] = {
	"#UD",
	"#GP",
	"#PF",
	"INT n",
	"INT3",
	"an interrupt",
	"an NMI",
	"an NMI, and another one while it is handled",
	"an interrupt and an NMI, while IF is 0",
	"an NMI before the IRET of an NMI",
};

static u64 state;

/* INVD, and directly afterwards the command to the local APIC: an event for this CPU. */
static void signal_and_send(u32 command)
{
	asm volatile("invd\n\tmovl %0, (%1)" : : "r"(command), "r"((u64)ICR_LOW) : "memory");
}

/* Wait until so many events have come since @count, and so many NMIs since @nmis. False: they do
 * not come. And then no more may come. */
static bool arrive(u64 count, u64 nmis, u64 all, u64 of_nmis)
{
	for (unsigned i = 0; i < LONG && (trap.count - count < all || trap.nmis - nmis < of_nmis);
	     i++)
		cpu_relax();
	for (unsigned i = 0; i < 20; i++)
		cpu_relax();
	return trap.count - count == all && trap.nmis - nmis == of_nmis;
}

/* ---- An NMI handler of our own, for one kind ---- */

u64 lab_nmis, lab_nested, lab_again;
extern const u8 lab_nmi[];

/* Counts. If lab_again is set, sends one more NMI, which has to wait. INVD: the stack may be gone
 * when IRET reads it. lab_nested: an NMI has come before that IRET. */
asm("	.text\n"
    "lab_nmi:\n\t"
    "incq lab_nmis\n\t"
    "pushq %rax\n\t"
    "leaq lab_iret(%rip), %rax\n\t"
    "cmpq %rax, 8(%rsp)\n\t"
    "jne 1f\n\t"
    "incq lab_nested\n"
    "1:	cmpq $0, lab_again\n\t"
    "je 2f\n\t"
    "movq $0, lab_again\n\t"
    "movl $0xfee00300, %eax\n\t"
    "movl $0x400, (%rax)\n"
    "2:	popq %rax\n\t"
    "invd\n"
    "lab_iret:\n\t"
    "iretq\n");

struct gate {
	u16 offset_low, selector, flags, offset_mid;
	u32 offset_high, zero;
};

static struct gate *nmi_gate(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed idt;

	asm volatile("sidt %0" : "=m"(idt));
	return (struct gate *)idt.base + NMI_VECTOR;
}

static bool nmi_before_iret(void)
{
	struct gate *gate = nmi_gate(), saved = *gate;
	volatile u64 *nmis = &lab_nmis;
	u64 before = *nmis;

	gate->offset_low = (u16)(u64)lab_nmi;
	gate->offset_mid = (u16)((u64)lab_nmi >> 16);
	lab_again = 1;
	signal_and_send(ICR_NMI);
	for (unsigned i = 0; i < LONG && *nmis - before < 2; i++)
		cpu_relax();
	for (unsigned i = 0; i < 20; i++)
		cpu_relax();
	*gate = saved;
	return *nmis - before == 2 && !lab_nested;
}

/* ---- The kinds ---- */

#define CLOBBERS "r11", "memory"

static bool protection(void)
{
	u32 selector = NO_GDT + ((u32)xorshift64(&state) & 0x1ff8);

	return TRY("invd\n\tmovw %w0, %%fs",
		   :
		   : "r"(selector)
		   : CLOBBERS) == GP_VECTOR &&
	       trap.error == selector;
}

static bool page(void)
{
	u64 address = TEST_PAGES + (xorshift64(&state) & 0x1ffff8);

	return TRY("invd\n\tmovq %0, (%0)",
		   :
		   : "r"(address)
		   : CLOBBERS) == PF_VECTOR &&
	       trap.error == 2 && trap.cr2 == address;
}

/* Returns true if the event has come as it must, once. */
static bool one_case(enum kind kind)
{
	u64 count = trap.count, nmis = trap.nmis;

	trap.vector = NO_TRAP;
	switch (kind) {
	case UNDEFINED:
		return TRY("invd\n\tud2", : : : CLOBBERS) == UD_VECTOR && arrive(count, nmis, 1, 0);
	case PROTECTION:
		return protection() && arrive(count, nmis, 1, 0);
	case PAGE:
		return page() && arrive(count, nmis, 1, 0);
	case SOFTWARE:
		asm volatile("invd\n\tint %0" : : "i"(SOFT_INT) : "memory");
		return arrive(count, nmis, 1, 0) && trap.vector == SOFT_INT;
	case BREAKPOINT:
		asm volatile("invd\n\tint3" : : : "memory");
		return arrive(count, nmis, 1, 0) && trap.vector == BP_VECTOR;
	case INTERRUPT:
		signal_and_send(IPI_VECTOR);
		return arrive(count, nmis, 1, 0) && trap.vector == IPI_VECTOR;
	case NMI:
		signal_and_send(ICR_NMI);
		return arrive(count, nmis, 1, 1);
	case NMI_IN_NMI:
		nmi_again = true;
		signal_and_send(ICR_NMI);
		return arrive(count, nmis, 2, 2) && trap.nmi_depth_max == 1;
	case BOTH:
		asm volatile("cli");
		apic_send(apic_id(), IPI_VECTOR);
		signal_and_send(ICR_NMI);
		asm volatile("sti");
		return arrive(count, nmis, 2, 1) && trap.vector == IPI_VECTOR;
	default:
		return nmi_before_iret();
	}
}

static void prepare(void)
{
	apic_init(false);
	apic_write(0x310, apic_id() << 24);
	map_above_4g();
	for (unsigned i = 0; i < 512; i++)
		set_page(i, 0);
	asm volatile("sti");
}

void guest_main(void)
{
	u64 cases = param_number("cases", 10000), i = 0;
	enum kind kind = UNDEFINED;
	bool good = true;

	state = param_number("seed", 1) << 1 | 1;
	prepare();
	for (; good && i < cases; i++) {
		kind = (enum kind)(xorshift64(&state) >> 20) % NR_KINDS;
		good = one_case(kind);
	}
	if (good)
		ok(true, "%llu random cases: nothing is lost, and nothing comes twice",
		   (unsigned long long)cases);
	else
		ok(false, "case %llu: %s: it does not come, or not as it must",
		   (unsigned long long)i, names[kind]);
	plan();
	while (param_number("stay", 0) && typed() != 'q')
		cpu_relax();
}
