/* SPDX-License-Identifier: MIT */
/*
 * The guest's registers in the VMCS: reading, writing, reset.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "errno.h"
#include "lib/string.h"
#include "vmm/debug_registers.h"
#include "vmm/vmx/vmx.h"
#include "vmm/x86/guest_mem.h"

#define S_CET_SH_STK_EN BIT(0)
#define PKRS_KEY0_AD    BIT(0)
#define STI_TRIES       4u /* retries in the shadow of an STI before the shadow is ignored */

static const struct {
	u16 selector, limit, ar, base;
} segment_fields[] = {
	[SEG_ES] = {GUEST_ES_SELECTOR, GUEST_ES_LIMIT, GUEST_ES_AR_BYTES, GUEST_ES_BASE},
	[SEG_CS] = {GUEST_CS_SELECTOR, GUEST_CS_LIMIT, GUEST_CS_AR_BYTES, GUEST_CS_BASE},
	[SEG_SS] = {GUEST_SS_SELECTOR, GUEST_SS_LIMIT, GUEST_SS_AR_BYTES, GUEST_SS_BASE},
	[SEG_DS] = {GUEST_DS_SELECTOR, GUEST_DS_LIMIT, GUEST_DS_AR_BYTES, GUEST_DS_BASE},
	[SEG_FS] = {GUEST_FS_SELECTOR, GUEST_FS_LIMIT, GUEST_FS_AR_BYTES, GUEST_FS_BASE},
	[SEG_GS] = {GUEST_GS_SELECTOR, GUEST_GS_LIMIT, GUEST_GS_AR_BYTES, GUEST_GS_BASE},
	[SEG_LDTR] = {GUEST_LDTR_SELECTOR, GUEST_LDTR_LIMIT, GUEST_LDTR_AR_BYTES, GUEST_LDTR_BASE},
	[SEG_TR] = {GUEST_TR_SELECTOR, GUEST_TR_LIMIT, GUEST_TR_AR_BYTES, GUEST_TR_BASE},
	[SEG_GDTR] = {0, GUEST_GDTR_LIMIT, 0, GUEST_GDTR_BASE},
	[SEG_IDTR] = {0, GUEST_IDTR_LIMIT, 0, GUEST_IDTR_BASE},
};

void vmx_get_segment(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg)
{
	(void)vcpu;
	*seg = (struct segment){
		.base = vmread(segment_fields[reg].base),
		.limit = (u32)vmread(segment_fields[reg].limit),
	};
	if (segment_fields[reg].ar) {
		u32 ar = (u32)vmread(segment_fields[reg].ar);

		seg->selector = (u16)vmread(segment_fields[reg].selector);
		seg->ar = (u16)ar;
		seg->unusable = ar & VMX_AR_UNUSABLE_MASK;
	}
}

void vmx_set_segment(struct vcpu *vcpu, enum segment_reg reg, const struct segment *seg)
{
	(void)vcpu;
	vmwrite(segment_fields[reg].base, seg->base);
	vmwrite(segment_fields[reg].limit, seg->limit);
	if (segment_fields[reg].ar) {
		vmwrite(segment_fields[reg].selector, seg->selector);
		vmwrite(segment_fields[reg].ar,
			seg->ar | (seg->unusable ? VMX_AR_UNUSABLE_MASK : 0));
	}
}

