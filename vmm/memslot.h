/* SPDX-License-Identifier: MIT */
/*
 * Memory slots: which guest frames are memory, and where that memory is in our address space (gfn
 * -> hva). Whatever reads or writes a guest's memory goes through here. The second-level tables
 * that the CPU uses are separate (ept/).
 */
#ifndef GH_MEMSLOT_H
#define GH_MEMSLOT_H

#include "types.h"

struct vm;
struct memory_slot;

/*
 * Give the VM @npages of memory at @base_gfn, backed by the memory at our linear address @hva.
 * Returns 0, -EEXIST when it overlaps a slot, -ENOSPC when there are VM_MAX_SLOTS.
 */
int set_memory_region(struct vm *vm, gfn_t base_gfn, u64 npages, u64 hva);

/* The slot that holds @gfn, or NULL. */
struct memory_slot *gfn_to_memslot(struct vm *vm, gfn_t gfn);

/* Our linear address of guest frame @gfn; 0 when it is in no slot. */
u64 gfn_to_hva(struct vm *vm, gfn_t gfn);

/*
 * Our linear address of the @len bytes of guest memory at @gpa, or NULL when they are not all in
 * one slot. For loaders, which fill large ranges.
 */
void *gpa_to_ptr(struct vm *vm, gpa_t gpa, u64 len);

/*
 * Copy @len bytes from or to guest-physical @gpa. Returns 0, or -EFAULT when a byte is in no slot:
 * the bytes before it have been copied.
 */
int read_guest(struct vm *vm, gpa_t gpa, void *buf, size_t len);
int write_guest(struct vm *vm, gpa_t gpa, const void *buf, size_t len);

#endif
