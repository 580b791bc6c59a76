/* SPDX-License-Identifier: MIT */
/*
 * Lab 3, hole 4: the guest gets an exception that has exited. Your file takes the place of
 * vmm/reflect.c.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "lib/log.h"
#include "vmm/event.h"
#include "vmm/exception.h"
#include "vmm/virt_ops.h"

/* Given. A #DB that exits has changed none of these. Bits of DR6: B0 to B3, BD, BS; RTM, which is 0
 * in an RTM region only. INT1 changes only IA32_DEBUGCTL. SDM: "Debug Status Register (DR6)". */
static __used void change_debug_registers(struct vcpu *vcpu, const struct exception *exception)
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

/*
 * Hole 4. The guest has caused @exception (vmm/exception.h). Instead of delivering it, the CPU has
 * left the guest, and has changed nothing. The guest is to get it, with all that the delivery by
 * the CPU would have changed.
 *
 *  - #PF (PF_VECTOR): CR2 becomes the linear address, @exception->payload. The guest's CR2 is the
 *    CPU's: neither entry nor exit switches it: write_cr2().
 *  - #DB (DB_VECTOR): change_debug_registers().
 *  - A fault saves RFLAGS with RF = 1, so that the instruction, when it is executed again, does not
 *    stop at a breakpoint a second time: set RFLAGS_RF in the guest's RFLAGS
 *    (virt->get_sysreg(vcpu, SYSREG_RFLAGS) and virt->set_sysreg()). Faults are all of the type
 *    EVENT_EXCEPTION, but for #DB. The others leave RFLAGS as it is.
 *  - Queue the event for the next VM entry: queue_event(vcpu, event), with type, vector,
 *    has_error_code, error_code and insn_len of @exception. The CPU delivers it, and pushes the
 *    error code.
 *
 * SDM: "Reflecting Exceptions to Guest Software", "Architectural State Before a VM Exit", "RFLAGS
 * Image Saved by Exceptions".
 */
void reflect_exception(struct vcpu *vcpu, const struct exception *exception)
{
	(void)vcpu, (void)exception;
	pr_warn_ratelimited("Lab 3: reflect_exception() is yours to write.");
}