u64 vmx_get_sysreg(struct vcpu *vcpu, enum sysreg reg)
{
	(void)vcpu;
	switch (reg) {
	case SYSREG_RIP:
		return vmread(GUEST_RIP);
	case SYSREG_RSP:
		return vmread(GUEST_RSP);
	case SYSREG_RFLAGS:
		return vmread(GUEST_RFLAGS);
	case SYSREG_CR0:
		return vmx_get_cr0(vcpu);
	case SYSREG_CR3:
		return vmcs_config.has_ept ? vmread(GUEST_CR3) : to_vmx(vcpu)->cr3;
	case SYSREG_CR4:
		return vmx_get_cr4(vcpu);
	case SYSREG_EFER:
		return vmx_get_efer(vcpu);
	case SYSREG_PKRS:
		return vmcs_config.has_pkrs ? vmread(GUEST_IA32_PKRS) : 0;
	case SYSREG_DR7:
		return vcpu->debug.on ? vcpu->debug.guest_dr7 : vmread(GUEST_DR7);
	case SYSREG_DEBUGCTL:
		return vmread(GUEST_IA32_DEBUGCTL);
	case SYSREG_DEBUG_TRAPS:
		return vmread(GUEST_PENDING_DBG_EXCEPTIONS) & 0xf;
	case SYSREG_S_CET:
	case SYSREG_SSP:
	case SYSREG_SSP_TABLE:
		break;
	}
	return 0;
}

static void set_cet(enum sysreg reg, u64 value)
{
	if (vmcs_config.has_cet)
		vmwrite(reg == SYSREG_S_CET ? GUEST_S_CET
			: reg == SYSREG_SSP ? GUEST_SSP
					    : GUEST_INTR_SSP_TABLE,
			value);
}

void vmx_set_sysreg(struct vcpu *vcpu, enum sysreg reg, u64 value)
{
	switch (reg) {
	case SYSREG_RIP:
		vmwrite(GUEST_RIP, value);
		break;
	case SYSREG_RSP:
		vmwrite(GUEST_RSP, value);
		break;
	case SYSREG_RFLAGS:
		vmwrite(GUEST_RFLAGS, value);
		break;
	case SYSREG_CR0:
		vmx_set_cr0(vcpu, value);
		break;
	case SYSREG_CR3:
		vmx_set_cr3(vcpu, value);
		break;
	case SYSREG_CR4:
		vmx_set_cr4(vcpu, value);
		break;
	case SYSREG_EFER:
		vmx_set_efer(vcpu, value);
		break;
	case SYSREG_DR7:
		if (vcpu->debug.on)
			debug_set_guest_dr7(vcpu, value);
		else
			vmwrite(GUEST_DR7, value);
		break;
	case SYSREG_DEBUGCTL:
		vmwrite(GUEST_IA32_DEBUGCTL, value);
		break;
	case SYSREG_PKRS:
		break;
	case SYSREG_S_CET:
	case SYSREG_SSP:
	case SYSREG_SSP_TABLE:
		set_cet(reg, value);
		break;
	case SYSREG_DEBUG_TRAPS:
		vmwrite(GUEST_PENDING_DBG_EXCEPTIONS,
			vmread(GUEST_PENDING_DBG_EXCEPTIONS) | PENDING_DBG_ENABLED_BP | value);
		break;
	}
}

/* SDM: "Processor State After Reset", "Initialization Overview". Registers that INIT does not
 * change are not written. */
