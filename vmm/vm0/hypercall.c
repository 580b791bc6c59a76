/* SPDX-License-Identifier: MIT */
/*
 * VMCALL by the guest.
 */
#include "vmm/vm0/hypercall.h"
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/vm0/leave.h"
#include "vmm/virt_ops.h"

int emulate_hypercall(struct vcpu *vcpu)
{
	if (vcpu->regs[VCPU_RAX] != HYPERCALL_LEAVE || guest_mode(vcpu) != INSN_64 ||
	    guest_cpl(vcpu)) {
		pr_warn_ratelimited("vCPU %u: VMCALL with RAX %lx at RIP %lx is no call of "
				    "Glasshouse's: #UD to the guest",
				    vcpu->id, vcpu->regs[VCPU_RAX],
				    virt->get_sysreg(vcpu, SYSREG_RIP));
		queue_exception(vcpu, UD_VECTOR);
		return 1;
	}
	virt->skip_emulated_instruction(vcpu);
	vcpu->regs[VCPU_RAX] = (u64)vm_leave(vcpu);
	return 1;
}
