/* SPDX-License-Identifier: MIT */
/*
 * Emulate CPUID: the CPU's own values, with the hidden bits cleared.
 */
#include "vmm/x86/cpuid.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/string.h"
#include "vmm/recorder_text.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

/* The CPU's own values, indexed by enum cpuid_reg. */
static void host_cpuid(u32 leaf, u32 subleaf, u32 regs[4])
{
	struct cpuid_regs r = cpuid(leaf, subleaf);

	regs[CPUID_EAX] = r.eax;
	regs[CPUID_EBX] = r.ebx;
	regs[CPUID_ECX] = r.ecx;
	regs[CPUID_EDX] = r.edx;
}

/* The last leaf of the kind of @leaf, basic or extended. */
static u32 last_leaf(u32 leaf)
{
	return cpuid(leaf & CPUID_EXTENDED, 0).eax;
}

int cpuid_policy_init(struct vm *vm)
{
	struct cpuid_policy *p = vm->cpuid = page_alloc();

	if (!p)
		return -ENOMEM;
	p->last[0] = last_leaf(0);
	p->last[1] = last_leaf(CPUID_EXTENDED);
	/* Leaves 1 and 7 have bits that mirror the guest's CR4. For those beyond the last, see
	 * answered_leaf(). */
	p->plain_leaves = (u32)(GENMASK(MIN(p->last[0], 31), 0) & ~(BIT(1) | BIT(7)));
	return 0;
}

void cpuid_hide(struct vm *vm, u32 leaf, u32 subleaf, enum cpuid_reg reg, u64 bits,
		const char *name, const char *why)
{
	struct cpuid_policy *p = vm->cpuid;
	bool present = false;
	u32 regs[4];
	u8 *first;

	if (leaf <= last_leaf(leaf)) {
		host_cpuid(leaf, subleaf, regs);
		present = regs[reg] & bits;
	}
	BUG_ON(p->nr_hidden == CPUID_MAX_HIDDEN);
	BUG_ON((leaf & ~CPUID_EXTENDED) >= CPUID_MAX_LEAVES);
	first = &p->first[leaf >> 31][leaf & ~CPUID_EXTENDED];
	p->hidden[p->nr_hidden] =
		(struct cpuid_hidden){leaf, subleaf, *first, reg, (u32)bits, present, name, why};
	*first = (u8)++p->nr_hidden;
	if (leaf < 32)
		p->plain_leaves &= ~(u32)BIT(leaf);
}

void cpuid_hide_msrs(struct vm *vm, u32 first, u32 last, u32 step)
{
	struct cpuid_policy *p = vm->cpuid;
	unsigned n = p->nr_hidden_msrs++;

	BUG_ON(n == CPUID_MAX_HIDDEN_MSRS);
	p->hidden_msrs[n].first = first;
	p->hidden_msrs[n].last = last;
	p->hidden_msrs[n].step = step;
	for (u32 msr = first; msr <= last; msr += step)
		virt->set_msr_intercept(vm, msr, true, true);
}

bool cpuid_hides_msr(const struct vm *vm, u32 msr)
{
	const struct cpuid_policy *p = vm->cpuid;

	for (unsigned i = 0; i < p->nr_hidden_msrs; i++)
		if (msr >= p->hidden_msrs[i].first && msr <= p->hidden_msrs[i].last &&
		    (msr - p->hidden_msrs[i].first) % p->hidden_msrs[i].step == 0)
			return true;
	return false;
}

/* A feature's bits follow one another. */
void cpuid_report(const struct vm *vm)
{
	const struct cpuid_policy *p = vm->cpuid;
	const char *last = NULL;

	pr_info("Hidden from the guest:");
	for (unsigned i = 0; i < p->nr_hidden; i++) {
		if (!p->hidden[i].present || p->hidden[i].name == last)
			continue;
		pr_info("%s %s (%s)", last ? "," : "", p->hidden[i].name, p->hidden[i].why);
		last = p->hidden[i].name;
	}
	pr_info("\n");
}

/*
 * The leaf whose values @regs are, which the CPU gives for @leaf. Beyond the last leaf, basic or
 * extended, it gives those of the last basic one. The values are compared, because a hypervisor
 * below may do otherwise, and because a microcode update may have added leaves. SDM: "CPUID—CPU
 * Identification".
 * The leaves of a hypervisor below are not for the guest, which has none of its MSRs either: @regs
 * becomes what a CPU answers.
 */
static u32 answered_leaf(u32 leaf, u32 subleaf, u32 regs[4])
{
	u32 last = last_leaf(0), regs_of_last[4];

	if (leaf <= last_leaf(leaf))
		return leaf;
	host_cpuid(last, subleaf, regs_of_last);
	if (leaf >> 28 == CPUID_GLASSHOUSE >> 28 && cpu_is_virtual())
		memcpy(regs, regs_of_last, sizeof(regs_of_last));
	return memcmp(regs, regs_of_last, sizeof(regs_of_last)) ? leaf : last;
}

