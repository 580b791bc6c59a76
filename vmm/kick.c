/* SPDX-License-Identifier: MIT */
/*
 * Requests that one CPU posts to another's vCPU, and the kick that makes it look at them. See
 * vcpu.h.
 */
#include "arch/x86/smp.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

/* Who kicks, for vcpu.kicked: 1 + the number of this CPU's vCPU, or of none. */
static u32 kicker(void)
{
	struct vcpu *vcpu = this_cpu()->vcpu;

	if (!vcpu)
		return VM_MAX_VCPUS + 1;
	recorder_kicks(&vcpu->recorder);
	return vcpu->id + 1;
}

void vcpu_kick(struct vcpu *vcpu)
{
	u32 nobody = 0;

	__atomic_store_n(&vcpu->wake, 1, __ATOMIC_RELEASE);
	if (vcpu->cpu == this_cpu())
		return;
	/* No second NMI until the first has arrived: vcpu_nmi() would pass it to the guest. */
	if (__atomic_compare_exchange_n(&vcpu->kicked, &nobody, kicker(), false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST) &&
	    !smp_send_nmi(vcpu->cpu))
		__atomic_store_n(&vcpu->kicked, 0, __ATOMIC_RELEASE);
}

void vcpu_make_request(struct vcpu *vcpu, u32 request)
{
	__atomic_or_fetch(&vcpu->requests, request, __ATOMIC_SEQ_CST);
	vcpu_kick(vcpu);
}

void vcpu_nmi(struct vcpu *vcpu)
{
	u32 by = __atomic_exchange_n(&vcpu->kicked, 0, __ATOMIC_ACQ_REL);

	if (by)
		vcpu->kicked_by = by;
	else
		vcpu->vm->ops->nmi(vcpu);
}

/*
 * An NMI in root mode. vcpu_enter_guest() may have checked the requests already, so the next entry
 * must exit at once: the guest may never exit by itself, and it may take long until it can take an
 * NMI, as its NMI handler must end first. If the NMI arrived before the check, this costs one
 * superfluous exit. An NMI after the entry causes an exit itself, even while the guest blocks NMIs.
 */
void vcpu_root_nmi(struct trap_frame *frame)
{
	struct vcpu *vcpu = this_cpu()->vcpu;

	(void)frame;
	if (!vcpu)
		return;
	vcpu_nmi(vcpu);
	virt->request_immediate_exit(vcpu);
}
