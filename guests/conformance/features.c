// SPDX-License-Identifier: MIT
/*
 * CPUID, and the instructions that CPUID says are missing. SDM: "CPUID", "VMX Instruction
 * Reference".
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/cpu.h"

#define MUST_UD(cpu, instruction)                     \
	ok(TRY(instruction,                           \
	       :                                      \
	       : "a"(operand), "c"(0ull), "d"(0ull)   \
	       : "r11", "cc", "memory") == UD_VECTOR, \
	   "cpu %u: %.12s is #UD", cpu, instruction)

static void check_vmx_instructions(unsigned cpu)
{
	static u64 memory[2] __aligned(16);
	u64 operand = (u64)memory;

	MUST_UD(cpu, "vmxon (%%rax)");
	MUST_UD(cpu, "vmxoff");
	MUST_UD(cpu, "vmclear (%%rax)");
	MUST_UD(cpu, "vmptrld (%%rax)");
	MUST_UD(cpu, "vmptrst (%%rax)");
	MUST_UD(cpu, "vmread %%rcx, %%rdx");
	MUST_UD(cpu, "vmwrite %%rdx, %%rcx");
	MUST_UD(cpu, "vmlaunch");
	MUST_UD(cpu, "vmresume");
	MUST_UD(cpu, "invept (%%rax), %%rcx");
	MUST_UD(cpu, "invvpid (%%rax), %%rcx");
	MUST_UD(cpu, "vmfunc");
	MUST_UD(cpu, "getsec");
	if (under_hypervisor)
		MUST_UD(cpu, "vmcall");
	else
		skip("no hypervisor", "cpu %u: vmcall is #UD", cpu);
}

void check_features(unsigned cpu)
{
	struct cpuid_regs one = cpuid(1, 0);
	u64 cr4 = read_cr4();

	if (under_hypervisor) {
		ok(!(one.ecx & BIT(5)), "cpu %u: CPUID hides VMX", cpu);
		ok(!!(one.ecx & BIT(31)) == param_number("hypervisor", 0),
		   "cpu %u: CPUID has the hypervisor bit as without Glasshouse", cpu);
		ok(cpuid(0x40000000, 0).eax >= 0x40000000, "cpu %u: leaf 40000000h has a maximum",
		   cpu);
	} else {
		skip("no hypervisor", "cpu %u: CPUID hides VMX", cpu);
		skip("no hypervisor", "cpu %u: CPUID has the hypervisor bit as without Glasshouse",
		     cpu);
		skip("no hypervisor", "cpu %u: leaf 40000000h has a maximum", cpu);
	}
	ok(one.ebx >> 24 == cpu, "cpu %u: CPUID gives this CPU's APIC ID", cpu);
	if (cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx & 0xffff)
		ok(cpuid(0xb, 0).edx == cpu, "cpu %u: leaf Bh gives this CPU's APIC ID", cpu);
	else
		skip("no leaf Bh", "cpu %u: leaf Bh gives this CPU's APIC ID", cpu);

	if (one.ecx & BIT(26)) {
		write_cr4(cr4 | CR4_OSXSAVE);
		ok(cpuid(1, 0).ecx & BIT(27), "cpu %u: CPUID.OSXSAVE is set with CR4's", cpu);
		write_cr4(cr4 & ~CR4_OSXSAVE);
		ok(!(cpuid(1, 0).ecx & BIT(27)), "cpu %u: CPUID.OSXSAVE is clear with CR4's", cpu);
		write_cr4(cr4);
	} else {
		skip("no XSAVE", "cpu %u: CPUID.OSXSAVE is set with CR4's", cpu);
		skip("no XSAVE", "cpu %u: CPUID.OSXSAVE is clear with CR4's", cpu);
	}
	check_vmx_instructions(cpu);
}
