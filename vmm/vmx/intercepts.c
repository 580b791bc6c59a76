/* SPDX-License-Identifier: MIT */
/*
 * Which MSRs and ports exit. The CPU may read the bitmaps of a VMCS at any time while the guest
 * runs, so they must not change then. SDM: "Software Use of the VMCS and Related Structures".
 */
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/vmx/vmx.h"

static void set_bit_to(u8 *bitmap, u32 bit, bool on)
{
	u8 mask = (u8)BIT(bit % 8);

	if (on)
		__atomic_or_fetch(&bitmap[bit / 8], mask, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&bitmap[bit / 8], (u8)~mask, __ATOMIC_RELAXED);
}

/* SDM: "MSR-Bitmap Address": reads of low MSRs, of high ones, writes of low ones, of high ones; 1
 * KiB each. */
void vmx_set_msr_intercept(struct vm *vm, u32 msr, bool read, bool write)
{
	u8 *bitmap = ((struct vm_vmx *)vm->arch)->msr_bitmap;
	u32 offset = msr >= 0xc0000000 ? 1024 : 0;

	BUG_ON(msr & ~0xc0001fffu || (msr > 0x1fff && msr < 0xc0000000));
	set_bit_to(bitmap + offset, msr & 0x1fff, read);
	set_bit_to(bitmap + offset + 2048, msr & 0x1fff, write);
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		__atomic_or_fetch(&vm->vcpus[i]->requests, (u32)REQ_INTERCEPTS, __ATOMIC_SEQ_CST);
}

void vmx_load_intercepts(struct vcpu *vcpu)
{
	memcpy(to_vmx(vcpu)->msr_bitmap, ((struct vm_vmx *)vcpu->vm->arch)->msr_bitmap, PAGE_SIZE);
}

/*
 * All vCPUs share one bitmap, in which a bit changes by an atomic write of its byte, also while
 * other vCPUs run (kbc.c and cmos.c do so). A copy for each vCPU, renewed at its next exit as the
 * MSR bitmap is, would be too late: the guest could write on another CPU what must not reach the
 * machine. The SDM calls the behaviour of a CPU that uses the bitmap meanwhile unpredictable; the
 * access that matters here comes after the guest's own write to another port has exited.
 */
void vmx_set_io_intercept(struct vm *vm, u16 port, unsigned length, bool on)
{
	for (unsigned i = 0; i < length; i++)
		set_bit_to(((struct vm_vmx *)vm->arch)->io_bitmap, (u32)port + i, on);
}
