/* SPDX-License-Identifier: MIT */
/*
 * CR0, CR3 and CR4. The guest accesses CR0 and CR4 without an exit, except bits that VMX operation
 * fixes. SDM: "Guest/Host Masks and Read Shadows for CR0 and CR4", "Restrictions on VMX Operation".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/exception.h"
#include "vmm/steps.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/unknown.h"
#include "vmm/vmx/vmx.h"
#include "vmm/memslot.h"

/* What shadow page tables depend on, or cannot have. */
#define SHADOW_CR0 CR0_WP
#define SHADOW_CR4                                                                            \
	(CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_LA57 | CR4_SMEP | CR4_SMAP | CR4_PKE | \
	 CR4_PKS)

/* What CPL 3 in virtual-8086 mode feels, but real mode does not: see real_mode.c. */
#define REAL_CR4 (CR4_VME | CR4_TSD | CR4_PCE | CR4_UMIP)

/* Of these, with EPT none. */
static u64 shadow_cr4(void)
{
	return vmcs_config.has_ept ? 0 : SHADOW_CR4 | REAL_CR4;
}

/* Returns the host-owned bits of CR4: those of features that the guest does not have, and what
 * shadow page tables need. */
static u64 cr4_owned(const struct vcpu *vcpu)
{
	return vcpu->vm->cpuid->hidden_cr4 | shadow_cr4();
}

/* Do x87 instructions exit, because TS is set although the guest has not set it? IGNNE# has no
 * effect while NE is 1. See ignne.c. */
static bool fpu_is_trapped(const struct vcpu *vcpu)
{
	const struct vcpu_vmx *vmx = (const struct vcpu_vmx *)vcpu;

	return vmx->ignne && !vmx->fpu_step && !(vmread(CR0_READ_SHADOW) & CR0_NE);
}

/* Returns the host-owned bits of CR0 that are 1: those that must be in VMX operation. With
 * "unrestricted guest", PE and PG need not be 1. */
static u64 cr0_fixed(const struct vcpu *vcpu)
{
	u64 free = vmcs_config.has_ept ? CR0_PE | CR0_PG : 0;
	u64 fixed = (vmx_capability.cr0_fixed0 & ~free) & 0xffffffff;

	if (!vmcs_config.has_ept)
		fixed |= SHADOW_CR0;
	return fpu_is_trapped(vcpu) ? fixed | CR0_TS : fixed;
}

/* Without EPT: the bits of CR0 whose change loads the PDPTEs of PAE paging, beside PG. SDM: "PDPTE
 * Registers". */
static u64 cr0_of_pdptes(const struct vcpu *vcpu)
{
	bool pae = ((const struct vcpu_vmx *)vcpu)->cr4 & CR4_PAE &&
		   !(vmx_get_efer(vcpu) & EFER_LMA) && vmread(CR0_READ_SHADOW) & CR0_PG;

	return pae ? CR0_CD | CR0_NW : 0;
}

/* And all of them. */
static u64 cr0_owned(const struct vcpu *vcpu)
{
	u64 fixed = cr0_fixed(vcpu);

	return vmcs_config.has_ept ? fixed : fixed | CR0_AM | cr0_of_pdptes(vcpu);
}

/* What of CR0 and CR4 exits when it changes: all of it while somebody wants to see that. */
static u64 cr_mask(const struct vcpu *vcpu, enum icept what, u64 owned)
{
	return ((const struct vcpu_vmx *)vcpu)->icepts & BIT(what) ? ~0ull : owned;
}

u64 vmx_get_cr0(const struct vcpu *vcpu)
{
	u64 mask = cr0_owned(vcpu);

	return (vmread(GUEST_CR0) & ~mask) | (vmread(CR0_READ_SHADOW) & mask);
}

u64 vmx_get_cr4(struct vcpu *vcpu)
{
	return (vmread(GUEST_CR4) & ~cr4_owned(vcpu)) | to_vmx(vcpu)->cr4;
}

/* Give the CPU the guest's @cr4. Without paging, shadow entries are for user mode, too, which SMEP
 * and SMAP would refuse to others. */
static void load_cr4(const struct vcpu *vcpu, u64 cr4)
{
	if (!vmcs_config.has_ept)
		cr4 = (cr4 | CR4_PAE) & ~CR4_PCIDE;
	if (!vmcs_config.has_ept && !(vmx_get_cr0(vcpu) & CR0_PG))
		cr4 &= ~(CR4_SMEP | CR4_SMAP);
	if (((const struct vcpu_vmx *)vcpu)->real.active)
		cr4 = (cr4 & ~REAL_CR4) | CR4_PCE;
	vmwrite(GUEST_CR4, cr4 | vmx_capability.cr4_fixed0);
}

