/* SPDX-License-Identifier: MIT */
/*
 * The main execution cycle, and how others get a word in.
 */
#include "vmm/vcpu.h"
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/trap.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/vm0/icr.h"
#include "vmm/vm0/leave.h"
#include "vmm/vm0/power.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

const struct virt_ops *virt;

void vcpu_set_mp_state(struct vcpu *vcpu, enum mp_state state)
{
	__atomic_store_n(&vcpu->mp_state, state, __ATOMIC_RELEASE);
	if (state != MP_STATE_INIT_RECEIVED)
		__atomic_and_fetch(&vcpu->requests, ~(u32)REQ_BLOCK, __ATOMIC_ACQ_REL);
	else
		__atomic_or_fetch(&vcpu->requests, (u32)REQ_BLOCK, __ATOMIC_ACQ_REL);
}

/* On the vCPU's own CPU: state as after INIT, local APIC included; then wait. SDM: "Processor State
 * After Reset". */
static void handle_init(struct vcpu *vcpu)
{
	virt->vcpu_reset(vcpu, true);
	lapic_init_reset();
	vcpu->lapic_ldr = 0;
	vcpu->lapic_dfr = ~0u;
	vcpu->nmi_pending = 0;
	/* The boot CPU does not wait: it starts at the reset vector. SDM: "MP Initialization
	 * Protocol Algorithm". */
	if (rdmsr(MSR_IA32_APICBASE) & APICBASE_BSP)
		return;
	/* A SIPI that is not trapped is seen by a CPU in non-root mode only. */
	if (vcpu->vm->icr_trapped || !virt->can_wait_for_sipi()) {
		vcpu_set_mp_state(vcpu, MP_STATE_INIT_RECEIVED);
	} else {
		virt->wait_for_sipi(vcpu);
		vcpu_set_mp_state(vcpu, MP_STATE_WAIT_FOR_SIPI);
	}
}

static void handle_sipi(struct vcpu *vcpu)
{
	struct segment cs;

	if (vcpu->mp_state == MP_STATE_RUNNABLE)
		return;
	if (vcpu->mp_state == MP_STATE_WAIT_FOR_SIPI)
		virt->vcpu_reset(vcpu, true);
	/* NMIs are blocked while a CPU waits; one that came then would hit it without an IDT. */
	vcpu->nmi_pending = 0;
	virt->get_segment(vcpu, SEG_CS, &cs);
	cs.selector = (u16)(vcpu->sipi_vector << 8);
	cs.base = (u64)vcpu->sipi_vector << 12;
	virt->set_segment(vcpu, SEG_CS, &cs);
	virt->set_sysreg(vcpu, SYSREG_RIP, 0);
	vcpu_set_mp_state(vcpu, MP_STATE_RUNNABLE);
	icr_vcpu_started(vcpu);
}

/* Hand on an NMI, now or as soon as the guest can take it. */
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

/* Where the guest cannot be left just now, it runs on, to where nothing is blocked. Returns 0 to
 * end the loop. */
static int handle_leave(struct vcpu *vcpu)
{
	int r = leave_request(vcpu);

	if (r == -EBUSY) {
		__atomic_or_fetch(&vcpu->requests, (u32)REQ_LEAVE, __ATOMIC_SEQ_CST);
		virt->enable_nmi_window(vcpu);
	}
	return r;
}

/* Sleep until there is a request. */
static void vcpu_block(struct vcpu *vcpu)
{
	halt_until(&vcpu->wake);
}

/* Returns 1 to enter the guest, 2 to look again, or what ends the loop. */
static __noinline int handle_requests(struct vcpu *vcpu)
{
	u32 requests;

	/* Before the look at the requests: who posts one behind it sets this again. An INIT stays
	 * until it is carried out, so that a SIPI right behind it is not taken for one too many. */
	__atomic_store_n(&vcpu->wake, 0, __ATOMIC_RELEASE);
	requests =
		__atomic_fetch_and(&vcpu->requests, (u32)(REQ_BLOCK | REQ_INIT), __ATOMIC_SEQ_CST);
	if (requests & REQ_STOP)
		return 0;
	if (requests & REQ_TRIPLE_FAULT)
		return vm_triple_fault(vcpu);
	if (requests & REQ_MACHINE_CHECK)
		deliver_machine_check(vcpu);
	if (requests & REQ_INIT) {
		handle_init(vcpu);
		__atomic_and_fetch(&vcpu->requests, ~(u32)REQ_INIT, __ATOMIC_ACQ_REL);
	}
	if (requests & REQ_SIPI)
		handle_sipi(vcpu);
	if (requests & REQ_LEAVE && !handle_leave(vcpu))
		return 0;
	if (vcpu->mp_state == MP_STATE_INIT_RECEIVED) {
		if (!(__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & ~(u32)REQ_BLOCK))
			vcpu_block(vcpu);
		return 2;
	}
	/* Nothing may be injected into a CPU that waits for a SIPI by itself. */
	if (vcpu->mp_state == MP_STATE_WAIT_FOR_SIPI)
		return 1;
	if (vcpu->nmi_pending)
		deliver_nmi(vcpu);
	if (vcpu->event.valid)
		virt->inject_event(vcpu);
	return 1;
}

