/* SPDX-License-Identifier: MIT */
/*
 * Events at VM entry and exit: injection, and what an exit has interrupted.
 */
#include "arch/x86/cpu.h"
#include "vmm/vmx/event.h"
#include "vmm/x86/insn.h"

/* The interruption types in the VMCS. SDM: "VM-Entry Controls for Event Injection". */
static const u64 intr_types[] = {
	[EVENT_EXT_INTR] = INTR_TYPE_EXT_INTR,
	[EVENT_NMI] = INTR_TYPE_NMI_INTR,
	[EVENT_EXCEPTION] = INTR_TYPE_HARD_EXCEPTION,
	[EVENT_SOFT_INTR] = INTR_TYPE_SOFT_INTR,
	[EVENT_SOFT_EXCEPTION] = INTR_TYPE_SOFT_EXCEPTION,
	[EVENT_PRIV_EXCEPTION] = INTR_TYPE_PRIV_SW_EXCEPTION,
};

static u8 event_type(u64 info)
{
	u8 type = 0;

	while (type < ARRAY_SIZE(intr_types) - 1 &&
	       intr_types[type] != (info & INTR_INFO_INTR_TYPE_MASK))
		type++;
	return type;
}

/* The length of the instruction that caused an event of @type, for which the field says @length. A
 * hypervisor below may leave the field as it was, and a VM entry refuses what no instruction has.
 */
static u32 event_length(u8 type, u64 length)
{
	if (length >= 1 && length <= INSN_MAX_LENGTH)
		return (u32)length;
	return type == EVENT_SOFT_INTR ? 2 : 1; /* INT n; INT3, INTO, INT1 */
}

/* Queue the event of @info again. Its error code and instruction length are in the fields
 * @error_code_field and @length_field. */
static void redeliver(struct vcpu *vcpu, u64 info, u64 error_code_field, u64 length_field)
{
	struct vcpu_event *event = &vcpu->event;

	*event = (struct vcpu_event){.valid = true, .type = event_type(info), .vector = (u8)info};
	if (event->type >= EVENT_SOFT_INTR)
		event->insn_len = event_length(event->type, vmread(length_field));
	if (info & INTR_INFO_DELIVER_CODE_MASK) {
		event->has_error_code = true;
		event->error_code = (u32)vmread(error_code_field);
	}
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL);
}

void vmx_complete_event(struct vcpu *vcpu)
{
	u64 info = vmread(IDT_VECTORING_INFO_FIELD);

	if (unlikely(info & INTR_INFO_VALID_MASK))
		redeliver(vcpu, info, IDT_VECTORING_ERROR_CODE, VM_EXIT_INSTRUCTION_LEN);
}

void vmx_read_exception(u32 info, u64 qualification, struct exception *exception)
{
	*exception = (struct exception){
		.vector = (u8)info, .type = event_type(info), .payload = qualification};
	if (exception->type >= EVENT_SOFT_INTR)
		exception->insn_len =
			event_length(exception->type, vmread(VM_EXIT_INSTRUCTION_LEN));
	if (info & INTR_INFO_DELIVER_CODE_MASK) {
		exception->has_error_code = true;
		exception->error_code = (u32)vmread(VM_EXIT_INTR_ERROR_CODE);
	}
}

void vmx_queue_interrupt(struct vcpu *vcpu, u64 info)
{
	if (info & INTR_INFO_VALID_MASK)
		redeliver(vcpu, info, 0, 0);
}

void vmx_cancel_injection(struct vcpu *vcpu)
{
	u64 info = vmread(VM_ENTRY_INTR_INFO_FIELD);

	if (info & INTR_INFO_VALID_MASK)
		redeliver(vcpu, info, VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LEN);
}

void vmx_inject_event(struct vcpu *vcpu)
{
	struct vcpu_event *event = &vcpu->event;
	u64 info = event->vector | intr_types[event->type] | INTR_INFO_VALID_MASK;

	STEP(inject);
	/* Real mode has no error codes. SDM: "VM-Entry Controls for Event Injection". */
	if (event->has_error_code && vmread(GUEST_CR0) & CR0_PE) {
		info |= INTR_INFO_DELIVER_CODE_MASK;
		vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, event->error_code);
	}
	if (event->type >= EVENT_SOFT_INTR)
		vmwrite(VM_ENTRY_INSTRUCTION_LEN, event->insn_len);
	vmwrite(VM_ENTRY_INTR_INFO_FIELD, info);
	/* An instruction in the shadow of STI or MOV SS has waited for this interrupt: the shadow
	 * has ended, without which a VM entry refuses the interrupt. */
	if (event->type == EVENT_EXT_INTR)
		vmwrite(GUEST_INTERRUPTIBILITY_INFO,
			vmread(GUEST_INTERRUPTIBILITY_INFO) &
				~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	/* An NMI that is delivered again may have blocked NMIs already. */
	if (event->type == EVENT_NMI)
		vmwrite(GUEST_INTERRUPTIBILITY_INFO,
			vmread(GUEST_INTERRUPTIBILITY_INFO) & ~GUEST_INTR_STATE_NMI);
	/* The event wakes up a halted CPU. */
	if (vmread(GUEST_ACTIVITY_STATE) == GUEST_ACTIVITY_HLT)
		vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	event->valid = false;
}
