/* SPDX-License-Identifier: MIT */
/*
 * The handler of both kinds of page fault: those that the guest's own page tables cause (#PF), and
 * those that the second-level tables cause.
 */
#ifndef GH_VMM_MMU_H
#define GH_VMM_MMU_H

#include "types.h"

struct vcpu;

enum fault_kind {
	FAULT_GUEST_PAGING, /* by the guest's page tables: #PF */
	FAULT_SECOND_LEVEL, /* by the second-level tables */
};

/* The order of the members saves stores: this is on the way of each first access. */
struct page_fault {
	enum fault_kind kind;
	u32 error_code; /* FAULT_GUEST_PAGING: the error code of the #PF */
	/* FAULT_GUEST_PAGING: linear. FAULT_SECOND_LEVEL: guest-physical, but only the page is
	 * valid: if Glasshouse runs nested in KVM, the offset may be 0. */
	u64 address;

	/* FAULT_SECOND_LEVEL only: */
	/* The linear address as the CPU reports it; ~0: it reports none. A hint only: nested in
	 * KVM, it may be that of an earlier exit. */
	gva_t gva_hint;
	bool write, fetch; /* neither: a read. An instruction that reads and writes: a write */
	bool table;        /* the CPU accessed a guest page table, at address, during a page walk */
};

/*
 * Handle a page fault, the one place for all of them. FAULT_GUEST_PAGING: by vcpu->page_fault,
 * which is reflect_page_fault() where the CPU uses the second-level tables, else that of the shadow
 * page tables. FAULT_SECOND_LEVEL: by vm_ops.page_fault, or if it is due to a watched page, by
 * view.h. Returns what an exit handler returns (virt_ops.handle_exit).
 */
int mmu_page_fault(struct vcpu *vcpu, const struct page_fault *fault);

/* The guest's own page tables caused @fault: inject it, as it is. SDM: "Page-Fault Exceptions". */
int reflect_page_fault(struct vcpu *vcpu, const struct page_fault *fault);

#endif
