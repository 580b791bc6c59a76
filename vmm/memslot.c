/* SPDX-License-Identifier: MIT */
/*
 * Memory slots. See memslot.h.
 */
#include "vmm/memslot.h"
#include "errno.h"
#include "lib/string.h"
#include "vmm/shadow_ops.h"
#include "vmm/steps.h"
#include "vmm/view_ops.h"
#include "vmm/vm.h"

int set_memory_region(struct vm *vm, gfn_t base_gfn, u64 npages, u64 hva)
{
	struct memory_slots *s = &vm->slots;

	STEP_ONCE(memory_region);
	for (unsigned i = 0; i < s->nr; i++)
		if (ranges_overlap(base_gfn, npages, s->slot[i].base_gfn, s->slot[i].npages))
			return -EEXIST;
	if (s->nr == VM_MAX_SLOTS)
		return -ENOSPC;
	s->slot[s->nr++] = (struct memory_slot){base_gfn, npages, hva};
	return 0;
}

struct memory_slot *gfn_to_memslot(struct vm *vm, gfn_t gfn)
{
	struct memory_slot *slot = &vm->slots.slot[READ_ONCE(vm->slots.last)];

	if (likely(gfn - slot->base_gfn < slot->npages))
		return slot;
	for (unsigned i = 0; i < vm->slots.nr; i++) {
		slot = &vm->slots.slot[i];
		if (gfn - slot->base_gfn < slot->npages) {
			__atomic_store_n(&vm->slots.last, i, __ATOMIC_RELAXED);
			return slot;
		}
	}
	return NULL;
}

u64 gfn_to_hva(struct vm *vm, gfn_t gfn)
{
	struct memory_slot *slot = gfn_to_memslot(vm, gfn);

	return slot ? slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT) : 0;
}

void *gpa_to_ptr(struct vm *vm, gpa_t gpa, u64 len)
{
	struct memory_slot *slot = gfn_to_memslot(vm, gpa >> PAGE_SHIFT);
	u64 offset;

	if (!slot)
		return NULL;
	offset = gpa - (slot->base_gfn << PAGE_SHIFT);
	if (len > (slot->npages << PAGE_SHIFT) - offset)
		return NULL;
	return (void *)(slot->userspace_addr + offset);
}

static int copy_guest(struct vm *vm, gpa_t gpa, void *buf, size_t len, bool write)
{
	char *p = buf;

	while (len) {
		size_t offset = gpa & ~PAGE_MASK, n = MIN(len, PAGE_SIZE - offset);
		u64 hva = gfn_to_hva(vm, gpa >> PAGE_SHIFT);

		if (!hva)
			return -EFAULT;
		if (write) {
			memcpy((char *)hva + offset, p, n);
			if (vm->view_ops)
				vm->view_ops->written(vm, gpa);
			if (vm->shadow_ops)
				vm->shadow_ops->written(vm, gpa);
		} else {
			memcpy(p, (char *)hva + offset, n);
		}
		gpa += n;
		p += n;
		len -= n;
	}
	return 0;
}

int read_guest(struct vm *vm, gpa_t gpa, void *buf, size_t len)
{
	return copy_guest(vm, gpa, buf, len, false);
}

int write_guest(struct vm *vm, gpa_t gpa, const void *buf, size_t len)
{
	return copy_guest(vm, gpa, (void *)buf, len, true);
}
