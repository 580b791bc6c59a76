/* SPDX-License-Identifier: MIT */
/*
 * The vCPU run loop, and the requests that other CPUs post to it.
 */
#include "vmm/vcpu.h"
#include "arch/x86/cpu.h"
#include "arch/x86/smp.h"
#include "arch/x86/trap.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/shadow_ops.h"
#include "vmm/steps.h"
#include "vmm/view_ops.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

struct virt_ops virt_ops;

void vcpu_set_mp_state(struct vcpu *vcpu, enum mp_state state)
{
	__atomic_store_n(&vcpu->mp_state, state, __ATOMIC_RELEASE);
	if (state != MP_STATE_INIT_RECEIVED)
		__atomic_and_fetch(&vcpu->requests, ~(u32)REQ_BLOCK, __ATOMIC_ACQ_REL);
	else
		__atomic_or_fetch(&vcpu->requests, (u32)REQ_BLOCK, __ATOMIC_ACQ_REL);
}

struct vcpu *create_vcpu(struct vm *vm, struct cpu *cpu)
{
	struct vcpu *vcpu;

	STEP_ONCE(create_vcpu);
	vcpu = vm->nr_vcpus < VM_MAX_VCPUS ? virt->vcpu_create(vm, cpu) : NULL;
	if (!vcpu)
		return NULL;
	vcpu->id = vm->nr_vcpus;
	vcpu_set_mp_state(vcpu, MP_STATE_INIT_RECEIVED);
	vm->vcpus[vm->nr_vcpus++] = vcpu;
	return vcpu;
}

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
static void handle_init(struct vcpu *vcpu)
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

/*
 * A kick while the CPU waited for a SIPI: its NMI was dropped, or is still on its way. Let that
 * arrive: it must not be taken for the guest's, which has no IDT for it yet. If it was dropped, the
 * next entry must exit at once, for the kick's request; see vcpu_root_nmi().
 */
static void end_kick(struct vcpu *vcpu)
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

