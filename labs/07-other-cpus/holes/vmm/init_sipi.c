/* SPDX-License-Identifier: MIT */
/*
 * Lab 7, holes 6 to 9: INIT and SIPI. Your file takes the place of vmm/init_sipi.c. SDM: "MP
 * Initialization Protocol Algorithm", "Processor State After Reset".
 */
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "vmm/vcpu.h"
#include "vmm/view_ops.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

/* Given: set the state after INIT. */
static void reset_by_init(struct vcpu *vcpu)
{
	if (vcpu->vm->view_ops)
		vcpu->vm->view_ops->cancel(vcpu);
	virt->vcpu_reset(vcpu, true);
	vcpu->nmi_pending = 0;
	vcpu->vm->ops->reset(vcpu);
}

/*
 * Hole 8. On @vcpu's own CPU: the INIT that hole 6 has posted. vcpu->vm->ops->init(vcpu) returns
 * the state in which the vCPU is to wait, for vcpu_set_mp_state(), which comes last.
 *
 *  - MP_STATE_WAIT_FOR_SIPI: it waits as a guest, in the CPU's own wait-for-SIPI state:
 *    virt->wait_for_sipi(vcpu). It is not reset now, that would take too long: a SIPI that arrives
 *    in root mode is lost. NMIs are dropped in that state, so a kick that is on its way never
 *    arrives: vcpu->kicked becomes 0, or the guest's next NMI would be taken for it.
 *  - Any other state: reset_by_init(vcpu).
 */
void handle_init(struct vcpu *vcpu)
{
	(void)vcpu, (void)reset_by_init;
	pr_warn_ratelimited("Lab 7: handle_init() is yours to write.");
}

#define KICK_TICKS 100000u /* of the time-stamp counter: an NMI arrives in less time */

/*
 * Given. A kick while the CPU waited for a SIPI: its NMI was dropped, or is still on its way. Let
 * that arrive: it must not be taken for the guest's, which has no IDT for it yet. If it was
 * dropped, the next entry must exit at once, for the kick's request; see vcpu_root_nmi().
 */
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

/*
 * Hole 9. On @vcpu's own CPU: the SIPI that hole 7 has posted.
 *
 *  - If the vCPU runs (vcpu->mp_state is MP_STATE_RUNNABLE), a SIPI does nothing.
 *  - If it is in MP_STATE_WAIT_FOR_SIPI, do now what hole 8 has left out: reset_by_init(), and then
 *    vcpu_end_kick().
 *  - NMIs that came while it waited are dropped: vcpu->nmi_pending becomes 0.
 *  - It starts in real mode at vector * 4 KiB: in CS (virt->get_segment(), virt->set_segment(),
 *    SEG_CS) only the selector, vector * 256, and the base change. RIP (virt->set_sysreg(),
 *    SYSREG_RIP) is 0. The vector is vcpu->sipi_vector.
 *  - It is MP_STATE_RUNNABLE (vcpu_set_mp_state()), and then the VM hears of it:
 *    vcpu->vm->ops->started(vcpu).
 */
void handle_sipi(struct vcpu *vcpu)
{
	(void)vcpu;
	pr_warn_ratelimited("Lab 7: handle_sipi() is yours to write.");
}

/* Hole 6. Any CPU has sent an INIT to @vcpu: post REQ_INIT, by hole 3. */
void vcpu_deliver_init(struct vcpu *vcpu)
{
	(void)vcpu;
	pr_warn_ratelimited("Lab 7: vcpu_deliver_init() is yours to write.");
}

/*
 * Hole 7. Any CPU has sent a SIPI with @vector to @vcpu. A CPU that does not wait for one drops it:
 * so do nothing if vcpu->mp_state is MP_STATE_RUNNABLE, unless REQ_INIT is still posted: then it
 * will wait. Look at the request first, then at the state, with __atomic_load_n() and
 * __ATOMIC_ACQUIRE: the run loop changes the state, and takes the request back afterwards.
 * Otherwise set vcpu->sipi_vector, then post REQ_SIPI.
 */
void vcpu_deliver_sipi(struct vcpu *vcpu, u8 vector)
{
	(void)vcpu, (void)vector;
	pr_warn_ratelimited("Lab 7: vcpu_deliver_sipi() is yours to write.");
}
