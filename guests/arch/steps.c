// SPDX-License-Identifier: MIT
/*
 * What happens at the end of instructions that a hypervisor emulates: single steps, breakpoints on
 * data and ports, the shadows of STI and MOV SS. SDM: "Debug Exceptions", "Masking Exceptions and
 * Interrupts When Switching Stacks".
 */
#include "guests/arch/arch.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"

#define KBC    0x64
#define PORT92 0x92
#define PM1    0xb004
#define APIC   0xfee00000ull
#define TPR    (APIC + 0x80)

/* Values of DR7: no breakpoint; DR0 enabled for a kind of access and a number of bytes. */
#define DR7_NONE          0x400ull
#define DR7_WRITE(bytes)  (0x402ull | 1 << 16 | ((bytes)-1) << 18)
#define DR7_PORT(bytes)   (0x402ull | 2 << 16 | ((bytes)-1) << 18)
#define DR7_ACCESS(bytes) (0x402ull | 3 << 16 | ((bytes)-1) << 18)

static u32 memory[4] __aligned(16);

/* Memory to write to: under Glasshouse hidden memory, so that it must emulate the writes. */
static u64 emulated_memory(void)
{
	u64 page = hidden_page(8);

	return page ? page : (u64)memory;
}

static void check_port_steps(void)
{
	ok(STEPS("", "inb $0x64, %%al"), "a step over IN from the keyboard controller");
	ok(STEPS("mov $0xaa, %%eax", "outb %%al, $0x64"), "a step over OUT to it");
	ok(STEPS("", "inb $0x92, %%al"), "a step over IN from port 92h");
	ok(STEPS("inb $0x92, %%al\n\tandb $0xfe, %%al", "outb %%al, $0x92"),
	   "a step over OUT to port 92h");
	ok(STEPS("mov $0xb004, %%edx", "inw %%dx, %%ax"), "a step over IN from PM1 control");
	ok(STEPS("mov $0xb004, %%edx\n\tinw %%dx, %%ax", "outw %%ax, %%dx"),
	   "a step over OUT to PM1 control");
	ok(STEPS("mov $0x64, %%edx\n\tmov %1, %%rdi", "insb", "r"(memory)), "a step over INSB");
	memory[0] = 0xaa;
	ok(STEPS("mov $0x64, %%edx\n\tmov %1, %%rsi", "outsb", "r"(memory)), "a step over OUTSB");
	wait_ticks(100000);
	inb(0x60);
}

static void check_instruction_steps(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4(), base = rdmsr(MSR_IA32_APICBASE);

	ok(STEPS("xor %%eax, %%eax", "cpuid"), "a step over CPUID");
	ok(STEPS("mov $0x1b, %%ecx\n\trdmsr", "wrmsr") && rdmsr(MSR_IA32_APICBASE) == base,
	   "a step over WRMSR");
	ok(STEPS("mov %1, %%rax", "mov %%rax, %%cr0", "r"(cr0 ^ CR0_NE)) &&
		   read_cr0() == (cr0 ^ CR0_NE),
	   "a step over MOV CR0");
	write_cr0(cr0);
	ok(STEPS("", "clts"), "a step over CLTS");
	ok(STEPS("smsw %%ax\n\txor $0x20, %%eax", "lmsw %%ax"), "a step over LMSW");
	write_cr0(cr0);
	ok(STEPS("", "invd"), "a step over INVD");
	ok(STEPS("", "wbinvd"), "a step over WBINVD");
	if (cpuid(1, 0).ecx & BIT(26)) {
		write_cr4(cr4 | CR4_OSXSAVE);
		ok(STEPS("xor %%ecx, %%ecx\n\txor %%edx, %%edx\n\tmov $1, %%eax", "xsetbv"),
		   "a step over XSETBV");
		write_cr4(cr4);
	}
	ok(STEPS("", "movl $0x10, (%1)", "r"(TPR)) && apic_read(0x80) == 0x10,
	   "a step over MOV to the local APIC");
	apic_write(0x80, 0);
	ok(STEPS("", "movl $1, (%1)", "r"(emulated_memory())), "a step over MOV to memory");
	ok(STEPS("mov %1, %%rdi", "stosb", "r"(emulated_memory())), "a step over STOS");
}

/* Single-step REP INSB of three bytes. Returns how many iterations are left. *@at: its address,
 * *@next: that of the next instruction. */
