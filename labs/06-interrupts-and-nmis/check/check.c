/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 6. First each function by itself, with random events and states, right before
 * the guest's first instruction; the VMCS's fields for exits are set by VMWRITE. Then the guest
 * runs, and its INVD is a signal: every other time, the check takes away its stack, so that the
 * delivery of the next event, or an IRET, is interrupted by an exit.
 */
#include "arch/x86/cpu.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "lib/string.h"
#include "seed.h"
#include "vmm/event.h"
#include "vmm/room.h"
#include "vmm/vmx/event.h"

enum test {
	TEST_QUEUE = 1,
	TEST_DELIVER,
	TEST_ALLOWED,
	TEST_ENABLE_WINDOW,
	TEST_WINDOW,
	TEST_INJECT,
	TEST_REDELIVER,
	TEST_COMPLETE,
	TEST_BLOCKING,
	TEST_BLOCK_AGAIN
};

#define ROUNDS          300
#define SHADOWS         (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)
#define BLOCKING_BY_SMI BIT(2) /* of interruptibility */

int __real_vmx_handle_exit(struct vcpu *vcpu), __wrap_vmx_handle_exit(struct vcpu *vcpu);
void __real_vmx_hardware_disable(void), __wrap_vmx_hardware_disable(void);
void __real_vmx_interrupt_window(struct vcpu *vcpu);
void __wrap_vmx_interrupt_window(struct vcpu *vcpu);

static struct vcpu *vcpu;

/* ---- Random events and states ---- */

static const struct {
	u8 vector; /* 0: any from 32 on */
	bool has_error_code;
	u64 bits; /* in the VMCS, as the SDM numbers them */
} kinds[] = {
	[EVENT_EXT_INTR] = {0, false, 0 << 8},       [EVENT_NMI] = {NMI_VECTOR, false, 2 << 8},
	[EVENT_EXCEPTION] = {1, false, 3 << 8},      [EVENT_SOFT_INTR] = {0, false, 4 << 8},
	[EVENT_SOFT_EXCEPTION] = {3, false, 6 << 8}, [EVENT_PRIV_EXCEPTION] = {1, false, 5 << 8},
};

static struct vcpu_event random_event(void)
{
	static const u8 with_code[] = {TS_VECTOR, NP_VECTOR, SS_VECTOR, GP_VECTOR, PF_VECTOR};
	static const u8 without[] = {DE_VECTOR, UD_VECTOR, NM_VECTOR, MF_VECTOR};
	u64 random = lab_random();
	struct vcpu_event event = {.valid = true, .type = (u8)(random % ARRAY_SIZE(kinds))};

	event.vector = kinds[event.type].vector ?: (u8)(32 + (random >> 8) % 224);
	if (event.type == EVENT_EXCEPTION) {
		event.has_error_code = random >> 20 & 1;
		event.vector = event.has_error_code ? with_code[(random >> 24) % 5]
						    : without[(random >> 24) % 4];
		event.error_code = event.has_error_code ? (u32)(random >> 40) & 0xffff : 0;
	}
	if (event.type >= EVENT_SOFT_INTR)
		event.insn_len = 1 + (u32)(random >> 32) % 15;
	return event;
}

static u64 info_of(const struct vcpu_event *event)
{
	return event->vector | kinds[event->type].bits | BIT(31) |
	       (event->has_error_code ? BIT(11) : 0);
}

static bool same(const struct vcpu_event *a, const struct vcpu_event *b)
{
	return a->valid == b->valid && a->type == b->type && a->vector == b->vector &&
	       a->has_error_code == b->has_error_code && a->error_code == b->error_code &&
	       a->insn_len == b->insn_len;
}

static void tell_event(const char *what, const struct vcpu_event *event)
{
	pr_info("# %s: valid %u, type %u, vector %u, has an error code %u, error code %x, length "
		"%u\n",
		what, event->valid, event->type, event->vector, event->has_error_code,
		event->error_code, event->insn_len);
}

/* No shadow, one of the two; and in an NMI's handler or not. */
static u64 random_blocking(void)
{
	u64 random = lab_random();

	return (random % 3    ? 0
		: random & 16 ? GUEST_INTR_STATE_STI
			      : GUEST_INTR_STATE_MOV_SS) |
	       (random >> 8 & GUEST_INTR_STATE_NMI);
}

/* ---- 1, 2: NMIs that wait ---- */

