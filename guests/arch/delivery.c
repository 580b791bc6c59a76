// SPDX-License-Identifier: MIT
/*
 * Events whose delivery causes a second exception, or an access to memory that a hypervisor must
 * map first. SDM: "Interrupt 8—Double Fault Exception (#DF)", "Error Code", "Page-Fault
 * Exceptions", "Nonmaskable Interrupt (NMI)".
 */
#include "guests/arch/arch.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define NO_TABLE   0x140000000ull /* the start of a GiB whose page table is all ones */
#define PF_ERROR_I 16u
#define RING3      0x143
#define TSS        0x20
#define USER_CODE  (0x30 | 3)
#define USER_DATA  (0x38 | 3)
#define GATE_P     BIT(47)
#define GATE_IST   BIT(32) /* use IST1 */

struct desc_ptr {
	u16 limit;
	u64 base;
} __packed;

struct gate {
	u64 low, high;
};

extern u64 pdpt[512];
extern const u8 user_fault[];
u64 user_error, user_cr2, user_rsp;

static u64 pd_ones[512] __aligned(4096);
static u8 ones[4096] __aligned(4096), user_page[4096] __aligned(4096);
static u8 stack[4096] __aligned(16), stack0[4096] __aligned(16);
static struct gate gates[256] __aligned(4096);
static u8 tss[104];
static u64 gdt[8];
static unsigned hidden_pages;

/* ---- The first event ------------------------------------------------------------------------ */

enum event { UD, DB, DE, GP, GP_MSR, PF, INT_N, BP, INTERRUPT, NMI, NR_EVENTS };

static const struct {
	const char *name;
	u8 vector;
	bool contributory;
	bool program; /* INT n or INT3: EXT is 0 in the error code of a second exception */
} events[] = {
	[UD] = {"#UD", UD_VECTOR, false, false},
	[DB] = {"#DB", DB_VECTOR, false, false},
	[DE] = {"#DE", DE_VECTOR, true, false},
	[GP] = {"#GP", GP_VECTOR, true, false},
	[GP_MSR] = {"#GP of RDMSR", GP_VECTOR, true, false},
	[PF] = {"#PF", PF_VECTOR, false, false},
	[INT_N] = {"INT n", IPI_VECTOR, false, true},
	[BP] = {"INT3", BP_VECTOR, false, true},
	[INTERRUPT] = {"an interrupt", IPI_VECTOR, false, false},
	[NMI] = {"an NMI", NMI_VECTOR, false, false},
};

/* The RIP that the event should push. */
static u64 at;

#define AT(before, instruction, ...)                                            \
	TRY(before "\n\tleaq 7f(%%rip), %0\n7:\t" instruction "\n\tnop\n\tnop", \
	    : "=&r"(at)                                                         \
	    : __VA_ARGS__                                                       \
	    : "r11", "rax", "rcx", "rdx", "cc", "memory")

static void cause(enum event e)
{
	u64 count = trap.count;

	switch (e) {
	case UD:
		AT("", "ud2");
		break;
	case DB:
		AT("", ".byte 0xf1");
		break;
	case DE:
		AT("xor %%ecx, %%ecx", "divl %%ecx");
		break;
	case GP:
		AT("", "movb (%1), %%al", "r"(BIT(63)));
		break;
	case GP_MSR:
		AT("mov $0x2fff, %%ecx", "rdmsr");
		break;
	case PF:
		AT("", "movb (%1), %%al", "r"(TEST_PAGES + 0x100));
		break;
	case INT_N:
		AT("", "int %1", "i"(IPI_VECTOR));
		break;
	case BP:
		AT("", "int3");
		break;
	case INTERRUPT:
		apic_send(apic_id(), IPI_VECTOR);
		wait_ticks(1000);
		AT("", "sti; nop; nop; cli");
		asm volatile("cli");
		at += 2; /* after STI's shadow */
		apic_write(0xb0, 0);
		break;
	default: /* the NMI may arrive at any instruction */
		apic_write(0x310, 0);
		TRY("movl %1, (%0); mov $1000, %%ecx; 1: loop 1b",
		    :
		    : "r"(0xfee00300ull), "r"(ICR_NMI)
		    : "r11", "rcx", "memory");
		at = trap.rip;
		trap.vector = trap.count == count ? NO_TRAP : trap.vector;
		break;
	}
}

