// SPDX-License-Identifier: MIT
/*
 * Exceptions, single steps, interrupts and NMIs, at instructions that a hypervisor emulates.
 * SDM: "Interrupt and Exception Handling", "Debug Exceptions", "Advanced Programmable Interrupt
 * Controller (APIC)".
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"

static void check_exceptions(unsigned cpu)
{
	u64 non_canonical = 0x8000000000000000;

	ok(TRY("ud2", : : : "r11", "memory") == UD_VECTOR, "cpu %u: UD2 is #UD", cpu);
	ok(TRY("divl %%ecx",
	       :
	       : "a"(1), "d"(0), "c"(0)
	       : "r11", "cc", "memory") == DE_VECTOR,
	   "cpu %u: a division by 0 is #DE", cpu);
	ok(TRY("mov (%0), %%rax",
	       :
	       : "r"(non_canonical)
	       : "r11", "rax", "memory") == GP_VECTOR &&
		   trap.error == 0,
	   "cpu %u: a non-canonical address is #GP(0)", cpu);
	ok(TRY("mov %w0, %%fs",
	       :
	       : "r"(0x58)
	       : "r11", "memory") == GP_VECTOR &&
		   trap.error == 0x58,
	   "cpu %u: a selector beyond the GDT is #GP(selector)", cpu);
	ok(TRY("int3", : : : "r11", "memory") == BP_VECTOR, "cpu %u: INT3 is #BP", cpu);
}

static void check_single_steps(unsigned cpu)
{
	u64 next, count;

	ok(STEPS("", "nop"), "cpu %u: a step over NOP", cpu);
	ok(STEPS("", "cpuid"), "cpu %u: a step over CPUID", cpu);
	ok(STEPS("", "mov $0x1b, %%ecx\n\trdmsr") == false && trap.vector == DB_VECTOR,
	   "cpu %u: of two instructions, a step ends after the first", cpu);
	ok(STEPS("", "mov %%ss, %%eax") && STEPS("", "mov %1, %%ss\n\tcpuid", "r"(0x18)),
	   "cpu %u: a step over CPUID after MOV SS", cpu);
	count = trap.count;
	if (TRY("rdmsr", : : "c"(MSR_IA32_FEAT_CTL) : "r11", "rax", "rdx", "memory") == NO_TRAP)
		ok(STEPS("mov %1, %%ecx", "rdmsr", "i"(MSR_IA32_FEAT_CTL)),
		   "cpu %u: a step over RDMSR", cpu);
	else
		skip("no such MSR", "cpu %u: a step over RDMSR", cpu);

	/* A breakpoint on the instruction after CPUID. */
	count = trap.count;
	asm volatile(
		"leaq 8f(%%rip), %0\n\tmov %0, %%dr0\n\tmov $0x402, %%eax\n\tmov %%rax, %%dr7\n\t"
		"xor %%eax, %%eax\n\tcpuid\n8:\tnop\n\tmov $0x400, %%eax\n\tmov %%rax, %%dr7"
		: "=&r"(next)
		:
		: "rax", "rbx", "rcx", "rdx", "cc", "memory");
	ok(trap.count == count + 1 && trap.vector == DB_VECTOR && trap.rip == next &&
		   trap.dr6 & DR6_B0,
	   "cpu %u: a breakpoint after CPUID", cpu);
}

static void check_interrupts(unsigned cpu)
{
	u64 next, count = trap.count;

	asm volatile("cli");
	apic_send(apic_id(), IPI_VECTOR);
	wait_ticks(1000);
	ok(trap.count == count, "cpu %u: an interrupt waits while IF is 0", cpu);
	asm volatile("leaq 8f(%%rip), %0\n\txor %%eax, %%eax\n\tsti\n\tcpuid\n8:\tnop\n\tnop\n\tcli"
		     : "=&r"(next)
		     :
		     : "rax", "rbx", "rcx", "rdx", "cc", "memory");
	ok(trap.count == count + 1 && trap.vector == IPI_VECTOR, "cpu %u: and comes when it is 1",
	   cpu);
	ok(trap.rip == next, "cpu %u: STI holds it off for one instruction, CPUID", cpu);

	count = trap.count;
	apic_write(0x3e0, 0xb);          /* timer: divide by 1, */
	apic_write(0x320, TIMER_VECTOR); /* one-shot, */
	apic_write(0x380, 20000);        /* initial count */
	asm volatile("sti; hlt; cli" : : : "memory");
	ok(trap.count == count + 1 && trap.vector == TIMER_VECTOR,
	   "cpu %u: the APIC's timer wakes it from HLT", cpu);
}

static void check_nmi(unsigned cpu)
{
	u64 nmis = trap.nmis;

	if (param("nmi")) {
		skip("the machine loses NMIs", "cpu %u: an NMI to itself arrives", cpu);
		skip("the machine loses NMIs", "cpu %u: one sent while it is handled arrives too",
		     cpu);
		skip("the machine loses NMIs", "cpu %u: but not before the first one's IRET", cpu);
		skip("the machine loses NMIs", "cpu %u: 20 NMIs among CPUIDs arrive", cpu);
		return;
	}
	apic_send(apic_id(), ICR_NMI);
	wait_ticks(1000);
	ok(trap.nmis == nmis + 1, "cpu %u: an NMI to itself arrives", cpu);
	trap.nmi_depth_max = 0;
	nmi_again = true;
	apic_send(apic_id(), ICR_NMI);
	wait_ticks(1000);
	ok(trap.nmis == nmis + 3, "cpu %u: one sent while it is handled arrives too", cpu);
	ok(trap.nmi_depth_max == 1, "cpu %u: but not before the first one's IRET", cpu);

	/* NMIs that arrive while the CPU is mostly in the hypervisor. */
	nmis = trap.nmis;
	for (u32 i = 0; i < 20; i++) {
		apic_send(apic_id(), ICR_NMI);
		cpuid(0, 0);
		cpuid(1, 0);
		wait_ticks(100);
	}
	ok(trap.nmis == nmis + 20, "cpu %u: 20 NMIs among CPUIDs arrive", cpu);
}

void check_events(unsigned cpu)
{
	check_exceptions(cpu);
	check_single_steps(cpu);
	check_interrupts(cpu);
	check_nmi(cpu);
}
