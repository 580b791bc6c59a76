/* SPDX-License-Identifier: MIT */
/*
 * The common place of page faults: those that the guest's own page tables cause (#PF), and those
 * that the second-level tables cause (EPT violation).
 */
#ifndef GH_MMU_H
#define GH_MMU_H

#include "types.h"

struct vcpu;

enum fault_kind {
	FAULT_GUEST_PAGING, /* #PF by the guest's page tables */
	FAULT_SECOND_LEVEL, /* by the tables below them */
};

struct page_fault {
	enum fault_kind kind;
	/* FAULT_GUEST_PAGING: linear. Else guest-physical, of which only the page counts: KVM, when
	 * we are nested in it, may leave the rest 0. */
	u64 address;
	u32 error_code; /* FAULT_GUEST_PAGING: as #PF pushes it */
	bool write, fetch;
	bool table; /* FAULT_SECOND_LEVEL: the CPU walked the guest's page tables, of which this is
		       one */
};

/*
 * Handle a page fault of either kind: the guest's own is injected into it; one of the second level
 * goes to the VM's page_fault operation. Returns what an exit handler returns: 1 to go on.
 */
int mmu_page_fault(struct vcpu *vcpu, const struct page_fault *fault);

#endif
