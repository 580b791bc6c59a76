/* SPDX-License-Identifier: MIT */
/*
 * Lab 3, hole 3: which exceptions exit. Your file takes the place of vmm/vmx/exceptions.c.
 */
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "vmm/vmx/event.h"

/*
 * Hole 3. Several parts of Glasshouse may want exceptions of @vcpu to exit (enum exception_user,
 * vmm/vcpu.h): of user i these are the vectors vcpu->exceptions[i], a mask. Whoever changes one of
 * these calls this function, on the CPU of @vcpu, whose VMCS is loaded.
 *
 *  1. The vectors of all users together exit. They go into EXCEPTION_BITMAP and into
 *     to_vmx(vcpu)->exception_bitmap, which has those of the last time. Other bits of the
 *     VMCS field are somebody else's: they stay. VMWRITE the field only if the vectors have
 *     changed.
 *  2. to_vmx(vcpu)->shadow_faults: is EXCEPTIONS_SHADOW the only user of the page faults
 *     (PF_VECTOR)?
 *  3. The CPU compares each page fault's error code with two fields: if (error code &
 *     PAGE_FAULT_ERROR_CODE_MASK) == PAGE_FAULT_ERROR_CODE_MATCH, bit 14 of the bitmap counts as it
 *     is; if not, it counts as if it were the opposite. The user EXCEPTIONS_ICEPT wants only the
 *     page faults for which (error code & vcpu->pf_mask) == vcpu->pf_match; all other users
 *     want all page faults. So: if EXCEPTIONS_ICEPT is the only user of the page faults, the
 *     fields become these two; otherwise both 0, also if nobody wants page faults.
 *
 * SDM: "Exception Bitmap", "Exceptions".
 */
void vmx_load_exceptions(struct vcpu *vcpu)
{
	(void)vcpu;
	pr_warn_ratelimited("Lab 3: vmx_load_exceptions() is yours to write.");
}