static const char *check_queue(void)
{
	for (u32 pending = 0; pending < 3; pending++) {
		vcpu->nmi_pending = pending;
		vcpu->requests = REQ_SIPI;
		queue_nmi(vcpu);
		if (vcpu->requests != (REQ_SIPI | REQ_EVENT))
			return "REQ_EVENT must be posted, and no other request be lost: the NMI "
			       "would wait until somebody else posts a request";
		if (vcpu->nmi_pending != (pending < 2 ? pending + 1 : 2)) {
			pr_info("# %u were pending, and %u are\n", pending, vcpu->nmi_pending);
			return "one more is pending, but never more than two";
		}
	}
	return NULL;
}

static struct {
	bool allowed;
	unsigned asked, windows;
} noted;

static bool note_allowed(struct vcpu *v)
{
	(void)v;
	noted.asked++;
	return noted.allowed;
}

static void note_window(struct vcpu *v)
{
	(void)v;
	noted.windows++;
}

static const char *wrong_delivery(const struct vcpu_event *before, u32 pending)
{
	static const struct vcpu_event nmi = {
		.valid = true, .type = EVENT_NMI, .vector = NMI_VECTOR};
	bool now = !before->valid && noted.allowed;

	if (!now && !same(before, &vcpu->event))
		return before->valid ? "another event is to be delivered first: it is lost now"
				     : "the guest cannot take an NMI now";
	if (now && !same(&nmi, &vcpu->event))
		return "the guest can take it: it must be vcpu->event, an NMI and nothing else";
	if (vcpu->nmi_pending != pending - now)
		return now ? "an NMI that is delivered is pending no more"
			   : "an NMI that waits must stay pending";
	if (!!noted.windows != (!now || pending > 1))
		return now && pending > 1 ? "the second NMI is forgotten: nobody asks for an exit "
					    "when the guest can take it"
		       : now              ? "no exit is needed: there is no other NMI"
					  : "nobody asks for an exit when the guest can take it";
	return NULL;
}

static const char *check_deliver(void)
{
	bool (*allowed)(struct vcpu * v) = virt_ops.nmi_allowed;
	void (*window)(struct vcpu * v) = virt_ops.enable_nmi_window;
	const char *why = NULL;

	virt_ops.nmi_allowed = note_allowed;
	virt_ops.enable_nmi_window = note_window;
	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		struct vcpu_event before = random_event();
		u32 pending = 1 + (lab_random() & 1);

		if (lab_random() & 8)
			before = (struct vcpu_event){.valid = false};
		memset(&noted, 0, sizeof(noted));
		noted.allowed = lab_random() & 4;
		vcpu->event = before;
		vcpu->nmi_pending = pending;
		deliver_nmi(vcpu);
		why = wrong_delivery(&before, pending);
		if (!why)
			continue;
		pr_info("# pending %u, the guest can%s take it\n", pending,
			noted.allowed ? "" : "not");
		tell_event("vcpu->event was", &before);
		tell_event("vcpu->event is", &vcpu->event);
	}
	virt_ops.nmi_allowed = allowed;
	virt_ops.enable_nmi_window = window;
	return why;
}

/* ---- 3 to 5: windows ---- */

static const char *check_allowed(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 blocking = random_blocking();

		vmwrite(GUEST_INTERRUPTIBILITY_INFO, blocking | (lab_random() & BLOCKING_BY_SMI));
		vmwrite(GUEST_RFLAGS, lab_random() & 1 ? 0x202 : 2);
		if (vmx_nmi_allowed(vcpu) == !blocking)
			continue;
		pr_info("# interruptibility %lx, RFLAGS %lx\n", vmread(GUEST_INTERRUPTIBILITY_INFO),
			vmread(GUEST_RFLAGS));
		return "vmx_nmi_allowed: an NMI waits for the end of a shadow and of an NMI's "
		       "handler, and for nothing else";
	}
	return NULL;
}

static const char *check_enable_window(void)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 blocking = random_blocking();
		u32 was = vmx->cpu_based & ~(u32)(BIT(2) | BIT(22)), window = (u32)BIT(22);

		vmx_set_cpu_based(vmx, 0, (u32)(BIT(2) | BIT(22)));
		vmwrite(GUEST_INTERRUPTIBILITY_INFO, blocking);
		if (blocking & GUEST_INTR_STATE_STI)
			window = (u32)BIT(2);
		vmx_enable_nmi_window(vcpu);
		if (vmread(CPU_BASED_VM_EXEC_CONTROL) == (was | window) &&
		    vmx->cpu_based == (was | window))
			continue;
		pr_info("# interruptibility %lx: the controls are %lx, they must be %x\n", blocking,
			vmread(CPU_BASED_VM_EXEC_CONTROL), was | window);
		return "vmx_enable_nmi_window: the window for interrupts (bit 2) after STI, else "
		       "that for NMIs (bit 22); and no other bit";
	}
	return NULL;
}

