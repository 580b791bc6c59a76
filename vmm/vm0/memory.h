/* SPDX-License-Identifier: MIT */
/*
 * VM 0's memory: the identity map of the machine, less what Glasshouse keeps.
 */
#ifndef GH_VMM_VM0_MEMORY_H
#define GH_VMM_VM0_MEMORY_H

#include "vmm/mmu.h"
#include "vmm/vm0/vm0.h"

/* What VM 0's memory is made from. */
struct vm0_memory {
	const struct memmap *machine;   /* memory as the firmware reports it */
	const struct mem_range *hidden; /* Glasshouse's own memory, at most VM0_MAX_HIDDEN ranges */
	unsigned nr_hidden;
};

/*
 * Give VM 0 its slots, its memory map and its EPT: everything below 4 GiB and everything that the
 * memory map describes above, with the memory types of the MTRRs, less what is hidden. Returns 0 or
 * negative.
 */
int vm0_memory_init(struct vm0 *vm0, const struct vm0_memory *memory);

/* Does [@gpa, @gpa+@size) overlap Glasshouse's own memory? */
bool vm0_is_hidden(const struct vm0 *vm0, gpa_t gpa, u64 size);

/* vm_ops.page_fault: hidden memory, devices above RAM at their first touch, the local APIC while it
 * is trapped. */
int vm0_page_fault(struct vcpu *vcpu, const struct page_fault *fault);

#endif
