/* SPDX-License-Identifier: MIT */
/*
 * The identity map, and what to do about accesses that it does not allow.
 */
#include "vmm/mmu.h"
#include "arch/x86/cpu.h"
#include "lib/log.h"
#include "vmm/emulate.h"
#include "vmm/icr.h"
#include "vmm/virt_ops.h"

bool vm_is_hidden(const struct vm *vm, gpa_t gpa, u64 size)
{
	for (unsigned i = 0; i < vm->nr_hidden; i++)
		if (ranges_overlap(gpa, size, vm->hidden[i].base, vm->hidden[i].size))
			return true;
	return false;
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
		r = ept_unmap(&vm->ept, vm->hidden[i].base, vm->hidden[i].size);
	return r;
}

/* The guest touches what the memory map does not know: devices above RAM. */
static int map_first_touch(struct vcpu *vcpu, gpa_t gpa)
{
	struct vm *vm = vcpu->vm;
	struct ept_mapping hole;
	u64 base, size;
	int r;

	/* No more than the hole, where RAM ends in the midst of a block. */
	ept_walk(&vm->ept, gpa, &hole);
	size = MIN(hole.size, MIB(2));
	base = ALIGN_DOWN(gpa, size);
	if (vm_is_hidden(vm, base, size)) {
		base = ALIGN_DOWN(gpa, PAGE_SIZE);
		size = PAGE_SIZE;
	}
	r = ept_map(&vm->ept, base, base, size, EPT_RWX, MEMTYPE_UC);
	if (r) {
		pr_warn_ratelimited("vCPU %u: guest-physical %llx cannot be mapped (error %d): #GP "
				    "to the guest",
				    vcpu->id, (unsigned long long)gpa, -r);
		queue_exception_e(vcpu, GP_VECTOR, 0);
		return 1;
	}
	pr_warn_ratelimited("vCPU %u: first touch of %llx, which the memory map does not describe: "
			    "mapped uncached, %llu KiB",
			    vcpu->id, (unsigned long long)gpa, (unsigned long long)size >> 10);
	return 1;
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

int mmu_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct ept_mapping map;

	if (fault->kind == FAULT_GUEST_PAGING)
		return reflect_page_fault(vcpu, fault);
	if (icr_page_fault(vcpu->vm, fault->address) && fault->write)
		return emulate_lapic_write(vcpu, fault);
	if (vm_is_hidden(vcpu->vm, fault->address, 1))
		return emulate_hidden_access(vcpu, fault);
	/* Another CPU may have mapped it, or lifted what forbade it, in the meantime. */
	if (ept_walk(&vcpu->vm->ept, fault->address, &map) && allowed(&map, fault))
		return 1;
	if (!map.prot)
		return map_first_touch(vcpu, fault->address);
	pr_warn_ratelimited("vCPU %u: guest-physical %llx may not be %s: #GP to the guest",
			    vcpu->id, (unsigned long long)fault->address,
			    fault->write ? "written" : "used so");
	queue_exception_e(vcpu, GP_VECTOR, 0);
	return 1;
}