/*
 * Some bits mirror CR4 or the mode of the CPU. CPUID in root mode returns Glasshouse's own state,
 * so set them from the guest's.
 */
static void mirror_mode(struct vcpu *vcpu, u32 leaf, u32 subleaf, u32 regs[4])
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
	} else if (leaf == 0x80000001 && guest_mode(vcpu) != INSN_64) {
		regs[CPUID_EDX] &= ~(u32)BIT(11); /* SYSCALL */
	}
}

int cpuid_change(struct vm *vm, u32 leaf, u32 subleaf, enum cpuid_reg reg, u64 bits, bool on)
{
	struct cpuid_policy *p = vm->cpuid;

	if (p->nr_changed == CPUID_MAX_CHANGES)
		return -ENOSPC;
	p->changed[p->nr_changed] =
		(struct cpuid_changed){leaf, subleaf, reg, (u32)bits, on ? (u32)bits : 0};
	__atomic_store_n(&p->nr_changed, p->nr_changed + 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; leaf < 32 && i < vm->nr_vcpus; i++)
		__atomic_and_fetch(&vm->vcpus[i]->cpuid_plain, ~(u32)BIT(leaf), __ATOMIC_RELEASE);
	return 0;
}

void cpuid_forget_changes(struct vm *vm)
{
	__atomic_store_n(&vm->cpuid->nr_changed, 0, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		__atomic_store_n(&vm->vcpus[i]->cpuid_plain, vm->cpuid->plain_leaves,
				 __ATOMIC_RELEASE);
}

static void change(const struct cpuid_policy *p, u32 leaf, u32 subleaf, u32 regs[4])
{
	unsigned nr = __atomic_load_n(&p->nr_changed, __ATOMIC_ACQUIRE);

	if (!cpuid_has_subleaves(leaf))
		subleaf = 0;
	for (const struct cpuid_changed *c = p->changed; c < p->changed + nr; c++)
		if (c->leaf == leaf && c->subleaf == subleaf)
			regs[c->reg] = (regs[c->reg] & ~c->bits) | c->values;
}

/* Glasshouse's name. */
static void name_leaf(u32 regs[4])
{
	regs[CPUID_EAX] = CPUID_EXITS;
	regs[CPUID_EBX] = CPUID_GLASSHOUSE_EBX;
	regs[CPUID_ECX] = CPUID_GLASSHOUSE_ECX;
	regs[CPUID_EDX] = CPUID_GLASSHOUSE_EDX;
}

/* See include/log_ring.h. (No memset(): a call with @regs makes the loop in cpuid_mask() slower.)
 */
static void log_leaf(const struct mem_range *logs, u32 which, u32 regs[4])
{
	struct mem_range log = {0};

	if (logs && which < LOG_RINGS)
		log = logs[which];
	regs[CPUID_EAX] = (u32)log.base;
	regs[CPUID_EBX] = (u32)(log.base >> 32);
	regs[CPUID_ECX] = (u32)log.size;
	regs[CPUID_EDX] = 0;
}

/* Glasshouse's own leaves, from CPUID_GLASSHOUSE to CPUID_EXITS. */
static __noinline void own_leaf(const struct vm *vm, u32 leaf, u32 subleaf, u32 regs[4])
{
	if (leaf == CPUID_GLASSHOUSE) {
		name_leaf(regs);
	} else if (leaf == CPUID_EXITS) {
		cpuid_exits(vm, subleaf, regs);
	} else {
		if (subleaf == LOG_RING_TRACE)
			recorder_publish(vm);
		log_leaf(vm->cpuid->logs, subleaf, regs);
	}
}

void emulate_cpuid_masked(struct vcpu *vcpu)
{
	u32 leaf = (u32)vcpu->regs[VCPU_RAX], subleaf = (u32)vcpu->regs[VCPU_RCX];
	u32 regs[4];

	if (unlikely(leaf >= CPUID_GLASSHOUSE && leaf <= CPUID_EXITS)) {
		own_leaf(vcpu->vm, leaf, subleaf, regs);
	} else {
		host_cpuid(leaf, subleaf, regs);
		if (unlikely(leaf > vcpu->vm->cpuid->last[leaf >> 31]))
			leaf = answered_leaf(leaf, subleaf, regs);
		mirror_mode(vcpu, leaf, subleaf, regs);
		cpuid_mask(vcpu->vm->cpuid, leaf, subleaf, regs);
	}
	if (unlikely(vcpu->vm->cpuid->nr_changed))
		change(vcpu->vm->cpuid, leaf, subleaf, regs);
	vcpu->regs[VCPU_RAX] = regs[CPUID_EAX];
	vcpu->regs[VCPU_RBX] = regs[CPUID_EBX];
	vcpu->regs[VCPU_RCX] = regs[CPUID_ECX];
	vcpu->regs[VCPU_RDX] = regs[CPUID_EDX];
}
