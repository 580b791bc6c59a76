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
	u64 address;    /* FAULT_GUEST_PAGING: linear; else guest-physical */
	u32 error_code; /* FAULT_GUEST_PAGING: as #PF pushes it */
	bool write, fetch;
	bool gva_valid; /* FAULT_SECOND_LEVEL: gva is the linear address */
	bool final;     /* the access itself, not one to the guest's page tables on the way */
	gva_t gva;
};

/*
 * Handle a page fault of either kind: the guest's own is injected into it; one of the second level
 * goes to the VM's page_fault operation. Returns what an exit handler returns: 1 to go on.
 */
int mmu_page_fault(struct vcpu *vcpu, const struct page_fault *fault);

#endif
