/* SPDX-License-Identifier: MIT */
/*
 * Memory slots: which guest frames are memory, and where that memory is in the host's address space
 * (gfn -> hva). All accesses of the hypervisor to a guest's memory use them. The second-level
 * tables, which the CPU uses, are separate (ept/).
 */
#ifndef GH_VMM_MEMSLOT_H
#define GH_VMM_MEMSLOT_H

#include "types.h"

struct vm;
struct memory_slot;

/*
 * Add a slot of @npages pages at guest frame @base_gfn, backed by the memory at host linear address
 * @hva, page-aligned. Returns 0, -EEXIST if it overlaps another slot, or -ENOSPC if the VM has
 * VM_MAX_SLOTS slots.
 */
int set_memory_region(struct vm *vm, gfn_t base_gfn, u64 npages, u64 hva);

/* Returns the slot that contains @gfn, or NULL. */
struct memory_slot *gfn_to_memslot(struct vm *vm, gfn_t gfn);

/* Returns the host linear address of guest frame @gfn, or 0 if it is in no slot. */
u64 gfn_to_hva(struct vm *vm, gfn_t gfn);

/*
 * Returns the host linear address of the @len bytes at guest-physical @gpa, or NULL if they are not
 * all in one slot. For loaders, which fill large ranges.
 */
void *gpa_to_ptr(struct vm *vm, gpa_t gpa, u64 len);

/*
 * Copy @len bytes from or to guest-physical @gpa. Returns 0, or -EFAULT if a byte is in no slot;
 * the bytes before it have been copied.
 */
int read_guest(struct vm *vm, gpa_t gpa, void *buf, size_t len);
int write_guest(struct vm *vm, gpa_t gpa, const void *buf, size_t len);

#endif