static unsigned interrupt_windows;

void __wrap_vmx_interrupt_window(struct vcpu *v)
{
	interrupt_windows++;
	__real_vmx_interrupt_window(v);
}

static const char *check_window(void)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 was = vmx->cpu_based & ~(u32)(BIT(2) | BIT(22));

	for (unsigned i = 1; i < 4; i++) {
		vmx_set_cpu_based(vmx, (u32)((i & 1 ? BIT(2) : 0) | (i & 2 ? BIT(22) : 0)), 0);
		vcpu->requests = REQ_SIPI;
		interrupt_windows = 0;
		if (handle_window(vcpu) != 1)
			return "handle_window must return 1: stay in the loop";
		if (vmread(CPU_BASED_VM_EXEC_CONTROL) != was || vmx->cpu_based != was)
			return "both windows must be closed, and no other bit change: the guest "
			       "would exit at each instruction";
		if (interrupt_windows != 1)
			return "vmx_interrupt_window() must be called once";
		if (vcpu->requests != (REQ_SIPI | REQ_EVENT))
			return "REQ_EVENT must be posted: the NMI has waited for this exit";
	}
	return NULL;
}

/* ---- 6: injection ---- */

#define GARBAGE 0x5a5a5a5

static struct {
	bool real_mode;
	u64 blocking, activity;
} guest;

static void set_guest(void)
{
	u64 random = lab_random();

	guest.real_mode = random & 1;
	guest.blocking = random_blocking();
	guest.activity = random & 2   ? GUEST_ACTIVITY_HLT
			 : random & 4 ? GUEST_ACTIVITY_WAIT_SIPI
				      : GUEST_ACTIVITY_ACTIVE;
	vmwrite(GUEST_CR0,
		guest.real_mode ? vmread(GUEST_CR0) & ~CR0_PE : vmread(GUEST_CR0) | CR0_PE);
	vmwrite(GUEST_INTERRUPTIBILITY_INFO, guest.blocking);
	vmwrite(GUEST_ACTIVITY_STATE, guest.activity);
	vmwrite(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, GARBAGE);
	vmwrite(VM_ENTRY_INSTRUCTION_LEN, GARBAGE);
}

static const char *wrong_injection(const struct vcpu_event *event)
{
	struct vcpu_event real = *event;
	u64 blocking = guest.blocking;

	if (guest.real_mode)
		real.has_error_code = false;
	if (event->type == EVENT_EXT_INTR)
		blocking &= ~SHADOWS;
	if (event->type == EVENT_NMI)
		blocking &= ~GUEST_INTR_STATE_NMI;
	if (vmread(VM_ENTRY_INTR_INFO_FIELD) != info_of(&real)) {
		pr_info("# VM_ENTRY_INTR_INFO_FIELD is %lx, it must be %lx\n",
			vmread(VM_ENTRY_INTR_INFO_FIELD), info_of(&real));
		return "the VM entry would deliver another event, or none";
	}
	if (real.has_error_code && vmread(VM_ENTRY_EXCEPTION_ERROR_CODE) != real.error_code)
		return "the guest would see another error code";
	if (event->type >= EVENT_SOFT_INTR && vmread(VM_ENTRY_INSTRUCTION_LEN) != event->insn_len)
		return "the length of the instruction is missing: the guest would return into its "
		       "middle";
	if (vmread(GUEST_INTERRUPTIBILITY_INFO) != blocking) {
		pr_info("# interruptibility was %lx, it must be %lx, it is %lx\n", guest.blocking,
			blocking, vmread(GUEST_INTERRUPTIBILITY_INFO));
		return "interruptibility: the VM entry would refuse the event, or the guest's "
		       "blocking is lost";
	}
	if (vmread(GUEST_ACTIVITY_STATE) !=
	    (guest.activity == GUEST_ACTIVITY_HLT ? GUEST_ACTIVITY_ACTIVE : guest.activity))
		return guest.activity == GUEST_ACTIVITY_HLT
			       ? "the guest is still halted"
			       : "only a guest that is halted wakes up";
	return vcpu->event.valid ? "the event stays in vcpu->event: it would come again" : NULL;
}