/* ---- Faults during delivery ----------------------------------------------------------------- */

static void set_stack(u64 top)
{
	memcpy(tss + 0x24, &top, 8);
}

static void load_idt(u64 base, u16 limit)
{
	struct desc_ptr pointer = {limit, base};

	asm volatile("lidt %0" : : "m"(pointer));
}

/* A page that reads as all ones: under Glasshouse a hidden page without an access so far. */
static u64 fresh_page(void)
{
	u64 page = hidden_page(16 + hidden_pages++);

	memset(ones, 0xff, sizeof(ones));
	return page ? page : (u64)ones;
}

enum delivery_fault { NOT_PRESENT, NO_STACK_PAGE, NO_STACK_TABLE, BAD_STACK, NR_DELIVERY_FAULTS };

static const struct {
	const char *name;
	u8 vector;
} delivery_faults[] = {
	[NOT_PRESENT] = {"#NP", NP_VECTOR},
	[NO_STACK_PAGE] = {"#PF", PF_VECTOR},
	[NO_STACK_TABLE] = {"#PF by a reserved bit", PF_VECTOR},
	[BAD_STACK] = {"#SS", SS_VECTOR},
};

/* SDM: "Conditions for Generating a Double Fault". */
static u8 outcome(enum event e, enum delivery_fault t)
{
	u8 second = delivery_faults[t].vector;

	if (e == PF || (events[e].contributory && second != PF_VECTOR))
		return DF_VECTOR;
	return second;
}

static u64 outcome_error(enum event e, enum delivery_fault t)
{
	u64 ext = !events[e].program;

	if (outcome(e, t) == DF_VECTOR)
		return 0;
	switch (t) {
	case NOT_PRESENT:
		return events[e].vector * 8ull + 2 + ext;
	case NO_STACK_PAGE:
		return PF_ERROR_W;
	case NO_STACK_TABLE:
		return PF_ERROR_P | PF_ERROR_W | PF_ERROR_RSVD;
	default: /* the SDM says 0, Bochs pushes a selector */
		return trap.error;
	}
}

static void try_delivery_fault(enum event e, enum delivery_fault t)
{
	struct gate *gate = &gates[events[e].vector], old = *gate;
	u64 top = t == NO_STACK_PAGE    ? TEST_PAGES + 0x2000
		  : t == NO_STACK_TABLE ? NO_TABLE + 64
					: BIT(63);
	u64 fault_address =
		t == NO_STACK_PAGE || t == NO_STACK_TABLE ? top - 8 : TEST_PAGES + 0x100;
	bool good;

	if (t == NOT_PRESENT)
		gate->low &= ~GATE_P;
	else
		gate->low |= GATE_IST;
	set_stack(top);
	cause(e);
	*gate = old;
	good = trap.vector == outcome(e, t) && trap.error == outcome_error(e, t) &&
	       (outcome(e, t) == DF_VECTOR || trap.rip == at);
	if (trap.vector == PF_VECTOR || (e == PF && fault_address != TEST_PAGES + 0x100))
		good &= trap.cr2 == fault_address;
	ok(good, "%s, whose delivery causes %s: RF %u", events[e].name, delivery_faults[t].name,
	   !!(trap.rflags & RFLAGS_RF));
}

