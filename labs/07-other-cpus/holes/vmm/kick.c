/* SPDX-License-Identifier: MIT */
/*
 * Lab 7, holes 2 to 5: one CPU calls another. Your file takes the place of vmm/kick.c. Several CPUs
 * use these fields at the same time: use __atomic_store_n(), __atomic_or_fetch(),
 * __atomic_exchange_n(), __atomic_compare_exchange_n(), with __ATOMIC_SEQ_CST.
 */
#include "arch/x86/smp.h"
#include "lib/log.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

/* Given: who kicks, for vcpu.kicked: 1 + the number of this CPU's vCPU, or of none. Never 0. */
static u32 kicker(void)
{
	struct vcpu *vcpu = this_cpu()->vcpu;

	if (!vcpu)
		return VM_MAX_VCPUS + 1;
	recorder_kicks(&vcpu->recorder);
	return vcpu->id + 1;
}

/*
 * Hole 2. Make @vcpu's CPU leave its guest, or its sleep.
 *
 *  - It sleeps until vcpu->wake is not 0 (hole 1): set it to 1, first of all.
 *  - If @vcpu runs on this CPU (vcpu->cpu == this_cpu()), that is all.
 *  - Otherwise send an NMI, smp_send_nmi(vcpu->cpu). The guest gets NMIs, too, so say before that
 *    the next one is not for it: vcpu->kicked becomes kicker(). But if kicked is not 0 already, an
 *    NMI is on its way: send no second one, it would be taken for the guest's. Two CPUs may kick at
 *    the same time: compare and exchange in one.
 *  - If smp_send_nmi() returns false, no NMI comes: kicked becomes 0 again.
 */
void vcpu_kick(struct vcpu *vcpu)
{
	(void)vcpu, (void)kicker;
	pr_warn_ratelimited("Lab 7: vcpu_kick() is yours to write.");
}

/* Hole 3. Set the bits @request in vcpu->requests, then kick. Why in this order? */
void vcpu_make_request(struct vcpu *vcpu, u32 request)
{
	(void)vcpu, (void)request;
	pr_warn_ratelimited("Lab 7: vcpu_make_request() is yours to write.");
}

/*
 * Hole 4. An NMI has arrived on @vcpu's CPU, which is this one. Take vcpu->kicked and make it 0, in
 * one. If it was not 0, the NMI was a kick: note it in vcpu->kicked_by. Otherwise it is the VM's:
 * vcpu->vm->ops->nmi(vcpu).
 */
void vcpu_nmi(struct vcpu *vcpu)
{
	(void)vcpu; /* yours to write: an NMI's handler must not log */
}

/*
 * Hole 5. The handler of NMIs in root mode: this CPU is not in its guest. Its vCPU is
 * this_cpu()->vcpu; if there is none, do nothing. Do what is to be done about the NMI (hole 4).
 * But the run loop may have looked at the requests already, and be about to enter a guest that
 * never exits: have the next entry exit at once, virt->request_immediate_exit(vcpu).
 */
void vcpu_root_nmi(struct trap_frame *frame)
{
	(void)frame; /* yours to write: an NMI's handler must not log */
}
