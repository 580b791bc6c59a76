/* SPDX-License-Identifier: MIT */
/*
 * Lab 6, holes 6 to 8: events at VM entry and exit. Your file takes the place of vmm/vmx/event.c.
 * The fields' names are those of vmm/vmx/vmcs_fields.def, the bits are in arch/x86/vmx.h.
 */
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "vmm/vmx/event.h"
#include "vmm/x86/insn.h"

/* Given: the interruption types in the VMCS, and the event_type of an @info that has one. SDM:
 * "VM-Entry Controls for Event Injection". */
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

/* Given: the length of the instruction that caused an event of @type, for which the field says
 * @length. A hypervisor below may leave the field as it was, and a VM entry refuses what no
 * instruction has.
 */
static u32 event_length(u8 type, u64 length)
{
	if (length >= 1 && length <= INSN_MAX_LENGTH)
		return (u32)length;
	return type == EVENT_SOFT_INTR ? 2 : 1; /* INT n; INT3, INTO, INT1 */
}

/*
 * Hole 7. An event has not been delivered: an exit came in between, or the entry failed. Queue it
 * again in vcpu->event, and post REQ_EVENT in vcpu->requests (__atomic_or_fetch(),
 * __ATOMIC_ACQ_REL). @info says which: bits 7:0 the vector, bits 10:8 the type (event_type()), bit
 * 11 (INTR_INFO_DELIVER_CODE_MASK) whether it has an error code. That is in the field
 * @error_code_field. Events from EVENT_SOFT_INTR on are made by an instruction: its length is
 * needed again, event_length() of the field @length_field.
 *
 * All of vcpu->event is new: what is not said stays 0. SDM: "IDT-Vectoring Information".
 */
static void redeliver(struct vcpu *vcpu, u64 info, u64 error_code_field, u64 length_field)
{
	(void)vcpu, (void)info, (void)error_code_field, (void)length_field;
	pr_warn_ratelimited("Lab 6: redeliver() is yours to write.");
}

/*
 * Hole 8. At the beginning of the handlers of exits that may come in the middle of an event's
 * delivery. If IDT_VECTORING_INFO_FIELD is valid (INTR_INFO_VALID_MASK), the guest would never get
 * that event: queue it again. Its error code is in IDT_VECTORING_ERROR_CODE, the length of its
 * instruction in VM_EXIT_INSTRUCTION_LEN. Otherwise change nothing.
 */
void vmx_complete_event(struct vcpu *vcpu)
{
	(void)vcpu;
	pr_warn_ratelimited("Lab 6: vmx_complete_event() is yours to write.");
}

/* Given: see event.h. */
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

/*
 * Hole 6. Have the next VM entry deliver vcpu->event, which is valid. SDM: "VM-Entry Controls for
 * Event Injection".
 *
 *  - VM_ENTRY_INTR_INFO_FIELD: the vector, the type (intr_types[]), the valid bit
 *    (INTR_INFO_VALID_MASK), and bit 11 if an error code is to be pushed.
 *  - The error code, if the event has one, is in VM_ENTRY_EXCEPTION_ERROR_CODE. Real mode
 *    (CR0_PE in GUEST_CR0 is 0) pushes none: then neither the bit nor the field.
 *  - From EVENT_SOFT_INTR on: the length of the instruction in VM_ENTRY_INSTRUCTION_LEN.
 *  - GUEST_INTERRUPTIBILITY_INFO: the entry refuses an interrupt (EVENT_EXT_INTR) in the shadow of
 *    STI or MOV SS, which has ended when you are called: clear these two bits. It refuses an NMI
 *    while GUEST_INTR_STATE_NMI is set; an NMI that is delivered for the second time may have set
 *    it: clear it. For all other events, and all other bits: no change.
 *  - A halted guest wakes up: GUEST_ACTIVITY_STATE, if it is GUEST_ACTIVITY_HLT, becomes
 *    GUEST_ACTIVITY_ACTIVE.
 *  - vcpu->event is no longer valid.
 */
void vmx_inject_event(struct vcpu *vcpu)
{
	STEP(inject);
	(void)vcpu;
	pr_warn_ratelimited("Lab 6: vmx_inject_event() is yours to write.");
}
