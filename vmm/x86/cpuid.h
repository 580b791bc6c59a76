/* SPDX-License-Identifier: MIT */
/*
 * CPUID for the guest: the CPU's own values, except the bits that a VM hides. SDM: "CPUID—CPU
 * Identification".
 */
#ifndef GH_CPUID_H
#define GH_CPUID_H

#include "arch/x86/cpu.h"
#include "log_ring.h"
#include "mem_range.h"
#include "vmm/vcpu.h"

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

/* The hypervisor's leaves. The first: EBX, ECX, EDX hold its name, and EAX the last of its leaves.
 * The second is LOG_RING_LEAF. The third: see cpuid_exits(). */
#define CPUID_GLASSHOUSE     0x40000000u
#define CPUID_GLASSHOUSE_EBX 0x73616c47u /* "Glasshouse  " */
#define CPUID_GLASSHOUSE_ECX 0x756f6873u
#define CPUID_GLASSHOUSE_EDX 0x20206573u
#define CPUID_EXITS          0x40000002u

/*
 * The CPUID bits that are hidden from a VM's guest. The vendor's vm_init creates it; other code may
 * hide more bits until the VM's first vCPU is created.
 */
#define CPUID_EXTENDED        0x80000000u /* the first extended leaf */
#define CPUID_MAX_HIDDEN      64
#define CPUID_MAX_LEAVES      64 /* from 0 and from 80000000h; more hide nothing */
#define CPUID_MAX_HIDDEN_MSRS 32
#define CPUID_MAX_CHANGES     16

struct cpuid_policy {
	struct cpuid_hidden {
		u32 leaf, subleaf;
		u8 next; /* the next entry of the same leaf, see first[] */
		enum cpuid_reg reg;
		u32 bits;
		bool present; /* the CPU had the feature at boot; a microcode update may add it */
		const char *name, *why;
	} hidden[CPUID_MAX_HIDDEN];
	unsigned nr_hidden;
	/* Of each leaf, basic and extended: its first entry in hidden[], + 1; 0: none. */
	u8 first[2][CPUID_MAX_LEAVES];
	u32 last[2];      /* the last leaf, basic and extended, at boot */
	u32 plain_leaves; /* basic leaves below 32 that are passed through unchanged */

	/* What belongs to these features beside CPUID: #GP to the guest. */
	u64 hidden_cr4, hidden_xstate; /* bits of CR4; of XCR0 and IA32_XSS */
	struct {
		u32 first, last, step;
	} hidden_msrs[CPUID_MAX_HIDDEN_MSRS];
	unsigned nr_hidden_msrs;

	/* What somebody at the monitor has changed: see cpuid_change(). */
	struct cpuid_changed {
		u32 leaf, subleaf;
		enum cpuid_reg reg;
		u32 bits, values;
	} changed[CPUID_MAX_CHANGES];
	unsigned nr_changed;

	/* What LOG_RING_LEAF names: LOG_RINGS ranges, of size 0 where there is no log; or NULL. */
	const struct mem_range *logs;
};

/* Give @vm a policy that hides nothing. Returns 0, or -ENOMEM when there is no free page. */
int cpuid_policy_init(struct vm *vm);

/*
 * Hide @bits (a 32-bit mask) of @reg in (@leaf, @subleaf) from the guest of @vm: they read as 0,
 * even if a microcode update adds them later. @subleaf 0 stands for all subleaves of a leaf, except
 * of 7, Dh and 23h. @name, @why: the feature and the reason, for cpuid_report(); both must stay
 * valid. A VM holds CPUID_MAX_HIDDEN entries; one more is a panic.
 */
void cpuid_hide(struct vm *vm, u32 leaf, u32 subleaf, enum cpuid_reg reg, u64 bits,
		const char *name, const char *why);

/*
 * While vCPUs run: answer @bits of @reg in (@leaf, @subleaf) with ones if @on, else with zeros,
 * from now on. Subleaves: as for cpuid_hide(). Returns 0, or -ENOSPC after CPUID_MAX_CHANGES
 * changes. cpuid_forget_changes(): answer again as at the start; before the next cpuid_change()
 * each vCPU must have left the exit that it handles now, in which it may still read the old
 * changes.
 */
int cpuid_change(struct vm *vm, u32 leaf, u32 subleaf, enum cpuid_reg reg, u64 bits, bool on);
void cpuid_forget_changes(struct vm *vm);

/*
 * Hide the MSRs @first, @first + @step, ... @last from the guest of @vm: they exit, and the guest
 * gets #GP. A VM holds CPUID_MAX_HIDDEN_MSRS entries; one more is a panic.
 */
void cpuid_hide_msrs(struct vm *vm, u32 first, u32 last, u32 step);

/* Is @msr one of these? */
bool cpuid_hides_msr(const struct vm *vm, u32 msr);

/* Log the features that the CPU has and that are hidden from the guest of @vm, as one line. */
void cpuid_report(const struct vm *vm);

/* Does the answer of @leaf depend on ECX? Of these leaves each subleaf has its own hidden bits. */
static inline bool cpuid_has_subleaves(u32 leaf)
{
	return leaf == 7 || leaf == 0xd || leaf == 0x23;
}

/* Clear what @p hides of the CPU's answer @regs for (@leaf, @subleaf), indexed by enum cpuid_reg.
 * (cpuid_mask.c) */
void cpuid_mask(const struct cpuid_policy *p, u32 leaf, u32 subleaf, u32 regs[4]);

/* Answer CPUID_EXITS: EBX:EAX becomes the number of exits of all vCPUs of @vm for the basic exit
 * reason @reason, 0 for one that does not exist; ECX the number of vCPUs, EDX 0. (cpuid_exits.c) */
void cpuid_exits(const struct vm *vm, u32 reason, u32 regs[4]);

/* Is the leaf in the guest's EAX passed through unchanged? */
static inline bool cpuid_is_plain(const struct vcpu *vcpu)
{
	u32 leaf = (u32)vcpu->regs[VCPU_RAX];

	return leaf < 32 && vcpu->cpuid_plain >> leaf & 1;
}

/*
 * Emulate CPUID for such a leaf: reads EAX and ECX of @vcpu, writes RAX, RBX, RCX and RDX. The
 * caller skips the instruction.
 */
static inline void emulate_cpuid_plain(struct vcpu *vcpu)
{
	u64 rax, rbx, rcx, rdx;

	/* CPUID clears the upper halves of the registers. */
	asm volatile("cpuid"
		     : "=a"(rax), "=b"(rbx), "=c"(rcx), "=d"(rdx)
		     : "a"(vcpu->regs[VCPU_RAX]), "c"(vcpu->regs[VCPU_RCX]));
	vcpu->regs[VCPU_RAX] = rax;
	vcpu->regs[VCPU_RBX] = rbx;
	vcpu->regs[VCPU_RCX] = rcx;
	vcpu->regs[VCPU_RDX] = rdx;
}

/* Emulate CPUID for the other leaves, in the same way. */
void emulate_cpuid_masked(struct vcpu *vcpu);

#endif