void vmx_set_cr0(struct vcpu *vcpu, u64 cr0)
{
	u32 vectors = cr0 & CR0_NE ? 0 : BIT(MF_VECTOR);

	if (!vmcs_config.has_ept &&
	    (vmx_get_cr0(vcpu) ^ cr0) & (CR0_PG | CR0_PE | SHADOW_CR0 | cr0_of_pdptes(vcpu)))
		vmx_reload_shadow(vcpu);
	vmwrite(CR0_READ_SHADOW, cr0);
	if (fpu_is_trapped(vcpu))
		vectors |= BIT(NM_VECTOR);
	vmwrite(CR0_GUEST_HOST_MASK, cr_mask(vcpu, ICEPT_CR0, cr0_owned(vcpu)));
	if (to_vmx(vcpu)->real.active)
		cr0 &= ~CR0_AM;
	vmwrite(GUEST_CR0, cr0 | cr0_fixed(vcpu));
	if (!vmcs_config.has_ept)
		load_cr4(vcpu, vmx_get_cr4(vcpu));
	intercept_exceptions(vcpu, EXCEPTIONS_FPU, vectors);
}

void vmx_set_cr4(struct vcpu *vcpu, u64 cr4)
{
	u64 kept = cr4 & shadow_cr4() & ~vcpu->vm->cpuid->hidden_cr4, cr0 = vmx_get_cr0(vcpu);

	vmwrite(CR4_GUEST_HOST_MASK, cr_mask(vcpu, ICEPT_CR4, cr4_owned(vcpu)));
	vmwrite(CR4_READ_SHADOW, (cr4 & ~cr4_owned(vcpu)) | kept);
	to_vmx(vcpu)->cr4 = kept;
	if (!vmcs_config.has_ept) {
		/* Which bits of CR0 are owned may have changed with PAE. */
		vmwrite(CR0_READ_SHADOW, cr0);
		vmwrite(CR0_GUEST_HOST_MASK, cr_mask(vcpu, ICEPT_CR0, cr0_owned(vcpu)));
		vmx_reload_shadow(vcpu);
	}
	load_cr4(vcpu, cr4);
}

/* Into the VMCS; or for shadow page tables, for which the CPU has PDPTEs of its own. */
bool vmx_load_pdptes(struct vcpu *vcpu, u64 cr3)
{
	u64 pdpte[4],
		reserved = GENMASK(2, 1) | GENMASK(8, 5) | GENMASK(63, vmx_capability.phys_bits);

	if (read_guest(vcpu->vm, cr3 & GENMASK(31, 5), pdpte, sizeof(pdpte)))
		return false;
	for (int i = 0; i < 4; i++)
		if (pdpte[i] & 1 && pdpte[i] & reserved)
			return false;
	if (!vmcs_config.has_ept) {
		memcpy(vcpu->pdpte, pdpte, sizeof(pdpte));
		return true;
	}
	vmwrite(GUEST_PDPTR0, pdpte[0]);
	vmwrite(GUEST_PDPTR1, pdpte[1]);
	vmwrite(GUEST_PDPTR2, pdpte[2]);
	vmwrite(GUEST_PDPTR3, pdpte[3]);
	return true;
}

/* For emulated changes of CR3 only: MOV to CR3 does not exit. PDPTEs that cannot be loaded become
 * not present: it is a task switch that loads them, for which the SDM has no exception ("PDPTE
 * Registers": MOV to CR gets #GP). Nothing is mapped then, and the guest shuts down. */
void vmx_set_cr3(struct vcpu *vcpu, u64 cr3)
{
	bool pae = vmx_get_cr0(vcpu) & CR0_PG && vmx_get_cr4(vcpu) & CR4_PAE &&
		   !(vmx_get_efer(vcpu) & EFER_LMA);

	if (!vmcs_config.has_ept) {
		to_vmx(vcpu)->cr3 = cr3;
		if (pae && !vmx_load_pdptes(vcpu, cr3))
			memset(vcpu->pdpte, 0, sizeof(vcpu->pdpte));
		vmx_reload_shadow(vcpu);
		return;
	}
	vmwrite(GUEST_CR3, cr3);
	if (pae && !vmx_load_pdptes(vcpu, cr3))
		for (u64 field = GUEST_PDPTR0; field <= GUEST_PDPTR3; field += 2)
			vmwrite(field, 0);
	vmx_flush_guest_tlb(vcpu);
}

/*
 * Emulate MOV of @cr0 to CR0. It exits if it changes a host-owned bit, but may change all others,
 * too. Returns false for #GP. SDM: "MOV—Move to/from Control Registers", "IA-32e Mode: Activating".
 */