static const char *check_inject(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct vcpu_event event = random_event();
		const char *why;

		set_guest();
		vcpu->event = event;
		vmx_inject_event(vcpu);
		why = wrong_injection(&event);
		if (!why)
			continue;
		tell_event("the event", &event);
		pr_info("# %s mode\n", guest.real_mode ? "real" : "protected");
		return why;
	}
	return NULL;
}

/* ---- 7, 8: what was not delivered ---- */

static const char *wrong_event(const struct vcpu_event *expected)
{
	if (same(expected, &vcpu->event))
		return NULL;
	tell_event("vcpu->event must be", expected);
	tell_event("it is", &vcpu->event);
	return expected->valid ? "the event is lost, or another one"
			       : "there was no event, and now there is one";
}

/* Put @event, or garbage without the valid bit, into three fields. */
static void set_fields(const struct vcpu_event *event, u64 info, u64 error_code, u64 length)
{
	vmwrite(info, event->valid ? info_of(event) : GARBAGE);
	vmwrite(error_code, event->has_error_code ? event->error_code : GARBAGE);
	vmwrite(length, event->insn_len ?: 7);
}

/* Put a length that no instruction has into the field @length: the usual one is taken instead. */
static void set_wrong_length(struct vcpu_event *event, u64 length)
{
	vmwrite(length, lab_random() & 1 ? 0 : 16 + lab_random() % 16);
	if (event->insn_len)
		event->insn_len = event->type == EVENT_SOFT_INTR ? 2 : 1;
}

static const char *check_again(void (*function)(struct vcpu *v), u64 info, u64 error_code,
			       u64 length)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		struct vcpu_event event = random_event();

		if (i % 4 == 3)
			event = (struct vcpu_event){.valid = false};
		set_fields(&event, info, error_code, length);
		if (i % 4 == 2)
			set_wrong_length(&event, length);
		vcpu->event = (struct vcpu_event){.valid = false};
		if (event.valid) /* what an older event has left */
			vcpu->event = (struct vcpu_event){
				.has_error_code = true, .error_code = 0x5a5a, .insn_len = 9};
		vcpu->requests = REQ_SIPI;
		function(vcpu);
		why = wrong_event(&event);
		if (!why && vcpu->requests != (event.valid ? REQ_SIPI | REQ_EVENT : REQ_SIPI))
			why = event.valid ? "REQ_EVENT must be posted: nobody would look"
					  : "there is no event: no request, either";
	}
	return why;
}

static const char *check_redeliver(void)
{
	return check_again(vmx_cancel_injection, VM_ENTRY_INTR_INFO_FIELD,
			   VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LEN);
}

/* Can this CPU write to fields that describe an exit? SDM: "Miscellaneous Data", bit 29. */
static bool fields_can_be_written(void)
{
	vmwrite(IDT_VECTORING_INFO_FIELD, GARBAGE);
	return vmread(IDT_VECTORING_INFO_FIELD) == GARBAGE;
}

static const char *check_complete(void)
{
	set_fields(&(struct vcpu_event){.valid = false}, VM_ENTRY_INTR_INFO_FIELD,
		   VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LEN);
	return check_again(vmx_complete_event, IDT_VECTORING_INFO_FIELD, IDT_VECTORING_ERROR_CODE,
			   VM_EXIT_INSTRUCTION_LEN);
}

/* ---- 9, 10: virtual NMI blocking ---- */

static const char *wrong_blocking(u64 was, u64 expected)
{
	u64 is = vmread(GUEST_INTERRUPTIBILITY_INFO);

	if (is == expected)
		return NULL;
	pr_info("# interruptibility was %lx, it must be %lx, it is %lx\n", was, expected, is);
	return "the blocking by NMI is wrong, or another bit has changed";
}

static const char *check_blocking(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		u64 blocking = random_blocking(), nmi = i % 2 ? GUEST_INTR_STATE_NMI : 0;

		vmwrite(GUEST_INTERRUPTIBILITY_INFO, blocking);
		vmx_set_nmi_blocking(nmi);
		why = wrong_blocking(blocking, (blocking & ~GUEST_INTR_STATE_NMI) | nmi);
	}
	return why;
}

static const char *check_block_again(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		u64 blocking = random_blocking();
		bool valid = lab_random() & 2;

		vmwrite(IDT_VECTORING_INFO_FIELD, valid ? BIT(31) | 0x30 : 0x30);
		vmwrite(GUEST_INTERRUPTIBILITY_INFO, blocking);
		vmx_block_nmis_again();
		why = wrong_blocking(blocking, valid ? blocking : blocking | GUEST_INTR_STATE_NMI);
		if (why)
			pr_info("# the exit was %sduring the delivery of an event\n",
				valid ? "" : "not ");
	}
	return why;
}