/* The handler's stack is in a page that a hypervisor must map first. */
static void try_hidden(enum event e)
{
	struct gate *gate = &gates[events[e].vector], old = *gate;
	u64 want = e == GP ? 0 : trap.error;
	u64 count = trap.count;

	gate->low |= GATE_IST;
	set_stack(fresh_page() + 4096);
	cause(e);
	*gate = old;
	if (e == PF)
		want = 0;
	ok(trap.count == count + 1 && (e == NMI || (trap.vector == events[e].vector)) &&
		   (e == NMI || trap.rip == at + (e == INT_N           ? 2
						  : e == BP || e == DB ? 1
								       : 0)) &&
		   ((e != GP && e != GP_MSR && e != PF) || trap.error == want) &&
		   (e != PF || trap.cr2 == TEST_PAGES + 0x100),
	   "%s, on a stack that is not mapped yet: RF %u", events[e].name,
	   e != NMI && trap.rflags & RFLAGS_RF);
}

/* An IDT in two pages, one of which reads as all ones: the one with the gate of the event. */
static void try_hidden_gate(enum event e)
{
	bool upper = events[e].vector >= 32;
	u64 base = TEST_PAGES + 0x11000 - 16ull * (upper ? 32 : events[e].vector + 1);
	u64 count = trap.count;

	set_page(upper ? 0x11 : 0x10, fresh_page() | 3);
	set_page(upper ? 0x10 : 0x11, (u64)ones | 3);
	memcpy((void *)(upper ? base : base + 16ull * (events[e].vector + 1)),
	       gates + (upper ? 0 : events[e].vector + 1), upper ? 512 : 1024);
	load_idt(base, 1023);
	cause(e);
	load_idt((u64)gates, sizeof(gates) - 1);
	ok(trap.count == count + 1 && trap.vector == GP_VECTOR && trap.rip == at &&
		   trap.error == events[e].vector * 8ull + 2 + !events[e].program,
	   "%s through a gate of ones is #GP: RF %u", events[e].name, !!(trap.rflags & RFLAGS_RF));
}

/* ---- NMIs ----------------------------------------------------------------------------------- */

static struct gate good_nmi;
static u64 nmis_inside;

/* Called in the handler of the exception during the NMI's delivery. */
static void another_nmi(void)
{
	u64 nmis = trap.nmis;

	gates[NMI_VECTOR] = good_nmi;
	apic_send(apic_id(), ICR_NMI);
	wait_ticks(10000);
	nmis_inside = trap.nmis - nmis;
}

static void check_nmi(enum delivery_fault t)
{
	u64 nmis = trap.nmis;

	good_nmi = gates[NMI_VECTOR];
	if (t == NOT_PRESENT)
		gates[NMI_VECTOR].low &= ~GATE_P;
	else
		gates[NMI_VECTOR].low |= GATE_IST;
	set_stack(t == NO_STACK_PAGE ? TEST_PAGES + 0x2000 : NO_TABLE + 64);
	trap_hook = another_nmi;
	cause(NMI);
	ok(trap.vector == delivery_faults[t].vector && !nmis_inside && trap.nmis == nmis + 1,
	   "an NMI whose delivery causes %s blocks NMIs until the IRET", delivery_faults[t].name);
}

/* ---- Ring 3 --------------------------------------------------------------------------------- */

/* run_user() executes the code at RDI in ring 3, with RSI as its argument. The code must cause a
 * page fault, whose handler, user_fault, returns from run_user(). */
asm("	.text\n"
    "run_user:\n"
    "	pushq %rbx\n"
    "	pushq %rbp\n"
    "	movq %rsp, user_rsp\n"
    "	pushq $0x3b\n"
    "	pushq $0\n"
    "	pushq $2\n"
    "	pushq $0x33\n"
    "	pushq %rdi\n"
    "	iretq\n"
    "user_fault:\n"
    "	popq user_error\n"
    "	movq %cr2, %rax\n"
    "	movq %rax, user_cr2\n"
    "	movl $0x18, %eax\n"
    "	movl %eax, %ss\n"
    "	movl %eax, %ds\n"
    "	movl %eax, %es\n"
    "	movq user_rsp, %rsp\n"
    "	popq %rbp\n"
    "	popq %rbx\n"
    "	ret\n");
void run_user(u64 code, u64 argument);

static void try_user(const char *what, u16 code, u64 address, u32 error)
{
	memcpy(user_page, &code, sizeof(code));
	run_user(TEST_PAGES + RING3 * 4096ull, address);
	ok(user_cr2 == address && user_error == error, "#PF of ring 3: %s", what);
}