static bool mov_to_cr0(struct vcpu *vcpu, u64 cr0)
{
	u64 old = vmx_get_cr0(vcpu), efer = vmx_get_efer(vcpu), cr4 = vmx_get_cr4(vcpu);
	bool paging_on = cr0 & CR0_PG && !(old & CR0_PG);
	bool paging_off = !(cr0 & CR0_PG) && old & CR0_PG;
	bool long_code = vmread(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK;

	if (cr0 >> 32 || (cr0 & CR0_PG && !(cr0 & CR0_PE)) || (cr0 & CR0_NW && !(cr0 & CR0_CD)))
		return false;
	if (!(cr0 & CR0_WP) && cr4 & CR4_CET)
		return false;
	if (paging_on && efer & EFER_LME) {
		if (!(cr4 & CR4_PAE) || long_code ||
		    (vmread(GUEST_TR_AR_BYTES) & VMX_AR_TYPE_MASK) == VMX_AR_TYPE_BUSY_16_TSS)
			return false;
		virt->set_sysreg(vcpu, SYSREG_EFER, efer | EFER_LMA);
	} else if (paging_off && efer & EFER_LMA) {
		if (long_code || cr4 & CR4_PCIDE)
			return false;
		virt->set_sysreg(vcpu, SYSREG_EFER, efer & ~EFER_LMA);
	} else if (cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LMA) &&
		   (cr0 ^ old) & (CR0_PG | CR0_CD | CR0_NW) &&
		   !vmx_load_pdptes(vcpu, virt->get_sysreg(vcpu, SYSREG_CR3))) {
		return false;
	}
	/* ET is always 1; writes to reserved bits of the low half are ignored. */
	cr0 = (cr0 & (CR0_PG | CR0_CD | CR0_NW | CR0_AM | CR0_WP | 0x3full)) | CR0_ET;
	vmx_set_cr0(vcpu, cr0);
	vmx_real_mode_update(vcpu);
	if (old & ~cr0 & CR0_NE)
		vmx_recheck_fpu_error(vcpu);
	/* VM entry does not load CD and NW: set them in the CPU's CR0 here. */
	if ((cr0 ^ read_cr0()) & (CR0_CD | CR0_NW))
		write_cr0((read_cr0() & ~(CR0_CD | CR0_NW)) | (cr0 & (CR0_CD | CR0_NW)));
	if ((cr0 ^ old) & (CR0_PG | CR0_WP))
		vmx_flush_guest_tlb(vcpu);
	return true;
}

static u64 read_register(struct vcpu *vcpu, unsigned reg)
{
	u64 value = reg == VCPU_RSP ? vmread(GUEST_RSP) : vcpu->regs[reg];

	return vmread(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK ? value : (u32)value;
}

int vmx_write_cr(struct vcpu *vcpu, unsigned cr, u64 value)
{
	bool ok;

	if (cr == 0)
		ok = mov_to_cr0(vcpu, value);
	else
		ok = cr == 3 ? vmx_mov_to_cr3(vcpu, value) : vmx_mov_to_cr4(vcpu, value);
	return ok ? 0 : -EINVAL;
}

/* With EPT, accesses to CR3 and CR8 exit only on demand (icept.c). So does a MOV to CR4, unless it
 * sets a host-owned bit, see cr4_owned(): #GP. */
int handle_cr(struct vcpu *vcpu)
{
	u64 qual = exit_qualification(vcpu);
	unsigned cr = CONTROL_REG_ACCESS_NUM(qual);
	bool ok = false;

	STEP(handle_cr);
	if (to_vmx(vcpu)->icepts && vmx_handle_icept(vcpu))
		return 1;
	if (cr == 3 && vcpu->vm->shadow_ops)
		return vmx_handle_cr3(vcpu, qual);
	switch (CONTROL_REG_ACCESS_TYPE(qual)) {
	case CR_TYPE_MOV_TO_CR:
		if (cr == 0)
			ok = mov_to_cr0(vcpu, read_register(vcpu, CONTROL_REG_ACCESS_REG(qual)));
		else if (cr == 4 && vcpu->vm->shadow_ops)
			ok = vmx_mov_to_cr4(vcpu,
					    read_register(vcpu, CONTROL_REG_ACCESS_REG(qual)));
		else if (cr != 4)
			return handle_unknown(vcpu, "control register access");
		break;
	case CR_TYPE_CLTS:
		ok = mov_to_cr0(vcpu, vmx_get_cr0(vcpu) & ~CR0_TS);
		break;
	case CR_TYPE_LMSW: {
		/* LMSW can set PE, not clear it. */
		u64 cr0 = vmx_get_cr0(vcpu);

		ok = mov_to_cr0(vcpu, (cr0 & ~0xeull) | (CONTROL_REG_LMSW_SOURCE(qual) & 0xf));
		break;
	}
	default:
		return handle_unknown(vcpu, "control register access");
	}
	return vmx_skip_or_fault(vcpu, ok ? 0 : -EINVAL);
}
