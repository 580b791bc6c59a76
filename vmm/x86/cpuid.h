/* SPDX-License-Identifier: MIT */
/*
 * CPUID as the guest sees it: the CPU's own answer, less what is hidden.
 */
#ifndef GH_CPUID_H
#define GH_CPUID_H

#include "arch/x86/cpu.h"
#include "vmm/vcpu.h"

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

/* The leaf that says who we are: "Glasshouse  " in EBX, ECX, EDX. */
#define CPUID_GLASSHOUSE 0x40000000u

/*
 * From now on, @bit (a mask) of @reg in (@leaf, @subleaf) is 0 for guests. What the CPU does not
 * have is not counted as hidden. @name, @why: for cpuid_report(). At most 32 of them.
 */
void cpuid_hide(u32 leaf, u32 subleaf, enum cpuid_reg reg, u64 bit, const char *name,
		const char *why);

/* Print what is hidden, a line or two. */
void cpuid_report(void);

extern u32 cpuid_plain_leaves; /* basic leaves below 32 that the guest gets as they are */

/* The other leaves. */
void emulate_cpuid_masked(struct vcpu *vcpu);

/* Carry out CPUID for the guest: EAX and ECX in, EAX to EDX out. Does not skip the instruction. */
static inline void emulate_cpuid(struct vcpu *vcpu)
{
	u32 leaf = (u32)vcpu->regs[VCPU_RAX];
	u64 rax, rbx, rcx, rdx;

	if (unlikely(leaf >= 32 || !(cpuid_plain_leaves >> leaf & 1))) {
		emulate_cpuid_masked(vcpu);
		return;
	}
	/* CPUID clears the upper halves itself. */
	asm volatile("cpuid"
		     : "=a"(rax), "=b"(rbx), "=c"(rcx), "=d"(rdx)
		     : "a"(leaf), "c"(vcpu->regs[VCPU_RCX]));
	vcpu->regs[VCPU_RAX] = rax;
	vcpu->regs[VCPU_RBX] = rbx;
	vcpu->regs[VCPU_RCX] = rcx;
	vcpu->regs[VCPU_RDX] = rdx;
}

#endif
