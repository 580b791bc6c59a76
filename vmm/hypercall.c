/* SPDX-License-Identifier: MIT */
/*
 * VMCALL by the guest.
 */
#include "vmm/hypercall.h"
#include "arch/x86/cpu.h"
#include "vmm/leave.h"
#include "vmm/virt_ops.h"

#define AR_L      BIT(13)
#define AR_DPL(x) ((x) >> 5 & 3)

int emulate_hypercall(struct vcpu *vcpu)
{
	struct segment cs, ss;

	virt->get_segment(vcpu, SEG_CS, &cs);
	virt->get_segment(vcpu, SEG_SS, &ss);
	if (vcpu->regs[VCPU_RAX] != HYPERCALL_LEAVE || !(cs.ar & AR_L) || AR_DPL(ss.ar)) {
		queue_exception(vcpu, UD_VECTOR);
		return 1;
	}
	virt->skip_emulated_instruction(vcpu);
	vcpu->regs[VCPU_RAX] = (u64)vm_leave(vcpu);
	return 1;
}
