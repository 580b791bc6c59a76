/* SPDX-License-Identifier: MIT */
/*
 * Microcode updates by the guest. The CPU reads an update by a linear address, which
 * Glasshouse's page tables map differently than the guest's; so it gets a copy. The CPU checks
 * that the update is genuine and for this CPU. CPUID bits that the update adds do not reach the
 * guest if they are hidden: see cpuid_hide().
 */
#include "vmm/vm0/microcode.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "vmm/vcpu.h"
#include "vmm/vm0/vm0.h"
#include "vmm/x86/guest_mem.h"

#define DEFAULT_DATA  2000u
#define DEFAULT_TOTAL 2048u

u32 microcode_size(const struct microcode_header *h)
{
	u32 data = h->data_size ? h->data_size : DEFAULT_DATA;
	u32 total = h->data_size ? h->total_size : DEFAULT_TOTAL;

	if (h->header_version != 1 || h->loader_version != 1)
		return 0;
	if (data % 4 || total % 1024 || total > MICROCODE_MAX ||
	    total < (u64)data + sizeof(struct microcode_header))
		return 0;
	return total;
}

/* SDM: "Determining the Signature": CPUID writes the revision to the MSR. */
static u32 read_revision(void)
{
	u64 sign;

	wrmsr_safe(MSR_IA32_UCODE_REV, 0);
	cpuid(1, 0);
	rdmsr_safe(MSR_IA32_UCODE_REV, &sign);
	return (u32)(sign >> 32);
}

/* Copy the update to @copy, which has @room bytes. Its size is taken from the copied header, which
 * the guest cannot change. Returns NULL, or why the update is refused. */
static const char *copy_update(struct vcpu *vcpu, u64 address, struct microcode_header *copy,
			       u64 room)
{
	u64 start = address - sizeof(*copy);
	u32 size;

	if (read_guest_virt(vcpu, start, copy, sizeof(*copy)))
		return "its header is not in memory";
	size = microcode_size(copy);
	if (!size)
		return "its header is invalid, or it is longer than 2 MiB";
	if (size > room)
		return "it is longer than the memory that is kept for it: add reserve=2M to "
		       "Glasshouse's command line";
	if (read_guest_virt(vcpu, address, copy + 1, size - sizeof(*copy)))
		return "not all of it is in memory";
	return NULL;
}

int microcode_update(struct vcpu *vcpu, u64 address)
{
	static spinlock_t lock;
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	struct microcode_header *copy = vm0->microcode_copy;
	const char *why_not;
	u32 before = 0, now = 0;
	int r = 0;

	spin_lock(&lock);
	why_not = copy_update(vcpu, address, copy, vm0->microcode_room);
	if (!why_not) {
		before = read_revision();
		r = wrmsr_safe(MSR_IA32_UCODE_WRITE, (u64)(copy + 1));
		now = read_revision();
	}
	spin_unlock(&lock);
	if (why_not)
		pr_warn_ratelimited("vCPU %u: microcode update by the guest refused: %s", vcpu->id,
				    why_not);
	else
		pr_warn_ratelimited(
			"vCPU %u: microcode update by the guest: revision %x before, %x now%s",
			vcpu->id, before, now, r ? " (the CPU refuses it: #GP to the guest)" : "");
	return r ? -EINVAL : 0;
}