/* ---- All of them ---- */

static const u64 fields[] = {GUEST_RFLAGS,
			     GUEST_CR0,
			     GUEST_INTERRUPTIBILITY_INFO,
			     GUEST_ACTIVITY_STATE,
			     CPU_BASED_VM_EXEC_CONTROL,
			     VM_ENTRY_INTR_INFO_FIELD,
			     VM_ENTRY_EXCEPTION_ERROR_CODE,
			     VM_ENTRY_INSTRUCTION_LEN};

/* The value of the answer event-info, by the student's function, which has been checked. */
static void tell_info(void)
{
	vcpu->event = (struct vcpu_event){.valid = true, LAB_EVENT};
	vmwrite(GUEST_CR0, vmread(GUEST_CR0) | CR0_PE);
	vmx_inject_event(vcpu);
	lab_key("event-info", "%lx", vmread(VM_ENTRY_INTR_INFO_FIELD));
}

static void check_all(void)
{
	const char *no_fields = NULL;
	u64 saved[ARRAY_SIZE(fields)];
	struct vcpu_event event;
	u32 requests, cpu_based;

	vcpu = this_cpu()->vcpu;
	event = vcpu->event;
	requests = vcpu->requests;
	cpu_based = to_vmx(vcpu)->cpu_based;
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		saved[i] = vmread(fields[i]);
	if (!fields_can_be_written())
		no_fields = "this CPU cannot VMWRITE to the fields that describe an exit: check "
			    "this lab in Bochs";
	lab_result(TEST_QUEUE, check_queue());
	lab_result(TEST_DELIVER, check_deliver());
	lab_result(TEST_ALLOWED, check_allowed());
	lab_result(TEST_ENABLE_WINDOW, check_enable_window());
	lab_result(TEST_WINDOW, check_window());
	lab_result(TEST_INJECT, check_inject());
	lab_result(TEST_REDELIVER, check_redeliver());
	lab_result(TEST_COMPLETE, no_fields ?: check_complete());
	lab_result(TEST_BLOCKING, check_blocking());
	lab_result(TEST_BLOCK_AGAIN, no_fields ?: check_block_again());
	lab_stop_if_failed();
	tell_info();
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		vmwrite(fields[i], saved[i]);
	to_vmx(vcpu)->cpu_based = cpu_based;
	vcpu->nmi_pending = 0;
	vcpu->event = event;
	vcpu->requests = requests;
}

ROOM(.name = "lab", .enter = check_all);

/* ---- While the guest runs ---- */

static u64 windows, violations, interrupted;
static gpa_t taken; /* the page of the guest's stack that has been taken away, or 0 */

/* The page has an entry of its own, which is never merged with its neighbours: that would need new
 * tables each time. */
static void set_access(struct vcpu *v, unsigned prot)
{
	ept_hold(&v->vm->ept, taken, taken, prot, MEMTYPE_WB);
	virt->flush_tlb(v);
}

/* The guest has executed INVD: its next access to its stack may exit. The guest's page tables map
 * each address to itself. */
static void maybe_take_stack(struct vcpu *v)
{
	if (taken || lab_random() & BIT(20))
		return;
	taken = (vmread(GUEST_RSP) - 8) & ~(u64)(PAGE_SIZE - 1);
	set_access(v, 0);
}

/* The access has come. The tree's handler finds it allowed, and has it made again. */
static void give_stack_back(struct vcpu *v)
{
	violations++;
	if (vmread(IDT_VECTORING_INFO_FIELD) & BIT(31))
		interrupted++;
	set_access(v, EPT_RWX);
	taken = 0;
}

int __wrap_vmx_handle_exit(struct vcpu *v)
{
	u32 reason = (u32)vmread(VM_EXIT_REASON);
	int r;

	if (reason == EXIT_REASON_NMI_WINDOW)
		windows++;
	else if (reason == EXIT_REASON_EPT_VIOLATION && taken &&
		 (vmread(GUEST_PHYSICAL_ADDRESS) & ~(u64)(PAGE_SIZE - 1)) == taken)
		give_stack_back(v);
	r = __real_vmx_handle_exit(v);
	if (reason == EXIT_REASON_INVD)
		maybe_take_stack(v);
	return r;
}

void __wrap_vmx_hardware_disable(void)
{
	pr_info("# %lu deliveries of events were interrupted\n", interrupted);
	lab_key("windows", "%lu", windows);
	lab_key("violations", "%lu", violations);
	__real_vmx_hardware_disable();
}