static u64 step_rep_insb(u64 *at, u64 *next)
{
	u64 left;

	asm volatile("leaq 7f(%%rip), %0\n\tleaq 8f(%%rip), %1\n\tpushfq\n\torq $0x100, "
		     "(%%rsp)\n\tpopfq\n7:\trep insb\n8:\tnop"
		     : "=&r"(*at), "=&r"(*next), "=c"(left)
		     : "c"(3ull), "D"(memory), "d"(KBC)
		     : "memory");
	return left;
}

/* A single step ends after each iteration of a REP. */
static void check_rep_steps(void)
{
	u64 at, next, count = trap.count, left;

	more_steps = 1;
	left = step_rep_insb(&at, &next);
	ok(trap.count == count + 2 && trap.rip == at && trap.vector == DB_VECTOR && !left,
	   "two steps into REP INSB");
	count = trap.count;
	more_steps = 2;
	left = step_rep_insb(&at, &next);
	ok(trap.count == count + 3 && trap.rip == next && trap.dr6 & DR6_BS && !left,
	   "the third ends it");
}

/* A breakpoint on a REP instruction hits once, not at each iteration. Single steps of REP STOSB. */
static void check_rep(void)
{
	u64 count = trap.count, at, page = emulated_memory(), left;

	asm volatile("leaq 7f(%%rip), %0\n\tmov %0, %%dr0\n\tmov %4, %%dr7\n7:\trep insb\n\tmov "
		     "%5, %%dr7"
		     : "=&r"(at), "=c"(left)
		     : "c"(3ull), "d"(KBC), "r"(0x402ull), "r"(DR7_NONE), "D"(memory)
		     : "memory");
	ok(trap.count == count + 1 && trap.rip == at && trap.dr6 & DR6_B0 && !left,
	   "a breakpoint on REP INSB hits once");
	count = trap.count;
	asm volatile("leaq 7f(%%rip), %0\n\tmov %0, %%dr0\n\tmov %4, %%dr7\n7:\trep stosb\n\tmov "
		     "%5, %%dr7"
		     : "=&r"(at), "=c"(left)
		     : "c"(3ull), "a"(0), "r"(0x402ull), "r"(DR7_NONE), "D"(page)
		     : "memory");
	ok(trap.count == count + 1 && trap.rip == at && trap.dr6 & DR6_B0 && !left,
	   "and one on REP STOSB");
	count = trap.count;
	more_steps = 1;
	asm volatile(
		"leaq 7f(%%rip), %0\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n7:\trep stosb\n\tnop"
		: "=&r"(at), "=c"(left)
		: "c"(3ull), "a"(0), "D"(page)
		: "memory");
	ok(trap.count == count + 2 && trap.rip == at && trap.vector == DB_VECTOR && !left,
	   "two steps into REP STOSB");
}

/* An instruction that faults is not stepped. The handler returns to the next one with TF still set:
 * that is stepped. */
static void check_faulting_step(void)
{
	u64 count = trap.count, next;

	asm volatile("leaq 9f(%%rip), %%r11\n\tmovq %%r11, trap_resume\n\tleaq 8f(%%rip), %0\n\t"
		     "pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\trdmsr\n\tud2\n9:\tnop\n8:\t"
		     "movq $0, trap_resume"
		     : "=&r"(next)
		     : "c"(0x2fff)
		     : "r11", "rax", "rdx", "cc", "memory");
	ok(trap.count == count + 2 && trap.vector == DB_VECTOR && trap.rip == next &&
		   trap.dr6 & DR6_BS,
	   "no step over RDMSR that is #GP");
}

/* ---- Breakpoints ---------------------------------------------------------------------------- */

/* Execute @instruction with a breakpoint. Yields true if that hit once, directly after it. */
#define HITS(address, dr7, prepare, instruction, ...)                                          \
	({                                                                                     \
		u64 count_ = trap.count, next_;                                                \
		asm volatile("mov %0, %%dr0" : : "r"((u64)(address)));                         \
		asm volatile(prepare "\n\tmov %1, %%dr7\n\tleaq 8f(%%rip), %0\n\t" instruction \
				     "\n8:\tnop\n\tmov $0x400, %%eax\n\tmov "                  \
				     "%%rax, %%dr7"                                            \
			     : "=&r"(next_)                                                    \
			     : "r"((u64)(dr7)), ##__VA_ARGS__                                  \
			     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "cc", "memory");      \
		trap.count == count_ + 1 && trap.vector == DB_VECTOR &&trap.rip == next_ &&    \
			(trap.dr6 & (DR6_BS | 0xf)) == DR6_B0;                                 \
	})

