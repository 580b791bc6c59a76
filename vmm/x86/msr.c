/* SPDX-License-Identifier: MIT */
/*
 * RDMSR, WRMSR and XSETBV for the guest.
 */
#include "vmm/x86/msr.h"
#include "arch/x86/msr.h"
#include "lib/log.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/vm0/icr.h"
#include "vmm/virt_ops.h"

/* The guest has not got these: they belong to what CPUID hides (see vmm/vmx/vmx.c). What makes the
 * CPU write to memory, which does not stop, or not ask the EPT, is among them. */
static const struct {
	u32 first, last;
} absent[] = {
	{MSR_IA32_VMX_BASIC, MSR_IA32_VMX_EXIT_CTLS2},
	{MSR_IA32_SMM_MONITOR_CTL, MSR_IA32_SMM_MONITOR_CTL},
	{MSR_IA32_RTIT_OUTPUT_BASE, MSR_IA32_RTIT_OUTPUT_MASK_PTRS},
	{MSR_IA32_RTIT_CTL, MSR_IA32_RTIT_CR3_MATCH},
	{MSR_IA32_RTIT_ADDR0_A, MSR_IA32_RTIT_ADDR3_B},
	{MSR_IA32_DS_AREA, MSR_IA32_DS_AREA},
	{MSR_IA32_HW_FEEDBACK_PTR, MSR_IA32_HW_FEEDBACK_CONFIG},
	{MSR_IA32_THREAD_FEEDBACK_CHAR, MSR_IA32_THREAD_FEEDBACK_CHAR},
	{MSR_IA32_HW_FEEDBACK_THREAD_CONFIG, MSR_IA32_HW_FEEDBACK_THREAD_CONFIG},
};

void msr_init_intercepts(struct vm *vm)
{
	virt->set_msr_intercept(vm, MSR_IA32_FEAT_CTL, true, true);
	virt->set_msr_intercept(vm, MSR_IA32_UCODE_WRITE, false, true);
	virt->set_msr_intercept(vm, MSR_IA32_APICBASE, false, true);
	virt->set_msr_intercept(vm, MSR_IA32_PEBS_ENABLE, false, true);
	virt->set_msr_intercept(vm, MSR_IA32_XSS, false, true);
	for (unsigned i = 0; i < ARRAY_SIZE(absent); i++)
		for (u32 msr = absent[i].first; msr <= absent[i].last; msr++)
			virt->set_msr_intercept(vm, msr, true, true);
}

static bool is_absent(u32 msr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(absent); i++)
		if (msr >= absent[i].first && msr <= absent[i].last)
			return true;
	return false;
}

static int hidden_msr(struct vcpu *vcpu, const char *what, u32 msr)
{
	pr_warn_ratelimited("vCPU %u: %s of MSR %x at RIP %lx, which Glasshouse hides: #GP to the "
			    "guest",
			    vcpu->id, what, msr, virt->get_sysreg(vcpu, SYSREG_RIP));
	return -EINVAL;
}

static int no_msr(struct vcpu *vcpu, const char *what, u32 msr)
{
	pr_warn_ratelimited("vCPU %u: %s of MSR %x at RIP %lx, which this CPU refuses: #GP to the "
			    "guest",
			    vcpu->id, what, msr, virt->get_sysreg(vcpu, SYSREG_RIP));
	return -EINVAL;
}

int emulate_rdmsr(struct vcpu *vcpu)
{
	u32 msr = (u32)vcpu->regs[VCPU_RCX];
	u64 value;

	if (rdmsr_safe(msr, &value))
		return no_msr(vcpu, "RDMSR", msr);
	/* Locked, and without VMX: as on a machine where it is off in the firmware. */
	if (msr == MSR_IA32_FEAT_CTL)
		value &= ~(FEAT_CTL_VMX_ENABLED_INSIDE_SMX | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
	else if (is_absent(msr))
		return hidden_msr(vcpu, "RDMSR", msr);
	vcpu->regs[VCPU_RAX] = (u32)value;
	vcpu->regs[VCPU_RDX] = value >> 32;
	return 0;
}

/* A local APIC that moves would take the place of other memory: ours, at worst. No OS moves it. */
static int write_apic_base(struct vcpu *vcpu, u64 value)
{
	u64 old = rdmsr(MSR_IA32_APICBASE);

	if ((value ^ old) & PAGE_MASK & GENMASK(51, 12)) {
		pr_warn_ratelimited("vCPU %u: its local APIC is to move to %llx, which is refused: "
				    "#GP to the guest",
				    vcpu->id, value & PAGE_MASK);
		return -EINVAL;
	}
	return wrmsr_safe(MSR_IA32_APICBASE, value) ? -EINVAL : 0;
}

int emulate_wrmsr(struct vcpu *vcpu)
{
	u32 msr = (u32)vcpu->regs[VCPU_RCX];
	u64 value = (u64)(u32)vcpu->regs[VCPU_RDX] << 32 | (u32)vcpu->regs[VCPU_RAX];

	switch (msr) {
	case MSR_IA32_FEAT_CTL: /* locked */
		return no_msr(vcpu, "WRMSR", msr);
	case MSR_IA32_UCODE_WRITE:
		/* It would run with the guest's address in our page tables. */
		pr_warn_ratelimited(
			"vCPU %u: microcode update by the guest refused: load it from the firmware",
			vcpu->id);
		return 0;
	case MSR_IA32_APICBASE:
		return write_apic_base(vcpu, value);
	case MSR_IA32_PEBS_ENABLE:
		/* The CPU writes its records while we run, too: by our page tables. */
		if (value)
			return hidden_msr(vcpu, "WRMSR", msr);
		break;
	case MSR_IA32_XSS:
		/* XRSTORS would write the MSRs of Intel PT, without an exit. */
		if (value & XSTATE_PT)
			return hidden_msr(vcpu, "WRMSR", msr);
		break;
	case MSR_X2APIC_ICR:
		return icr_write_x2apic(vcpu, value);
	default:
		if (is_absent(msr))
			return hidden_msr(vcpu, "WRMSR", msr);
		break;
	}
	return wrmsr_safe(msr, value) ? no_msr(vcpu, "WRMSR", msr) : 0;
}

/* The CPU checks the value as the SDM says ("XSETBV—Set Extended Control Register"): we let it. Not
 * all exit only after the check of the privilege. */
int emulate_xsetbv(struct vcpu *vcpu)
{
	u64 value = (u64)(u32)vcpu->regs[VCPU_RDX] << 32 | (u32)vcpu->regs[VCPU_RAX];

	if (guest_cpl(vcpu))
		return -EINVAL;
	return xsetbv_safe((u32)vcpu->regs[VCPU_RCX], value) ? -EINVAL : 0;
}