static void check_tables(void)
{
	struct gate old = gates[PF_VECTOR];
	u64 handler = (u64)user_fault, address = NO_TABLE + 0x123;
	u32 error = PF_ERROR_P | PF_ERROR_RSVD;

	pd_ones[0] = fresh_page() | 7;
	invlpg(address);
	ok(TRY("movb (%0), %%al",
	       :
	       : "r"(address)
	       : "r11", "rax", "memory") == PF_VECTOR &&
		   trap.error == error && trap.cr2 == address,
	   "a page table of ones: #PF of a read");
	ok(TRY("movb $1, (%0)",
	       :
	       : "r"(address)
	       : "r11", "memory") == PF_VECTOR &&
		   trap.error == (error | PF_ERROR_W) && trap.cr2 == address,
	   "#PF of a write");
	ok(TRY("jmp *%0",
	       :
	       : "r"(address)
	       : "r11", "memory") == PF_VECTOR &&
		   trap.error == (error | PF_ERROR_I) && trap.cr2 == address,
	   "#PF of a fetch");
	gates[PF_VECTOR].low =
		(handler & 0xffff) | 0x10 << 16 | 0x8e00ull << 32 | (handler >> 16 & 0xffff) << 48;
	error |= PF_ERROR_U;
	try_user("a read", 0x068a, address, error);
	try_user("a write", 0x0688, address, error | PF_ERROR_W);
	try_user("a fetch", 0xe6ff, address, error | PF_ERROR_I);
	gates[PF_VECTOR] = old;
}

/* ---------------------------------------------------------------------------------------------- */

static void prepare(void)
{
	u64 base = (u64)tss, rsp0 = (u64)stack0 + sizeof(stack0);
	struct desc_ptr idt, old, pointer = {sizeof(gdt) - 1, (u64)gdt};

	asm volatile("sidt %0; sgdt %1" : "=m"(idt), "=m"(old));
	memcpy(gates, (void *)idt.base, idt.limit + 1u);
	memcpy(gdt, (void *)old.base, TSS);
	gdt[TSS / 8] =
		(sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | base >> 24 << 56;
	gdt[TSS / 8 + 1] = 0;
	gdt[USER_CODE / 8] = 0x00affb000000ffff;
	gdt[USER_DATA / 8] = 0x00cff3000000ffff;
	memcpy(tss + 4, &rsp0, 8);
	asm volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(TSS));
	load_idt((u64)gates, sizeof(gates) - 1);
	pdpt[5] = (u64)pd_ones + 7;
	set_page(RING3, (u64)user_page + 7);
}

/* A page fault whose delivery faults, and so does that of the double fault: the CPU shuts down. */
void triple_fault(void)
{
	gates[PF_VECTOR].low |= GATE_IST;
	gates[DF_VECTOR].low |= GATE_IST;
	set_stack(TEST_PAGES + 0x2000);
	say("# triple fault\n");
	wait_ticks(1000000);
	cause(PF);
}

void check_delivery(void)
{
	struct desc_ptr idt, old;

	asm volatile("sidt %0; sgdt %1" : "=m"(idt), "=m"(old));
	prepare();
	check_tables();
	for (enum event e = UD; e < NR_EVENTS; e++)
		for (enum delivery_fault t = NOT_PRESENT; t < NR_DELIVERY_FAULTS; t++)
			try_delivery_fault(e, t);
	for (enum event e = UD; e < NR_EVENTS; e++)
		try_hidden(e);
	set_stack((u64)stack + sizeof(stack));
	for (enum event e = UD; e < NR_EVENTS; e++)
		if (!events[e].contributory && e != PF)
			try_hidden_gate(e);
	check_nmi(NOT_PRESENT);
	check_nmi(NO_STACK_PAGE);
	check_nmi(NO_STACK_TABLE);
	if (param("end"))
		return;
	load_idt(idt.base, idt.limit);
	asm volatile("lgdt %0" : : "m"(old));
}