static void check_port_breakpoints(void)
{
	u64 cr4 = read_cr4();

	write_cr4(cr4 | CR4_DE);
	ok(HITS(0x60, DR7_PORT(1), "", "inb $0x60, %%al"), "a breakpoint on a port, IN");
	ok(HITS(KBC, DR7_PORT(1), "", "inb $0x64, %%al"), "on the keyboard controller's, IN");
	ok(HITS(KBC, DR7_PORT(1), "mov $0xaa, %%eax", "outb %%al, $0x64"), "and OUT");
	ok(HITS(PM1 + 1, DR7_PORT(1), "mov $0xb004, %%edx", "inw %%dx, %%ax"),
	   "on the second byte of two");
	ok(HITS(PORT92 - 2, DR7_PORT(4), "", "inb $0x92, %%al"), "on four ports");
	ok(!HITS(KBC + 1, DR7_PORT(1), "", "inb $0x64, %%al"), "not on the next port");
	ok(!HITS(KBC, DR7_PORT(1) & ~2ull, "", "inb $0x64, %%al"), "not where it is off");
	ok(!HITS(KBC, DR7_WRITE(1), "", "inb $0x64, %%al"), "not for memory");
	ok(HITS(KBC, DR7_PORT(1), "mov $0x64, %%edx\n\tmov %2, %%rdi", "insb", "r"(memory)),
	   "on INSB's port");
	ok(HITS((u64)memory, DR7_WRITE(1), "mov $0x64, %%edx\n\tmov %2, %%rdi", "insb",
		"r"(memory)),
	   "on what INSB writes");
	memory[0] = 0xaa;
	ok(HITS((u64)memory, DR7_ACCESS(1), "mov $0x64, %%edx\n\tmov %2, %%rsi", "outsb",
		"r"(memory)),
	   "on what OUTSB reads");
	ok(!HITS((u64)memory, DR7_WRITE(1), "mov $0x64, %%edx\n\tmov %2, %%rsi", "outsb",
		 "r"(memory)),
	   "not as a write");
	write_cr4(cr4);
}

static void check_data_breakpoints(void)
{
	u64 page = emulated_memory();

	ok(HITS(TPR, DR7_WRITE(4), "", "movl $0x10, (%2)", "r"(TPR)) && apic_read(0x80) == 0x10,
	   "a breakpoint on the local APIC");
	apic_write(0x80, 0);
	ok(HITS(page + 4, DR7_WRITE(4), "", "movl $1, 6(%2)", "r"(page)),
	   "a breakpoint on half of the memory written");
	ok(!HITS(page, DR7_WRITE(4), "", "movl $1, 6(%2)", "r"(page)),
	   "not on the bytes before them");
	ok(HITS(page, DR7_ACCESS(1), "mov %2, %%rdi", "stosb", "r"(page)), "on STOSB");
}

/* ---- Shadows -------------------------------------------------------------------------------- */

static void check_shadows(void)
{
	static u16 selector = 0x18;
	u64 next, count = trap.count;

	apic_send(apic_id(), IPI_VECTOR);
	wait_ticks(1000);
	asm volatile("leaq 8f(%%rip), %0\n\tsti\n\tinb $0x64, %%al\n8:\tnop\n\tcli"
		     : "=&r"(next)
		     :
		     : "rax", "memory");
	ok(trap.count == count + 1 && trap.vector == IPI_VECTOR && trap.rip == next,
	   "STI holds an interrupt off for one instruction, IN");
	count = trap.count;
	apic_send(apic_id(), IPI_VECTOR);
	wait_ticks(1000);
	asm volatile("leaq 8f(%%rip), %0\n\tsti\n\tmov %1, %%ss\n\tcpuid\n8:\tnop\n\tcli"
		     : "=&r"(next)
		     : "r"(0x18)
		     : "rax", "rbx", "rcx", "rdx", "memory");
	ok(trap.count == count + 1 && trap.vector == IPI_VECTOR && trap.rip == next,
	   "STI and MOV SS hold it off until after CPUID");
	ok(HITS((u64)&selector, DR7_ACCESS(2), "", "mov %2, %%ss\n\tcpuid", "m"(selector)),
	   "a breakpoint on what MOV SS reads hits after CPUID");
	ok(HITS((u64)&selector, DR7_ACCESS(2), "", "mov %2, %%ss\n\tinb $0x64, %%al",
		"m"(selector)),
	   "and after IN");
}

void check_steps(void)
{
	asm volatile("mov %0, %%dr7" : : "r"(DR7_NONE));
	check_port_steps();
	check_instruction_steps();
	check_rep_steps();
	check_rep();
	check_faulting_step();
	check_port_breakpoints();
	check_data_breakpoints();
	check_shadows();
}
