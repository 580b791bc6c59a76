/* SPDX-License-Identifier: MIT */
/*
 * Emulation of VM 0's MSRs: the functions that msrs.def names. See msr.h.
 */
#include "vmm/vm0/msr.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "lib/log.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/icr.h"
#include "vmm/vm0/microcode.h"
#include "vmm/x86/cpuid.h"

static const struct msr_row *find_row(u32 msr);
static const char *name_of(u32 msr);

static int hidden(struct vcpu *vcpu, const char *what, u32 msr)
{
	pr_warn_ratelimited("vCPU %u: %s of MSR %x%s at RIP %lx, which Glasshouse hides: #GP to "
			    "the guest",
			    vcpu->id, what, msr, name_of(msr), virt->get_sysreg(vcpu, SYSREG_RIP));
	return -EINVAL;
}

static int refused(struct vcpu *vcpu, const char *what, u32 msr)
{
	pr_warn_ratelimited("vCPU %u: %s of MSR %x%s at RIP %lx, which this CPU refuses: #GP to "
			    "the guest",
			    vcpu->id, what, msr, name_of(msr), virt->get_sysreg(vcpu, SYSREG_RIP));
	return -EINVAL;
}

/* MSRs without a row: those of hidden features. */
static int read_machine(struct vcpu *vcpu, u32 msr, u64 *value)
{
	if (cpuid_hides_msr(vcpu->vm, msr))
		return hidden(vcpu, "RDMSR", msr);
	return rdmsr_safe(msr, value) ? refused(vcpu, "RDMSR", msr) : 0;
}

static int write_machine(struct vcpu *vcpu, u32 msr, u64 value)
{
	if (cpuid_hides_msr(vcpu->vm, msr))
		return hidden(vcpu, "WRMSR", msr);
	return wrmsr_safe(msr, value) ? refused(vcpu, "WRMSR", msr) : 0;
}

/* Paravirtual MSRs, with which a hypervisor below Glasshouse writes to memory. CPUID names none of
 * them to the guest, as its leaves are Glasshouse's. */
static int read_below(struct vcpu *vcpu, u32 msr, u64 *value)
{
	return cpu_is_virtual() ? hidden(vcpu, "RDMSR", msr) : read_machine(vcpu, msr, value);
}

static int write_below(struct vcpu *vcpu, u32 msr, u64 value)
{
	return cpu_is_virtual() ? hidden(vcpu, "WRMSR", msr) : write_machine(vcpu, msr, value);
}

static int refuse_write(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)value;
	return refused(vcpu, "WRMSR", msr);
}

static int read_feature_control(struct vcpu *vcpu, u32 msr, u64 *value)
{
	if (rdmsr_safe(msr, value))
		return refused(vcpu, "RDMSR", msr);
	*value &= ~(FEAT_CTL_VMX_ENABLED_INSIDE_SMX | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
	return 0;
}

/*
 * While the local APIC is off, no kick arrives, but NMIs of its pin do, and they are the guest's.
 * So none may be under way then, nor be sent. A kick that finds .apic_off unset has set .kicked
 * before. SDM: "Enabling or Disabling the Local APIC".
 */
static int set_apic_base(struct vcpu *vcpu, u64 value)
{
	int r;

	if (!(value & APICBASE_ENABLE)) {
		__atomic_store_n(&vcpu->cpu->apic_off, true, __ATOMIC_SEQ_CST);
		vcpu_end_kick(vcpu);
	}
	r = wrmsr_safe(MSR_IA32_APICBASE, value);
	__atomic_store_n(&vcpu->cpu->apic_off, !lapic_is_on(), __ATOMIC_SEQ_CST);
	return r ? -EINVAL : 0;
}

/* Moving the local APIC is refused: the ICR trap and hidden memory depend on its address. */
static int write_apic_base(struct vcpu *vcpu, u32 msr, u64 value)
{
	u64 old = rdmsr(msr);

	if ((value ^ old) & PAGE_MASK & GENMASK(51, 12)) {
		pr_warn_ratelimited("vCPU %u: moving its local APIC to %llx is refused: #GP to the "
				    "guest",
				    vcpu->id, value & PAGE_MASK);
		return -EINVAL;
	}
	if (set_apic_base(vcpu, value))
		return -EINVAL;
	/* A change of its mode resets the local APIC. SDM: "Local APIC State After Power-Up or
	 * Reset". */
	if ((value ^ old) & (APICBASE_ENABLE | APICBASE_EXTD))
		icr_apic_reset(vcpu);
	return 0;
}

static int write_microcode(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)msr;
	return microcode_update(vcpu, value);
}

static int write_xss(struct vcpu *vcpu, u32 msr, u64 value)
{
	if (value & vcpu->vm->cpuid->hidden_xstate)
		return hidden(vcpu, "WRMSR", msr);
	return write_machine(vcpu, msr, value);
}

static int write_pebs_enable(struct vcpu *vcpu, u32 msr, u64 value)
{
	if (value)
		return hidden(vcpu, "WRMSR", msr);
	return write_machine(vcpu, msr, value);
}

/* Nobody but firmware switches XD off. */
static int write_misc_enable(struct vcpu *vcpu, u32 msr, u64 value)
{
	if (value & MISC_ENABLE_XD_DISABLE)
		pr_warn_ratelimited(
			"vCPU %u: the guest switches the execute-disable bit off, which "
			"Glasshouse needs: it stays on",
			vcpu->id);
	return write_machine(vcpu, msr, value & ~MISC_ENABLE_XD_DISABLE);
}

static const struct msr_row {
	u32 first, last;
	int (*read)(struct vcpu *vcpu, u32 msr, u64 *value);
	int (*write)(struct vcpu *vcpu, u32 msr, u64 value);
	const char *name; /* for the log: " (IA32_XSS)", or "" */
} rows[] = {
#define MSR(first, last, read, write, name, why) \
	{first, last, read, write, sizeof(name) > 1 ? " (" name ")" : ""},
#include "vmm/vm0/msrs.def"
#undef MSR
};

static const struct msr_row *find_row(u32 msr)
{
	for (const struct msr_row *row = rows; row < rows + ARRAY_SIZE(rows); row++)
		if (msr >= row->first && msr <= row->last)
			return row;
	return NULL;
}

/* "" for an MSR without a row. */
static const char *name_of(u32 msr)
{
	const struct msr_row *row = find_row(msr);

	return row ? row->name : "";
}

/* All others exit. SDM: "MSR-Bitmap Address". */
static bool may_not_exit(u32 msr)
{
	return msr <= 0x1fff || (msr >= 0xc0000000 && msr <= 0xc0001fff);
}

void vm0_msr_init(struct vm *vm)
{
	for (const struct msr_row *row = rows; row < rows + ARRAY_SIZE(rows); row++)
		for (u32 msr = row->first; msr <= row->last && may_not_exit(msr); msr++) {
			bool hide = cpuid_hides_msr(vm, msr);

			virt->set_msr_intercept(vm, msr, hide || row->read != read_machine,
						hide || row->write != write_machine);
		}
}

int vm0_rdmsr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	const struct msr_row *row = find_row(msr);

	return (row ? row->read : read_machine)(vcpu, msr, value);
}

int vm0_wrmsr(struct vcpu *vcpu, u32 msr, u64 value)
{
	const struct msr_row *row = find_row(msr);

	return (row ? row->write : write_machine)(vcpu, msr, value);
}
