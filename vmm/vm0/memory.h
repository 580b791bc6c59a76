/* SPDX-License-Identifier: MIT */
/*
 * VM 0's memory: the machine's, mapped one to one, except Glasshouse's own memory.
 */
#ifndef GH_VMM_VM0_MEMORY_H
#define GH_VMM_VM0_MEMORY_H

#include "vmm/mmu.h"
#include "vmm/vm0/vm0.h"

/* The configuration of VM 0's memory. */
struct vm0_memory {
	const struct memmap *machine;   /* memory as the firmware reports it */
	const struct mem_range *hidden; /* Glasshouse's own memory, at most VM0_MAX_HIDDEN ranges */
	unsigned nr_hidden;
	/* The parts of it that the guest may read: LOG_RINGS ranges, of size 0 where there is no
	 * log. CPUID names them. */
	const struct mem_range *logs;
	struct mem_range trace; /* the exits of its vCPUs: the same for LOG_RING_TRACE */
};

/*
 * Create VM 0's memory slots and memory map, and fill its second-level tables: all addresses below
 * 4 GiB, and the ranges of the memory map above, with the memory types of the MTRRs, except hidden
 * memory, of which the logs are mapped read-only. Returns 0, or a negative error: out of memory, or
 * too many ranges.
 */
int vm0_memory_init(struct vm0 *vm0, const struct vm0_memory *memory);

/* vm_ops.page_fault: emulates accesses to hidden memory and to the trapped local APIC, and maps
 * devices above RAM at the first access. Injects #GP for other faults. */
int vm0_page_fault(struct vcpu *vcpu, const struct page_fault *fault);

/* vm_ops.keeps_page: hidden memory, and the local APIC while it is trapped. */
bool vm0_keeps_page(struct vm *vm, gpa_t gpa);

#endif
