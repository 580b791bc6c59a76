/* SPDX-License-Identifier: MIT */
/*
 * struct virt_ops for VT-x. The operations are in setup.c (VT-x and VMCSs), state.c (registers),
 * event.c (injection), exits.c (exits), intercepts.c, tlb.c and dump.c; here are the short ones.
 */
#include "vmm/vmx/event.h"
#include "vmm/vmx/vmx.h"
#include "vmm/vmx/vmx_ops.h"

static bool vmx_can_wait_for_sipi(void)
{
	return vmcs_config.has_wait_sipi;
}

/* In this activity state a SIPI causes an exit. SDM: "Activity State". Blocking by STI or MOV SS is
 * allowed in the active state only. SDM: "Checks on Guest Non-Register State". */
static void vmx_wait_for_sipi(struct vcpu *vcpu)
{
	(void)vcpu;
	vmwrite(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_WAIT_SIPI);
}

static bool vmx_uses_second_level(void)
{
	return vmcs_config.has_ept;
}

static void vmx_skip_emulated_instruction(struct vcpu *vcpu)
{
	vmx_skip_instruction(vcpu);
}

static void vmx_skip_to_op(struct vcpu *vcpu, u64 rip)
{
	(void)vcpu;
	vmx_skip_to(rip);
}

static void vmx_trace_exits(struct vcpu *vcpu, bool on)
{
	(void)vcpu;
	vmwrite(HOST_RIP, (u64)(on ? vmx_return_traced : vmx_return));
}

static struct exit_subject vmx_exit_subject(const struct exit_record *record)
{
	u64 qual = record->qualification;

	switch (record->reason) {
	case EXIT_REASON_IO_INSTRUCTION:
		return (struct exit_subject){SUBJECT_PORT, IO_QUAL_PORT(qual)};
	case EXIT_REASON_EPT_VIOLATION:
		return (struct exit_subject){SUBJECT_GUEST_PHYSICAL,
					     vmread(GUEST_PHYSICAL_ADDRESS)};
	case EXIT_REASON_EXCEPTION_NMI:
		if ((vmread(VM_EXIT_INTR_INFO) & INTR_INFO_VECTOR_MASK) == PF_VECTOR)
			return (struct exit_subject){SUBJECT_LINEAR, qual};
		break;
	default:
		break;
	}
	return (struct exit_subject){SUBJECT_NONE, 0};
}

const struct virt_ops vmx_x86_ops = {
	.hardware_setup = vmx_hardware_setup,
	.check_processor_compat = vmx_check_processor_compat,
	.hardware_enable = vmx_hardware_enable,
	.hardware_disable = vmx_hardware_disable,
	.uses_second_level = vmx_uses_second_level,
	.can_wait_for_sipi = vmx_can_wait_for_sipi,
	.wait_for_sipi = vmx_wait_for_sipi,
	.vm_init = vmx_vm_init,
	.vcpu_create = vmx_create_vcpu,
	.vcpu_load = vmx_vcpu_load,
	.vcpu_reset = vmx_vcpu_reset,
	.run = vmx_vcpu_run,
	.handle_exit = vmx_handle_exit,
	.inject_event = vmx_inject_event,
	.nmi_allowed = vmx_nmi_allowed,
	.rflags_allowed = vmx_rflags_allowed,
	.enable_nmi_window = vmx_enable_nmi_window,
	.request_immediate_exit = vmx_request_immediate_exit,
	.start_heartbeat = vmx_start_heartbeat,
	.get_sysreg = vmx_get_sysreg,
	.set_sysreg = vmx_set_sysreg,
	.get_segment = vmx_get_segment,
	.set_segment = vmx_set_segment,
	.registers_complete = vmx_registers_complete,
	.load_guest_msrs = vmx_load_guest_msrs,
	.skip_emulated_instruction = vmx_skip_emulated_instruction,
	.skip_to = vmx_skip_to_op,
	.set_msr_intercept = vmx_set_msr_intercept,
	.load_intercepts = vmx_load_intercepts,
	.set_io_intercept = vmx_set_io_intercept,
	.add_rare_io_intercept = vmx_add_rare_io_intercept,
	.use_rare_intercepts = vmx_use_rare_intercepts,
	.can_intercept = vmx_can_intercept,
	.load_exceptions = vmx_load_exceptions,
	.begin_step = vmx_begin_step,
	.end_step = vmx_end_step,
	.load_debug = vmx_load_debug,
	.delay_interrupts = vmx_delay_interrupts,
	.ignore_fpu_error = vmx_ignore_fpu_error,
	.flush_tlb = vmx_flush_tlb,
	.use_shadow = vmx_use_shadow,
	.flush_guest_tlb = vmx_flush_guest_tlb,
	.use_tables = vmx_use_tables,
	.use_subpages = vmx_use_subpages,
	.trace_exits = vmx_trace_exits,
	.exit_subject = vmx_exit_subject,
	.watch_exit = vmx_watch_exit,
	.dump = vmx_dump,
	.print_capabilities = vmx_print_capabilities,
	.each_field = vmx_each_field,
	.each_capability = vmx_each_capability,
	.exit_name = exit_reason_name,
	.exit_about = exit_about,
};
