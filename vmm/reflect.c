/* SPDX-License-Identifier: MIT */
/*
 * The guest gets an exception that has exited. See exception.h.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "vmm/event.h"
#include "vmm/exception.h"
#include "vmm/virt_ops.h"

/* A #DB that exits has changed none of these. Bits of DR6: B0 to B3, BD, BS; RTM, which is 0 in an
 * RTM region only. INT1 changes only IA32_DEBUGCTL. SDM: "Debug Status Register (DR6)",
 * "Architectural State Before a VM Exit", "Last Branch, Interrupt, and Exception Recording". */
static void change_debug_registers(struct vcpu *vcpu, const struct exception *exception)
{
	u64 reasons = exception->payload;

	virt->set_sysreg(vcpu, SYSREG_DEBUGCTL,
			 virt->get_sysreg(vcpu, SYSREG_DEBUGCTL) &
				 ~(DEBUGCTLMSR_LBR | DEBUGCTLMSR_BTF));
	if (exception->type == EVENT_PRIV_EXCEPTION)
		return;
	write_dr6(((read_dr6() & ~DR6_BREAKPOINTS) | DR6_RTM |
		   (reasons & (DR6_BREAKPOINTS | DR6_BD | DR6_BS))) &
		  ~(reasons & (DR6_RTM | DR6_BLD)));
	virt->set_sysreg(vcpu, SYSREG_DR7, virt->get_sysreg(vcpu, SYSREG_DR7) & ~DR7_GD);
}

/* RFLAGS.RF is what the CPU has saved, except with faults, for which it is 1. SDM: "RFLAGS Image
 * Saved by Exceptions". */
void reflect_exception(struct vcpu *vcpu, const struct exception *exception)
{
	if (exception->vector == PF_VECTOR)
		write_cr2(exception->payload);
	if (exception->vector == DB_VECTOR)
		change_debug_registers(vcpu, exception);
	if (exception->type == EVENT_EXCEPTION && exception->vector != DB_VECTOR)
		virt->set_sysreg(vcpu, SYSREG_RFLAGS,
				 virt->get_sysreg(vcpu, SYSREG_RFLAGS) | RFLAGS_RF);
	queue_event(vcpu, (struct vcpu_event){.type = exception->type,
					      .vector = exception->vector,
					      .has_error_code = exception->has_error_code,
					      .error_code = exception->error_code,
					      .insn_len = exception->insn_len});
}
