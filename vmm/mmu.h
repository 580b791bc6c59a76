/* SPDX-License-Identifier: MIT */
/*
 * Page faults, from both roads: the guest's own page tables (#PF), and ours below them (EPT
 * violation).
 */
#ifndef GH_MMU_H
#define GH_MMU_H

#include "vmm/vm.h"

enum fault_kind {
	FAULT_GUEST_PAGING, /* #PF by the guest's page tables */
	FAULT_SECOND_LEVEL, /* by the EPT */
};

struct page_fault {
	enum fault_kind kind;
	u64 address;    /* FAULT_GUEST_PAGING: linear; else guest-physical */
	u32 error_code; /* FAULT_GUEST_PAGING: as #PF pushes it */
	bool write, fetch;
	bool gva_valid; /* FAULT_SECOND_LEVEL: gva is the linear address */
	bool final;     /* the access itself, not one to the guest's page tables on the way */
	gva_t gva;
};

/*
 * Handle a page fault of either kind. Returns what an exit handler returns: 1 to go on.
 */
int mmu_page_fault(struct vcpu *vcpu, const struct page_fault *fault);

/*
 * Build the identity map of VM 0: all below 4 GiB and all that the memory map describes above, with
 * the memory types of the MTRRs, less what is hidden. Returns 0 or negative.
 */
int mmu_map_machine(struct vm *vm);

#endif
