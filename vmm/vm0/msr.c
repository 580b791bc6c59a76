/* SPDX-License-Identifier: MIT */
/*
 * Emulation of VM 0's MSRs: the functions that msrs.def names. See msr.h.
 */
#include "vmm/vm0/msr.h"
#include "arch/x86/msr.h"
#include "lib/log.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/icr.h"

static int hidden(struct vcpu *vcpu, const char *what, u32 msr)
{
	pr_warn_ratelimited("vCPU %u: %s of MSR %x at RIP %lx, which Glasshouse hides: #GP to the "
			    "guest",
			    vcpu->id, what, msr, virt->get_sysreg(vcpu, SYSREG_RIP));
	return -EINVAL;
}

static int refused(struct vcpu *vcpu, const char *what, u32 msr)
{
	pr_warn_ratelimited("vCPU %u: %s of MSR %x at RIP %lx, which this CPU refuses: #GP to the "
			    "guest",
			    vcpu->id, what, msr, virt->get_sysreg(vcpu, SYSREG_RIP));
	return -EINVAL;
}

static int read_machine(struct vcpu *vcpu, u32 msr, u64 *value)
{
	return rdmsr_safe(msr, value) ? refused(vcpu, "RDMSR", msr) : 0;
}

static int write_machine(struct vcpu *vcpu, u32 msr, u64 value)
{
	return wrmsr_safe(msr, value) ? refused(vcpu, "WRMSR", msr) : 0;
}

static int hidden_read(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)value;
	return hidden(vcpu, "RDMSR", msr);
}

static int hidden_write(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)value;
	return hidden(vcpu, "WRMSR", msr);
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
	if (wrmsr_safe(msr, value))
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
	(void)value;
	pr_warn_ratelimited(
		"vCPU %u: microcode update by the guest refused: update the firmware instead",
		vcpu->id);
	return 0;
}

static int write_xss(struct vcpu *vcpu, u32 msr, u64 value)
{
	if (value & XSTATE_PT)
		return hidden_write(vcpu, msr, value);
	return write_machine(vcpu, msr, value);
}

static int write_pebs_enable(struct vcpu *vcpu, u32 msr, u64 value)
{
	if (value)
		return hidden_write(vcpu, msr, value);
	return write_machine(vcpu, msr, value);
}

static const struct msr_row {
	u32 first, last;
	int (*read)(struct vcpu *vcpu, u32 msr, u64 *value);
	int (*write)(struct vcpu *vcpu, u32 msr, u64 value);
} rows[] = {
#define MSR(first, last, read, write, name, why) {first, last, read, write},
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

void vm0_msr_init(struct vm *vm)
{
	for (const struct msr_row *row = rows; row < rows + ARRAY_SIZE(rows); row++)
		for (u32 msr = row->first; msr <= row->last; msr++)
			virt->set_msr_intercept(vm, msr, row->read != read_machine,
						row->write != write_machine);
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
