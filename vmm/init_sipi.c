/* SPDX-License-Identifier: MIT */
/*
 * INIT and SIPI. See vcpu.h. SDM: "MP Initialization Protocol Algorithm".
 */
#include "arch/x86/cpu.h"
#include "vmm/vcpu.h"
#include "vmm/view_ops.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

/* Set the state after INIT. SDM: "Processor State After Reset". */
static void reset_by_init(struct vcpu *vcpu)
{
	if (vcpu->vm->view_ops)
		vcpu->vm->view_ops->cancel(vcpu);
	virt->vcpu_reset(vcpu, true);
	vcpu->nmi_pending = 0;
	vcpu->vm->ops->reset(vcpu);
}

/* A vCPU that waits in non-root mode is reset when the SIPI arrives, not before: a SIPI that
 * arrives while the CPU is in root mode is lost. */
void handle_init(struct vcpu *vcpu)
{
	enum mp_state state = vcpu->vm->ops->init(vcpu);

	if (state == MP_STATE_WAIT_FOR_SIPI) {
		virt->wait_for_sipi(vcpu);
		/* If the NMI of a kick arrives from now on, it is dropped like the guest's. If it
		 * never arrives, the guest's next NMI must not be taken for it. */
		__atomic_store_n(&vcpu->kicked, 0, __ATOMIC_RELEASE);
	} else {
		reset_by_init(vcpu);
	}
	vcpu_set_mp_state(vcpu, state);
}

#define KICK_TICKS 100000u /* of the time-stamp counter: an NMI arrives in less time */

void vcpu_end_kick(struct vcpu *vcpu)
{
	u64 start = rdtsc();

	while (__atomic_load_n(&vcpu->kicked, __ATOMIC_ACQUIRE)) {
		if (rdtsc() - start > KICK_TICKS) {
			__atomic_store_n(&vcpu->kicked, 0, __ATOMIC_RELEASE);
			virt->request_immediate_exit(vcpu);
			return;
		}
		cpu_relax();
	}
}

void handle_sipi(struct vcpu *vcpu)
{
	struct segment cs;

	if (vcpu->mp_state == MP_STATE_RUNNABLE)
		return;
	if (vcpu->mp_state == MP_STATE_WAIT_FOR_SIPI) {
		reset_by_init(vcpu);
		vcpu_end_kick(vcpu); /* the NMI was dropped, or has no IDT yet */
	}
	/* Drop NMIs that arrived while the vCPU waited: a CPU blocks them in that state, and the
	 * guest has no IDT for them yet. */
	vcpu->nmi_pending = 0;
	virt->get_segment(vcpu, SEG_CS, &cs);
	cs.selector = (u16)(vcpu->sipi_vector << 8);
	cs.base = (u64)vcpu->sipi_vector << 12;
	virt->set_segment(vcpu, SEG_CS, &cs);
	virt->set_sysreg(vcpu, SYSREG_RIP, 0);
	vcpu_set_mp_state(vcpu, MP_STATE_RUNNABLE);
	vcpu->vm->ops->started(vcpu);
}

void vcpu_deliver_init(struct vcpu *vcpu)
{
	vcpu_make_request(vcpu, REQ_INIT);
}

void vcpu_deliver_sipi(struct vcpu *vcpu, u8 vector)
{
	/* Drop the SIPI unless the vCPU waits for one, or will after a pending INIT. Check the
	 * request before the state: handle_requests() changes the state, then clears the request.
	 */
	if (!(__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & REQ_INIT) &&
	    __atomic_load_n(&vcpu->mp_state, __ATOMIC_ACQUIRE) == MP_STATE_RUNNABLE)
		return;
	vcpu->sipi_vector = vector;
	vcpu_make_request(vcpu, REQ_SIPI);
}
