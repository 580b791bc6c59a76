/* SPDX-License-Identifier: MIT */
/*
 * The walk of a guest's page tables, in every mode of paging: what the CPU does without
 * second-level tables. It reads the guest's memory by its slots (vmm/memslot.h), and knows no vCPU.
 * SDM: "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging".
 */
#ifndef GH_GUEST_WALK_H
#define GH_GUEST_WALK_H

#include "vmm/x86/guest_rights.h"

/* One walk. Indices of arrays are levels: 1 is the table whose entries map 4 KiB. */
struct guest_walk {
	/* To be filled in before: */
	const struct paging_mode *mode;
	struct vm *vm;
	gva_t gva;
	u32 access; /* see guest_rights.h */
	/* For protection keys: returns PKRU, or IA32_PKRS if not @user. May be NULL without these.
	 */
	u32 (*keys)(bool user);
	/* By walk_begin(), or in the middle of a walk whose upper part is known: */
	int top;      /* the level of... */
	u64 table;    /* ...this table, guest-physical */
	unsigned acc; /* the rights of all entries above it together */

	/* The result: */
	int level;                   /* where the walk ended: the leaf's */
	u64 at[PT_MAX_LEVEL + 1];    /* guest-physical address of the entry */
	u64 entry[PT_MAX_LEVEL + 1]; /* its value, with the flags that the walk has set */
	u8 rights[PT_MAX_LEVEL + 1]; /* of all entries above that one together */
	unsigned leaf_acc;           /* of all entries together; a write: and of the page's key */
	gpa_t gpa;                   /* of the byte at gva */
	u32 error;                   /* after -EFAULT: #PF's error code */
};

/* Prepare @w for a walk from the top. */
void walk_begin(struct guest_walk *w);

/*
 * Walk. Returns 0, with accessed and dirty flags set as the access sets them; or -EFAULT, with no
 * flag set. If another CPU changes an entry before its flag is set, the walk begins again; if that
 * happens very often: -EAGAIN, so that the caller can release what others wait for. A table outside
 * of memory reads as all ones. Without paging: gva is gpa. SDM: "Determination of Access Rights",
 * "Accessed and Dirty Flags", "Page-Fault Exceptions".
 */
int walk_addr(struct guest_walk *w);

#endif