static void handle_sipi(struct vcpu *vcpu)
{
	struct segment cs;

	if (vcpu->mp_state == MP_STATE_RUNNABLE)
		return;
	if (vcpu->mp_state == MP_STATE_WAIT_FOR_SIPI) {
		reset_by_init(vcpu);
		end_kick(vcpu);
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

/* Move a pending NMI into vcpu->event, or request an exit for when the guest can take one. */
static void deliver_nmi(struct vcpu *vcpu)
{
	if (vcpu->event.valid || !virt->nmi_allowed(vcpu)) {
		virt->enable_nmi_window(vcpu);
		return;
	}
	vcpu->event = (struct vcpu_event){.valid = true, .type = EVENT_NMI, .vector = NMI_VECTOR};
	if (__atomic_sub_fetch(&vcpu->nmi_pending, 1, __ATOMIC_ACQ_REL))
		virt->enable_nmi_window(vcpu);
}

/* Sleep until another CPU kicks this vCPU (KVM: kvm_vcpu_block). */
static void vcpu_block(struct vcpu *vcpu)
{
	halt_until(&vcpu->wake);
}

/* The states of a call: posted by vcpu_call(), and taken by the vCPU's CPU, unless the caller has
 * taken it back before. */
enum call_state { CALL_NONE, CALL_POSTED, CALL_RUNS };

static bool call_changes(struct vcpu *vcpu, u32 from, u32 to)
{
	return __atomic_compare_exchange_n(&vcpu->call_state, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

static void handle_call(struct vcpu *vcpu)
{
	if (!call_changes(vcpu, CALL_POSTED, CALL_RUNS))
		return;
	vcpu->call(vcpu);
	__atomic_store_n(&vcpu->call_state, CALL_NONE, __ATOMIC_RELEASE);
}

int vcpu_call(struct vcpu *vcpu, void (*function)(struct vcpu *vcpu), u64 ticks)
{
	u64 start = rdtsc();

	if (vcpu->cpu == this_cpu()) {
		function(vcpu);
		return 0;
	}
	vcpu->call = function;
	__atomic_store_n(&vcpu->call_state, CALL_POSTED, __ATOMIC_RELEASE);
	vcpu_make_request(vcpu, REQ_CALL);
	while (__atomic_load_n(&vcpu->call_state, __ATOMIC_ACQUIRE) != CALL_NONE) {
		if (rdtsc() - start > ticks && call_changes(vcpu, CALL_POSTED, CALL_NONE))
			return -EBUSY;
		cpu_relax();
	}
	return 0;
}

void vcpu_post_call(struct vcpu *vcpu, void (*function)(struct vcpu *vcpu))
{
	vcpu->call = function;
	if (call_changes(vcpu, CALL_NONE, CALL_POSTED))
		vcpu_make_request(vcpu, REQ_CALL);
}

void vcpu_pause(struct vcpu *vcpu)
{
	vcpu_make_request(vcpu, REQ_PAUSE);
}

/* REQ_EVENT: events that have become pending meanwhile are still to be delivered. */
void vcpu_resume(struct vcpu *vcpu)
{
	__atomic_and_fetch(&vcpu->requests, ~(u32)REQ_PAUSE, __ATOMIC_ACQ_REL);
	vcpu_make_request(vcpu, REQ_EVENT);
}

/* Requests that stay posted while a vCPU waits in root mode for others; a step needs the guest. */
#define REQ_WAITS (u32)(REQ_BLOCK | REQ_PAUSE | REQ_STEP)

/* Requests that whoever ends them takes back: handle_requests() finds them posted, and leaves them
 * so. */
#define REQ_STAYS (REQ_WAITS | (u32)(REQ_INIT | REQ_INTERCEPTS | REQ_VIEW | REQ_SHADOW))

/* Call virt->run, which has its own calling convention. Returns @vcpu: all other values that are
 * needed after the guest has run are loaded again from it. */
static inline struct vcpu *run_guest(struct vcpu *vcpu)
{
	asm volatile("call *%1"
		     : "+D"(vcpu)
		     : "m"(virt_ops.run)
		     : "rax", "rcx", "rdx", "rbx", "rbp", "rsi", "r8", "r9", "r10", "r11", "r12",
		       "r13", "r14", "r15", "memory", "cc");
	return vcpu;
}

/* The guest has reached an instruction boundary: call who steps the vCPU. They may ask for more. */
static void end_step(struct vcpu *vcpu)
{
	void (*stepped[NR_STEP_USERS])(struct vcpu * vcpu);

	for (unsigned i = 0; i < NR_STEP_USERS; i++) {
		stepped[i] = vcpu->stepped[i];
		vcpu->stepped[i] = NULL;
	}
	__atomic_and_fetch(&vcpu->requests, ~(u32)REQ_STEP, __ATOMIC_ACQ_REL);
	for (unsigned i = 0; i < NR_STEP_USERS; i++)
		if (stepped[i])
			stepped[i](vcpu);
}

/* What vcpu_enter_guest() does while somebody steps the vCPU. Returns 2, or what vcpu_run()
 * returns. */
static int step_guest(struct vcpu *vcpu)
{
	bool done = true;

	if (virt->begin_step(vcpu)) {
		int r;

		recorder_enter(&vcpu->recorder);
		vcpu = run_guest(vcpu);
		r = virt->end_step(vcpu, &done);
		recorder_step(&vcpu->recorder);
		if (r <= 0)
			return r;
	}
	if (done)
		end_step(vcpu);
	return 2;
}

/* Kicks come with requests, so the record of this exit has not been closed since. */
static void record_kick(struct vcpu *vcpu)
{
	u32 by = __atomic_exchange_n(&vcpu->kicked_by, 0, __ATOMIC_RELAXED);

	if (by)
		recorder_kicked(&vcpu->recorder, by - 1);
}

/* Returns 1 to enter the guest, 2 to check the requests again (after a step, too), or what
 * vcpu_run() returns. */
static __noinline int handle_requests(struct vcpu *vcpu)
{
	u32 requests;

	STEP(requests);
	/* Clear wake before the requests are read: a request that is posted later sets it again.
	 * INIT stays posted until it is done, so that vcpu_deliver_sipi() accepts a SIPI meanwhile;
	 * intercepts, so that they are loaded last. */
	__atomic_store_n(&vcpu->wake, 0, __ATOMIC_RELEASE);
	requests = __atomic_fetch_and(&vcpu->requests, REQ_STAYS, __ATOMIC_SEQ_CST);
	record_kick(vcpu);
	if (requests & REQ_STOP)
		return 0;
	if (requests & REQ_TRIPLE_FAULT) {
		int r = vcpu->vm->ops->triple_fault(vcpu);

		/* The others are still to be done. Those that stay may have ended meanwhile. */
		__atomic_or_fetch(&vcpu->requests, requests & ~(REQ_STAYS | (u32)REQ_TRIPLE_FAULT),
				  __ATOMIC_SEQ_CST);
		return r > 0 ? 2 : r;
	}
	if (requests & REQ_INIT) {
		handle_init(vcpu);
		__atomic_and_fetch(&vcpu->requests, ~(u32)REQ_INIT, __ATOMIC_ACQ_REL);
	}
	if (requests & REQ_SIPI)
		handle_sipi(vcpu);
	/* After the state has changed: see intercepts.c. Not before the CPU waits for a SIPI, which
	 * would be lost meanwhile: the request stays. */
	if (vcpu->mp_state != MP_STATE_WAIT_FOR_SIPI) {
		virt->load_intercepts(vcpu);
		if (vcpu->vm->view_ops)
			vcpu->vm->view_ops->load(vcpu);
		/* A reset has posted it, too. */
		if (vcpu->vm->shadow_ops &&
		    __atomic_fetch_and(&vcpu->requests, ~(u32)REQ_SHADOW, __ATOMIC_ACQ_REL) &
			    REQ_SHADOW)
			vcpu->vm->shadow_ops->load(vcpu);
	}
	if (requests & REQ_MACHINE_CHECK)
		vcpu->vm->ops->machine_check(vcpu);
	if (requests >= REQ_VM) {
		int r = vcpu->vm->ops->request(vcpu, requests);

		if (r <= 0)
			return r;
	}
	if (requests & REQ_CALL) {
		/* It may have posted requests, or changed what is to be delivered. */
		handle_call(vcpu);
		__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL);
		return 2;
	}
	if (vcpu->mp_state == MP_STATE_INIT_RECEIVED || requests & REQ_PAUSE) {
		if (!(__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & ~REQ_WAITS))
			vcpu_block(vcpu);
		return 2;
	}
	/* Nothing may be injected into a CPU in the wait-for-SIPI state. SDM: "Checks on Guest
	 * Non-Register State". */
	if (vcpu->mp_state == MP_STATE_WAIT_FOR_SIPI)
		/* The last SIPI that did not come by the hardware: no NMI tells of it any more. */
		return __atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & REQ_SIPI ? 2 : 1;
	if (vcpu->nmi_pending)
		deliver_nmi(vcpu);
	if (vcpu->event.valid) {
		if (vcpu->vm->view_ops)
			vcpu->vm->view_ops->event(vcpu);
		recorder_event(&vcpu->recorder, vcpu->event.type, vcpu->event.vector);
		virt->inject_event(vcpu);
	}
	return requests & REQ_STEP ? step_guest(vcpu) : 1;
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

static int vcpu_enter_guest(struct vcpu *vcpu)
{
	STEP(enter);
	if (unlikely(READ_ONCE(vcpu->requests))) {
		int r = handle_requests(vcpu);

		if (r != 1)
			return r;
	}
	recorder_enter(&vcpu->recorder);
	vcpu = run_guest(vcpu);
	return virt->handle_exit(vcpu);
}

void vcpu_run_once(struct vcpu *vcpu)
{
	if (vcpu_enter_guest(vcpu) <= 0)
		vcpu_make_request(vcpu, REQ_STOP);
}

int vcpu_run(struct vcpu *vcpu)
{
	int r;

	do {
		STEP(loop);
		r = vcpu_enter_guest(vcpu);
	} while (r > 0);
	return r;
}

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
