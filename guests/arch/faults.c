// SPDX-License-Identifier: MIT
/*
 * Faults of instructions that cause VM exits, in 64-bit mode. SDM: "RFLAGS Image Saved by
 * Exceptions" and the pages of the instructions.
 */
#include "guests/arch/arch.h"

#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"

static void check_resume_flag(void)
{
	TRY("rdmsr", : : "c"(0x2fff) : "r11", "rax", "rdx", "memory");
	ok(trap.vector == GP_VECTOR && trap.error == 0,
	   "RDMSR of an MSR that does not exist is #GP(0)");
	ok(trap.rflags & RFLAGS_RF, "RFLAGS.RF is set in the RFLAGS that it pushes");
	TRY("mov %0, %%cr4", : : "r"(read_cr4() | BIT(63)) : "r11", "memory");
	ok(trap.vector == GP_VECTOR && trap.rflags & RFLAGS_RF, "as in #GP of MOV CR4");
	TRY("cpuid; ud2", : : : "r11", "rax", "rbx", "rcx", "rdx", "memory");
	ok(trap.vector == UD_VECTOR && trap.rflags & RFLAGS_RF, "as in #UD of UD2 after CPUID");
}

void check_faults(void)
{
	check_resume_flag();
	ok(TRY("mov %0, %%cr4",
	       :
	       : "r"(read_cr4() | CR4_SMXE)
	       : "r11", "memory") == GP_VECTOR ||
		   !under_glasshouse(),
	   "CR4.SMXE is #GP under Glasshouse");
}