/*
 * An NMI in root mode: a kick, or the guest's. vcpu_enter_guest() may have looked for requests
 * already, so the next entry must not last: neither until the guest exits by itself, which it may
 * never do, nor until it can take an NMI, which is when its own handler ends. One that hits before
 * the look costs an exit too many. One that hits behind the entry is an exit by itself, blocked or
 * not: physical NMIs exit always.
 */
void vcpu_root_nmi(struct trap_frame *frame)
{
	struct vcpu *vcpu = this_cpu()->vcpu;

	(void)frame;
	if (!vcpu)
		return;
	leave_on_nmi(vcpu);
	if (!__atomic_exchange_n(&vcpu->kicked, 0, __ATOMIC_ACQ_REL))
		queue_nmi(vcpu);
	virt->request_immediate_exit(vcpu);
}

static inline struct vcpu *run_guest(struct vcpu *vcpu)
{
	void (*run)(void) = virt->run;

	asm volatile("call *%1"
		     : "+D"(vcpu), "+a"(run)
		     :
		     : "rcx", "rdx", "rbx", "rbp", "rsi", "r8", "r9", "r10", "r11", "r12", "r13",
		       "r14", "r15", "memory", "cc");
	return vcpu;
}

static int vcpu_enter_guest(struct vcpu *vcpu)
{
	if (unlikely(READ_ONCE(vcpu->requests))) {
		int r = handle_requests(vcpu);

		if (r != 1)
			return r;
	}
	recorder_enter(&vcpu->recorder);
	vcpu = run_guest(vcpu);
	return virt->handle_exit(vcpu);
}

int vcpu_run(struct vcpu *vcpu)
{
	int r;

	do
		r = vcpu_enter_guest(vcpu);
	while (r > 0);
	return r;
}

void vcpu_kick(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->wake, 1, __ATOMIC_RELEASE);
	if (vcpu->cpu == this_cpu())
		return;
	/* One NMI for all who kick before it is taken: a second one would be taken for the guest's.
	 */
	if (!__atomic_exchange_n(&vcpu->kicked, 1, __ATOMIC_SEQ_CST))
		lapic_send_nmi(vcpu->cpu->apic_id);
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
	/* Only a CPU that waits, or is about to, listens. In this order: handle_requests() ends the
	 * request when the state has changed. */
	if (!(__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & REQ_INIT) &&
	    __atomic_load_n(&vcpu->mp_state, __ATOMIC_ACQUIRE) == MP_STATE_RUNNABLE)
		return;
	if (!virt->has_unrestricted_guest()) {
		pr_warn_ratelimited(
			"vCPU %u stays stopped: the guest starts it in real mode, which this CPU "
			"cannot do in VMX operation. The guest goes on without it",
			vcpu->id);
		return;
	}
	vcpu->sipi_vector = vector;
	vcpu_make_request(vcpu, REQ_SIPI);
}

void queue_nmi(struct vcpu *vcpu)
{
	if (__atomic_load_n(&vcpu->nmi_pending, __ATOMIC_RELAXED) < 2)
		__atomic_add_fetch(&vcpu->nmi_pending, 1, __ATOMIC_ACQ_REL);
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL);
}

/* SDM: "Interrupt 8—Double Fault Exception (#DF)": the classes of exceptions. */
static bool is_contributory(u8 vector)
{
	return vector == DE_VECTOR || (vector >= TS_VECTOR && vector <= GP_VECTOR) ||
	       vector == CP_VECTOR;
}

static bool makes_double_fault(u8 first, u8 second)
{
	if (first == PF_VECTOR)
		return second == PF_VECTOR || is_contributory(second);
	return is_contributory(first) && is_contributory(second);
}

/* All that we queue are faults: RFLAGS.RF is set in what they push. SDM: "RFLAGS Image Saved by
 * Exceptions". */
static void queue(struct vcpu *vcpu, u8 vector, bool has_error_code, u32 error_code)
{
	struct vcpu_event *event = &vcpu->event;

	if (event->valid && event->type == EVENT_EXCEPTION) {
		if (event->vector == DF_VECTOR &&
		    (vector == PF_VECTOR || is_contributory(vector))) {
			__atomic_or_fetch(&vcpu->requests, (u32)REQ_TRIPLE_FAULT, __ATOMIC_ACQ_REL);
			return;
		}
		if (makes_double_fault(event->vector, vector)) {
			vector = DF_VECTOR;
			has_error_code = true;
			error_code = 0;
		}
	}
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, virt->get_sysreg(vcpu, SYSREG_RFLAGS) | RFLAGS_RF);
	*event = (struct vcpu_event){.valid = true,
				     .type = EVENT_EXCEPTION,
				     .vector = vector,
				     .has_error_code = has_error_code,
				     .error_code = error_code};
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL);
}

void queue_exception(struct vcpu *vcpu, u8 vector)
{
	queue(vcpu, vector, false, 0);
}

void queue_exception_e(struct vcpu *vcpu, u8 vector, u32 error_code)
{
	queue(vcpu, vector, true, error_code);
}
