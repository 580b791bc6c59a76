/* SPDX-License-Identifier: MIT */
/*
 * Which exceptions exit.
 */
#include "arch/x86/cpu.h"
#include "vmm/vmx/event.h"

/* The CPU compares error codes of #PF with the filter also where #PF is not intercepted: then the
 * others would exit. SDM: "Exception Bitmap". */
void vmx_load_exceptions(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 vectors = 0, others = 0, asked = 0, old = vmx->exception_bitmap;
	bool filtered;

	for (unsigned i = 0; i < NR_EXCEPTION_USERS; i++) {
		vectors |= vcpu->exceptions[i];
		if (i != EXCEPTIONS_ICEPT)
			others |= vcpu->exceptions[i];
		if (i != EXCEPTIONS_SHADOW)
			asked |= vcpu->exceptions[i];
	}
	vmx->shadow_faults = vectors & ~asked & BIT(PF_VECTOR);
	filtered = vectors & ~others & BIT(PF_VECTOR);
	vmwrite(PAGE_FAULT_ERROR_CODE_MASK, filtered ? vcpu->pf_mask : 0);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, filtered ? vcpu->pf_match : 0);
	if (vectors == old)
		return;
	vmx->exception_bitmap = vectors;
	/* The field may have other bits set, by provoke=. */
	vmwrite(EXCEPTION_BITMAP, (vmread(EXCEPTION_BITMAP) & ~(u64)old) | vectors);
}