void vmx_vcpu_reset(struct vcpu *vcpu, bool init)
{
	/* CS gets 93h (read/write, accessed), as in the SDM's table, not 9Bh (code): VM entry
	 * accepts both for a guest in real mode. */
	static const struct segment data = {.limit = 0xffff, .ar = 0x93};
	static const struct segment code = {
		.base = 0xffff0000, .limit = 0xffff, .selector = 0xf000, .ar = 0x93};
	static const struct segment ldtr = {.limit = 0xffff, .ar = 0x82};
	static const struct segment tr = {.limit = 0xffff, .ar = 0x8b};
	static const struct segment table = {.limit = 0xffff};
	u64 cache = init ? vmread(GUEST_CR0) & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;

	vmx_end_fpu_step(vcpu);
	vmx_real_mode_reset(vcpu);
	to_vmx(vcpu)->held = 0;
	memset(vcpu->regs, 0, sizeof(vcpu->regs));
	vcpu->regs[VCPU_RDX] = cpuid(1, 0).eax;
	for (enum segment_reg s = SEG_ES; s <= SEG_GS; s++)
		vmx_set_segment(vcpu, s, s == SEG_CS ? &code : &data);
	vmx_set_segment(vcpu, SEG_LDTR, &ldtr);
	vmx_set_segment(vcpu, SEG_TR, &tr);
	vmx_set_segment(vcpu, SEG_GDTR, &table);
	vmx_set_segment(vcpu, SEG_IDTR, &table);
	if (vmcs_config.has_ept)
		vmwrite(GUEST_CR3, 0);
	to_vmx(vcpu)->cr3 = 0;
	vmx_flush_guest_tlb(vcpu);
	write_cr2(0);
	debug_reset(vcpu);
	write_dr6(0xffff0ff0);
	vmx_set_efer(vcpu, 0);
	vmx_set_cr0(vcpu, cache | CR0_ET);
	vmx_set_cr4(vcpu, 0);
	vmx_set_sysreg(vcpu, SYSREG_DR7, 0x400);
	vmwrite(GUEST_RIP, 0xfff0);
	vmwrite(GUEST_RSP, 0);
	vmwrite(GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(GUEST_IA32_DEBUGCTL, 0);
	vmwrite(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmwrite(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmwrite(VM_ENTRY_INTR_INFO_FIELD, 0);
	vcpu->event.valid = false;
	vmx_real_mode_update(vcpu);
}

/* If the guest is in the shadow of an STI at STI_TRIES calls in a row, ignore the shadow. The worst
 * effect is that a HLT after the STI wakes up once without an interrupt for it. */
int vmx_registers_complete(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 blocked = vmread(GUEST_INTERRUPTIBILITY_INFO);

	if (vmcs_config.has_cet && vmread(GUEST_S_CET) & S_CET_SH_STK_EN)
		return -EOPNOTSUPP;
	/* The page of native_entry.S has protection key 0, and is accessed with the guest's PKRS.
	 */
	if (vmcs_config.has_pkrs && vmx_get_cr4(vcpu) & CR4_PKS &&
	    vmread(GUEST_IA32_PKRS) & PKRS_KEY0_AD)
		return -EOPNOTSUPP;
	if (vmx->fpu_step || vmx->held)
		return 0;
	if (vmx->real.active)
		return -EOPNOTSUPP;
	if (blocked != GUEST_INTR_STATE_STI)
		vmx->sti_seen = 0;
	else if (vmx->sti_seen++ >= STI_TRIES)
		blocked = 0;
	return !blocked && !vmread(GUEST_PENDING_DBG_EXCEPTIONS) &&
	       vmread(GUEST_ACTIVITY_STATE) <= GUEST_ACTIVITY_HLT;
}

void vmx_load_guest_msrs(struct vcpu *vcpu)
{
	wrmsr_safe(MSR_IA32_DEBUGCTLMSR, vmread(GUEST_IA32_DEBUGCTL));
	wrmsr(MSR_IA32_SYSENTER_CS, vmread(GUEST_SYSENTER_CS));
	wrmsr(MSR_IA32_SYSENTER_ESP, vmread(GUEST_SYSENTER_ESP));
	wrmsr(MSR_IA32_SYSENTER_EIP, vmread(GUEST_SYSENTER_EIP));
	if (vmcs_config.has_pat)
		wrmsr(MSR_IA32_CR_PAT, vmread(GUEST_IA32_PAT));
	if (vmcs_config.has_bndcfgs)
		wrmsr(MSR_IA32_BNDCFGS, vmread(GUEST_BNDCFGS));
	if (vmcs_config.has_cet) {
		wrmsr(MSR_IA32_S_CET, vmread(GUEST_S_CET));
		wrmsr(MSR_IA32_INT_SSP_TAB, vmread(GUEST_INTR_SSP_TABLE));
		/* An IRET to CPL 3 loads SSP from this MSR. */
		if (guest_cpl(vcpu) == 3)
			wrmsr_safe(MSR_IA32_PL3_SSP, vmread(GUEST_SSP));
	}
	if (vmcs_config.has_pkrs)
		wrmsr(MSR_IA32_PKRS, vmread(GUEST_IA32_PKRS));
}
