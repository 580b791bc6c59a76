/* SPDX-License-Identifier: MIT */
/*
 * VMCALL by the guest.
 */
#include "vmm/hypercall.h"
#include "arch/x86/cpu.h"
#include "vmm/guest_mem.h"
#include "vmm/leave.h"
#include "vmm/virt_ops.h"

int emulate_hypercall(struct vcpu *vcpu)
{
	if (vcpu->regs[VCPU_RAX] != HYPERCALL_LEAVE || guest_mode(vcpu) != INSN_64 ||
	    guest_cpl(vcpu)) {
		queue_exception(vcpu, UD_VECTOR);
		return 1;
	}
	virt->skip_emulated_instruction(vcpu);
	vcpu->regs[VCPU_RAX] = (u64)vm_leave(vcpu);
	return 1;
}
