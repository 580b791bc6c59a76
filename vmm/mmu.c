/* SPDX-License-Identifier: MIT */
/*
 * The identity map, and what to do about accesses that it does not allow.
 */
#include "vmm/mmu.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/x86/emulate.h"
#include "vmm/vm0/icr.h"
#include "vmm/virt_ops.h"

bool vm_is_hidden(const struct vm *vm, gpa_t gpa, u64 size)
{
	for (unsigned i = 0; i < vm->nr_hidden; i++)
		if (ranges_overlap(gpa, size, vm->hidden[i].base, vm->hidden[i].size))
			return true;
	return false;
}

/* Below 1 MiB kernels look for tables everywhere, which is worth no line: ones are there at once.
 */
static int hide(struct ept *ept, u64 base, u64 size)
{
	int r = ept_unmap(ept, base, size);

	for (u64 at = base; !r && at < MIN(base + size, MIB(1)); at += PAGE_SIZE)
		r = map_ones(ept, at);
	return r;
}

int mmu_map_machine(struct vm *vm)
{
	int r = ept_map_identity(&vm->ept, &vm->mtrr, 0, GIB(4), EPT_RWX);

	for (unsigned i = 0; !r && i < vm->memmap.nr; i++) {
		const struct mem_range *m = &vm->memmap.r[i];
		u64 start = MAX(ALIGN_DOWN(m->base, PAGE_SIZE), GIB(4));
		u64 end = ALIGN_UP(m->base + m->size, PAGE_SIZE);

		/* What the firmware reserves up there may be larger than memory: the first touch
		 * maps it. */
		if (m->type != MEM_RESERVED && end > start)
			r = ept_map_identity(&vm->ept, &vm->mtrr, start, end, EPT_RWX);
	}
	for (unsigned i = 0; !r && i < vm->nr_hidden; i++)
		r = hide(&vm->ept, vm->hidden[i].base, vm->hidden[i].size);
	/* No CPU knows the tables yet. None falls out of use later, but for one when the trap of
	 * IPIs is lifted. */
	ept_reclaim(&vm->ept);
	return r;
}

/* The guest's own fault: it gets it, as if we had not looked. SDM: "Page-Fault Exceptions". */
static int reflect_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	write_cr2(fault->address);
	queue_exception_e(vcpu, PF_VECTOR, fault->error_code);
	return 1;
}

static bool allowed(const struct ept_mapping *map, const struct page_fault *fault)
{
	unsigned need = fault->fetch ? EPT_X : fault->write ? EPT_R | EPT_W : EPT_R;

	return (map->prot & need) == need;
}

/* The guest has touched what the memory map does not know, a device above RAM; @error: of mapping
 * it. */
static int first_touch(struct vcpu *vcpu, gpa_t gpa, int error)
{
	if (error) {
		pr_warn_ratelimited(
			"vCPU %u: guest-physical %lx cannot be mapped (error %d): #GP to the guest",
			vcpu->id, gpa, -error);
		queue_exception_e(vcpu, GP_VECTOR, 0);
		return 1;
	}
	pr_warn_ratelimited("vCPU %u: first touch of %lx, which the memory map does not describe: "
			    "mapped uncached",
			    vcpu->id, gpa);
	return 1;
}

int mmu_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct vm *vm = vcpu->vm;
	gpa_t gpa = fault->address;
	/* What one touch maps at most: one entry, so that a sweep does not use up our tables. */
	u64 block = vm->ept.caps.page_1g ? GIB(1) : MIB(2);
	struct ept_mapping map;
	int r;

	if (fault->kind == FAULT_GUEST_PAGING)
		return reflect_page_fault(vcpu, fault);
	if (vm_is_hidden(vm, ALIGN_DOWN(gpa, block), block)) {
		if (vm_is_hidden(vm, gpa, 1))
			return emulate_hidden_access(vcpu, fault);
		block = PAGE_SIZE;
	}
	r = ept_map_hole(&vm->ept, gpa, block, MEMTYPE_UC);
	if (r != -EEXIST)
		return first_touch(vcpu, gpa, r);
	if (icr_page_fault(vm, gpa) && fault->write)
		return emulate_lapic_write(vcpu, fault);
	/* Another CPU may have mapped it, or lifted what forbade it, in the meantime. */
	if (ept_walk(&vm->ept, gpa, &map) && allowed(&map, fault))
		return 1;
	pr_warn_ratelimited("vCPU %u: guest-physical %lx may not be %s: #GP to the guest", vcpu->id,
			    gpa, fault->write ? "written" : "used so");
	queue_exception_e(vcpu, GP_VECTOR, 0);
	return 1;
}
