/* SPDX-License-Identifier: MIT */
/*
 * The vCPU run loop, and the requests that other CPUs post to it.
 */
#include "vmm/vcpu.h"
#include "arch/x86/cpu.h"
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

static void inject_event(struct vcpu *vcpu)
{
	if (vcpu->vm->view_ops)
		vcpu->vm->view_ops->event(vcpu);
	recorder_event(&vcpu->recorder, vcpu->event.type, vcpu->event.vector);
	virt->inject_event(vcpu);
}

/* Returns 1 to enter the guest, 2 to check the requests again (after a step, too), or what
 * vcpu_run() returns. */
static __noinline int handle_all_requests(struct vcpu *vcpu)
{
	u32 requests;

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
	if (vcpu->event.valid)
		inject_event(vcpu);
	return requests & REQ_STEP ? step_guest(vcpu) : 1;
}

/* The same. Mostly there is only an exception to be delivered. An NMI that arrives after the
 * request has been taken posts it again. */
static __noinline int handle_requests(struct vcpu *vcpu)
{
	u32 only = REQ_EVENT;

	STEP(requests);
	if (__atomic_compare_exchange_n(&vcpu->requests, &only, 0, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST) &&
	    vcpu->event.valid && !READ_ONCE(vcpu->nmi_pending) &&
	    vcpu->mp_state == MP_STATE_RUNNABLE) {
		inject_event(vcpu);
		return 1;
	}
	return handle_all_requests(vcpu);
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
