/* SPDX-License-Identifier: MIT */
/*
 * CPUID for the guest.
 */
#include "vmm/cpuid.h"
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "vmm/virt_ops.h"

#define MAX_HIDDEN 32

struct hidden {
	u32 leaf, subleaf;
	enum cpuid_reg reg;
	u32 bit;
	const char *name, *why;
};

static struct hidden hidden[MAX_HIDDEN];
static unsigned nr_hidden;
static u32 hidden_leaves; /* basic leaves below 32 in which something is hidden */

void cpuid_hide(u32 leaf, u32 subleaf, enum cpuid_reg reg, u64 bit, const char *name, const char *why)
{
	struct cpuid_regs r;
	u32 regs[4];

	if (leaf > cpuid(leaf & 0x80000000, 0).eax)
		return;
	r = cpuid(leaf, subleaf);
	regs[CPUID_EAX] = r.eax;
	regs[CPUID_EBX] = r.ebx;
	regs[CPUID_ECX] = r.ecx;
	regs[CPUID_EDX] = r.edx;
	if (!(regs[reg] & bit))
		return;
	BUG_ON(nr_hidden == MAX_HIDDEN);
	hidden[nr_hidden++] = (struct hidden){leaf, subleaf, reg, (u32)bit, name, why};
	if (leaf < 32)
		hidden_leaves |= (u32)BIT(leaf);
}

void cpuid_report(void)
{
	pr_info("Hidden from the guest:");
	for (unsigned i = 0; i < nr_hidden; i++)
		pr_info("%s %s (%s)", i ? "," : "", hidden[i].name, hidden[i].why);
	pr_info("\n");
}

static void hide(u32 leaf, u32 subleaf, u32 regs[4])
{
	for (unsigned i = 0; i < nr_hidden; i++)
		if (hidden[i].leaf == leaf && hidden[i].subleaf == subleaf)
			regs[hidden[i].reg] &= ~hidden[i].bit;
}

/* Bits that mirror CR4 show ours, when it is we who ask. */
static void mirror_cr4(struct vcpu *vcpu, u32 leaf, u32 subleaf, u32 regs[4])
{
	u64 cr4;

	if (leaf == 1) {
		cr4 = virt->get_sysreg(vcpu, SYSREG_CR4);
		regs[CPUID_ECX] &= ~(u32)BIT(27);
		if (cr4 & CR4_OSXSAVE)
			regs[CPUID_ECX] |= (u32)BIT(27);
	} else if (leaf == 7 && subleaf == 0) {
		cr4 = virt->get_sysreg(vcpu, SYSREG_CR4);
		regs[CPUID_ECX] &= ~(u32)BIT(4);
		if (cr4 & CR4_PKE)
			regs[CPUID_ECX] |= (u32)BIT(4);
	}
}

void emulate_cpuid(struct vcpu *vcpu)
{
	u32 leaf = (u32)vcpu->regs[VCPU_RAX], subleaf = (u32)vcpu->regs[VCPU_RCX];
	struct cpuid_regs r;

	if (unlikely(leaf == CPUID_GLASSHOUSE)) {
		r = (struct cpuid_regs){CPUID_GLASSHOUSE, 0x73616c47, 0x756f6873, 0x20206573};
	} else {
		r = cpuid(leaf, subleaf);
		if (leaf >= 32 || hidden_leaves & BIT(leaf) || leaf == 7) {
			u32 regs[4] = {r.eax, r.ebx, r.ecx, r.edx};

			mirror_cr4(vcpu, leaf, subleaf, regs);
			hide(leaf, leaf == 7 || leaf == 0xd ? subleaf : 0, regs);
			r = (struct cpuid_regs){regs[0], regs[1], regs[2], regs[3]};
		}
	}
	vcpu->regs[VCPU_RAX] = r.eax;
	vcpu->regs[VCPU_RBX] = r.ebx;
	vcpu->regs[VCPU_RCX] = r.ecx;
	vcpu->regs[VCPU_RDX] = r.edx;
}
