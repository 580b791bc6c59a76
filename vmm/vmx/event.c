/* SPDX-License-Identifier: MIT */
/*
 * Events at VM entry and exit: injection, redelivery, NMI windows.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
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

void vmx_set_cpu_based(struct vcpu_vmx *vmx, u32 set, u32 clear)
{
	vmx->cpu_based = (vmx->cpu_based & ~clear) | set;
	vmwrite(CPU_BASED_VM_EXEC_CONTROL, vmx->cpu_based);
}

/* An NMI may request an exit at once at any time: then the timer is to stay on. */
void vmx_set_pin_based(struct vcpu_vmx *vmx, u32 set, u32 clear)
{
	u32 timer;

	vmx->pin_based = (vmx->pin_based & ~clear) | set;
	do {
		timer = READ_ONCE(vmx->timer);
		vmwrite(PIN_BASED_VM_EXEC_CONTROL, vmx->pin_based | timer);
	} while (timer != READ_ONCE(vmx->timer));
}

void vmx_set_exit_controls(struct vcpu_vmx *vmx, u32 set, u32 clear)
{
	u32 controls = (vmx->exit_ctrl & ~clear) | set;

	if (controls != vmx->exit_ctrl)
		vmwrite(VM_EXIT_CONTROLS, controls);
	vmx->exit_ctrl = controls;
}

/* The CPU compares error codes of #PF with the filter also where #PF is not intercepted: then the
 * others would exit. SDM: "Exception Bitmap". */
void vmx_load_exceptions(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 vectors = 0, others = 0, asked = 0, old = vmx->exception_bitmap;
	bool filtered;

	for (unsigned i = 0; i < NR_EXCEPTION_USERS; i++) {
		vectors |= vcpu->exceptions[i];
		if (i != EXCEPTIONS_ICEPT)
			others |= vcpu->exceptions[i];
		if (i != EXCEPTIONS_SHADOW)
			asked |= vcpu->exceptions[i];
	}
	vmx->shadow_faults = vectors & ~asked & BIT(PF_VECTOR);
	filtered = vectors & ~others & BIT(PF_VECTOR);
	vmwrite(PAGE_FAULT_ERROR_CODE_MASK, filtered ? vcpu->pf_mask : 0);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, filtered ? vcpu->pf_match : 0);
	if (vectors == old)
		return;
	vmx->exception_bitmap = vectors;
	/* The field may have other bits set, by provoke=. */
	vmwrite(EXCEPTION_BITMAP, (vmread(EXCEPTION_BITMAP) & ~(u64)old) | vectors);
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

bool vmx_nmi_allowed(struct vcpu *vcpu)
{
	u64 blocked = GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS | GUEST_INTR_STATE_NMI;

	(void)vcpu;
	return !(vmread(GUEST_INTERRUPTIBILITY_INFO) & blocked);
}

/* SDM: "Checks on Guest RIP, RFLAGS, and SSP", "Checks on Guest Non-Register State". */
bool vmx_rflags_allowed(struct vcpu *vcpu, u64 rflags)
{
	u64 blocked = vmread(GUEST_INTERRUPTIBILITY_INFO);
	bool interrupt = vcpu->event.valid && vcpu->event.type == EVENT_EXT_INTR;
	bool steps = rflags & RFLAGS_TF && !(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTLMSR_BTF);
	bool step_pending = vmread(GUEST_PENDING_DBG_EXCEPTIONS) & PENDING_DBG_BS;

	if (!(rflags & RFLAGS_IF) && (interrupt || blocked & GUEST_INTR_STATE_STI))
		return false;
	if (!(blocked & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)) &&
	    vmread(GUEST_ACTIVITY_STATE) != GUEST_ACTIVITY_HLT)
		return true;
	return steps == step_pending;
}

void vmx_enable_nmi_window(struct vcpu *vcpu)
{
	u32 window = CPU_BASED_NMI_WINDOW_EXITING;

	/* After STI, some CPUs open the NMI window at once although NMIs are blocked: use the
	 * interrupt window, which opens when the blocking ends. */
	if (vmread(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_STI)
		window = CPU_BASED_INTR_WINDOW_EXITING;
	vmx_set_cpu_based(to_vmx(vcpu), window, 0);
}

/* Start the VMX-preemption timer with 0, so that it expires at the VM entry. Without the timer,
 * exit as soon as the guest can take an NMI. SDM: "VMX-Preemption Timer". */
void vmx_request_immediate_exit(struct vcpu *vcpu)
{
	if (!to_vmx(vcpu)->loaded)
		return;
	if (!vmcs_config.has_preemption_timer) {
		vmx_enable_nmi_window(vcpu);
		return;
	}
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
	__atomic_store_n(&to_vmx(vcpu)->timer, (u32)PIN_BASED_VMX_PREEMPTION_TIMER,
			 __ATOMIC_RELAXED);
	vmx_set_pin_based(to_vmx(vcpu), 0, 0);
}
