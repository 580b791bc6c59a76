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
 * What a VM's guest does not see of the CPU's CPUID. Made by the vendor's vm_init; others may hide
 * more before the VM's first vCPU is created.
 */
#define CPUID_MAX_HIDDEN 48

struct cpuid_policy {
	struct cpuid_hidden {
		u32 leaf, subleaf;
		enum cpuid_reg reg;
		u32 bits;
		const char *name, *why;
	} hidden[CPUID_MAX_HIDDEN];
	unsigned nr_hidden;
	u32 plain_leaves; /* basic leaves below 32 that the guest gets as the CPU answers them */
};

/* Give @vm a policy that hides nothing. Returns 0 or -ENOMEM. */
int cpuid_policy_init(struct vm *vm);

/*
 * Hide @bits (a mask) of @reg in (@leaf, @subleaf) from the guest of @vm: they read as 0. Bits that
 * the CPU itself does not set are not counted as hidden. @name, @why: for cpuid_report(). At most
 * CPUID_MAX_HIDDEN times.
 */
void cpuid_hide(struct vm *vm, u32 leaf, u32 subleaf, enum cpuid_reg reg, u64 bits,
		const char *name, const char *why);

/* Print what is hidden from the guest of @vm, a line or two. */
void cpuid_report(const struct vm *vm);

/* Does the guest get the leaf in its EAX as the CPU answers it? */
static inline bool cpuid_is_plain(const struct vcpu *vcpu)
{
	u32 leaf = (u32)vcpu->regs[VCPU_RAX];

	return leaf < 32 && vcpu->cpuid_plain >> leaf & 1;
}

/* Emulate CPUID for such a leaf: EAX and ECX in, EAX to EDX out. Does not skip the instruction. */
static inline void emulate_cpuid_plain(struct vcpu *vcpu)
{
	u64 rax, rbx, rcx, rdx;

	/* CPUID clears the upper halves itself. */
	asm volatile("cpuid"
		     : "=a"(rax), "=b"(rbx), "=c"(rcx), "=d"(rdx)
		     : "a"(vcpu->regs[VCPU_RAX]), "c"(vcpu->regs[VCPU_RCX]));
	vcpu->regs[VCPU_RAX] = rax;
	vcpu->regs[VCPU_RBX] = rbx;
	vcpu->regs[VCPU_RCX] = rcx;
	vcpu->regs[VCPU_RDX] = rdx;
}

/* Emulate CPUID for the other leaves. Does not skip the instruction. */
void emulate_cpuid_masked(struct vcpu *vcpu);

#endif
