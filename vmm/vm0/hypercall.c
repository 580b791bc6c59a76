/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls. See hypercall.h.
 */
#include "vmm/vm0/hypercall.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/vm0/icr.h"
#include "vmm/vm0/leave.h"
#include "vmm/event.h"
#include "vmm/recorder_text.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/bios.h"

static int boot_services_end(struct vcpu *vcpu)
{
	icr_firmware_ends(vcpu);
	return 0;
}

#define DUMPED_EXITS 8u /* of each vCPU */
#define ALL_DUMPS    10u

/* As other messages that a guest can cause at will: so often, then at each power of two. */
static int dump_exits(struct vcpu *vcpu)
{
	static u64 times;
	u64 n = __atomic_add_fetch(&times, 1, __ATOMIC_RELAXED);

	if (n > ALL_DUMPS && n & (n - 1))
		return -EBUSY;
	pr_info("vCPU %u asks for the recorded exits, %lu times now.\n", vcpu->id, n);
	for (unsigned i = 0; i < vcpu->vm->nr_vcpus; i++)
		recorder_dump(vcpu->vm->vcpus[i], DUMPED_EXITS);
	return 0;
}

static const struct {
	u64 number;
	/* Returns the value for RAX: 0 or a negative error. The instruction has been skipped. */
	int (*call)(struct vcpu *vcpu);
	bool in_firmware; /* it exists only while the guest is the firmware */
} hypercalls[] = {
	{HYPERCALL_LEAVE, vm_leave, false},
	{HYPERCALL_BOOT_SERVICES_END, boot_services_end, true},
	{HYPERCALL_DUMP_EXITS, dump_exits, false},
};

static int no_hypercall(struct vcpu *vcpu)
{
	pr_warn_ratelimited("vCPU %u: VMCALL with RAX %lx at RIP %lx is not a hypercall of "
			    "Glasshouse: #UD to the guest",
			    vcpu->id, vcpu->regs[VCPU_RAX], virt->get_sysreg(vcpu, SYSREG_RIP));
	queue_exception(vcpu, UD_VECTOR);
	return 1;
}

int vm0_hypercall(struct vcpu *vcpu)
{
	if (bios_call_ends(vcpu))
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(hypercalls); i++) {
		if (hypercalls[i].number != vcpu->regs[VCPU_RAX])
			continue;
		if (guest_mode(vcpu) != INSN_64 || guest_cpl(vcpu) ||
		    (hypercalls[i].in_firmware && !to_vm0(vcpu->vm)->in_firmware))
			break;
		virt->skip_emulated_instruction(vcpu);
		vcpu->regs[VCPU_RAX] = (u64)hypercalls[i].call(vcpu);
		return 1;
	}
	return no_hypercall(vcpu);
}
