/* SPDX-License-Identifier: MIT */
/*
 * Which MSRs and ports exit. The CPU may read the bitmaps of a VMCS at any time while the guest
 * runs, so they must not change then: each vCPU has its own, copies of the VM's. SDM: "Software Use
 * of the VMCS and Related Structures".
 */
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/vmx/vmx.h"

void vmx_set_bit(u8 *bitmap, u32 bit, bool on)
{
	u8 mask = (u8)BIT(bit % 8);

	if (on)
		__atomic_or_fetch(&bitmap[bit / 8], mask, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&bitmap[bit / 8], (u8)~mask, __ATOMIC_RELAXED);
}

/* After a change of the VM's bitmaps: each vCPU renews its own before its next entry. */
static void renew_copies(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		__atomic_or_fetch(&vm->vcpus[i]->requests, (u32)REQ_INTERCEPTS, __ATOMIC_SEQ_CST);
}

void vmx_set_msr_intercept(struct vm *vm, u32 msr, bool read, bool write)
{
	u8 *bitmap = ((struct vm_vmx *)vm->arch)->bitmaps + BITMAP_MSR;
	BUG_ON(msr & ~0xc0001fffu || (msr > 0x1fff && msr < 0xc0000000));
	vmx_set_bit(bitmap, msr_read_bit(msr), read);
	vmx_set_bit(bitmap, msr_read_bit(msr) + MSR_WRITE_BIT, write);
	renew_copies(vm);
}

void vmx_set_io_intercept(struct vm *vm, u16 port)
{
	vmx_set_bit(((struct vm_vmx *)vm->arch)->bitmaps + BITMAP_IO_A, port, true);
	renew_copies(vm);
}

/* The vCPU is in root mode: its own bitmaps may change. */
static void set_rare_ports(struct vcpu_vmx *vmx)
{
	const struct vm_vmx *vm = vmx->vcpu.vm->arch;

	for (unsigned i = 0; i < vm->nr_rare; i++)
		vmx_set_bit(vmx->bitmaps + BITMAP_IO_A, vm->rare[i], vmx->rare);
}

void vmx_load_intercepts(struct vcpu *vcpu)
{
	u32 old = __atomic_fetch_and(&vcpu->requests, ~(u32)REQ_INTERCEPTS, __ATOMIC_SEQ_CST);

	if (!(old & REQ_INTERCEPTS))
		return;
	memcpy(to_vmx(vcpu)->bitmaps, ((struct vm_vmx *)vcpu->vm->arch)->bitmaps, BITMAP_SIZE);
	set_rare_ports(to_vmx(vcpu));
	vmx_load_icepts(vcpu);
}

void vmx_add_rare_io_intercept(struct vm *vm, u16 port)
{
	struct vm_vmx *vmx = vm->arch;

	BUG_ON(vmx->nr_rare == ARRAY_SIZE(vmx->rare));
	vmx->rare[vmx->nr_rare++] = port;
}

void vmx_use_rare_intercepts(struct vcpu *vcpu, bool on)
{
	if (to_vmx(vcpu)->rare == on)
		return;
	to_vmx(vcpu)->rare = on;
	set_rare_ports(to_vmx(vcpu));
}
