/* SPDX-License-Identifier: MIT */
/*
 * What a walk of 4-level page tables must find, by the SDM: "4-Level Paging and 5-Level Paging",
 * "Determination of Access Rights", "Page-Fault Exceptions". It is written by itself, so that a
 * mistake of the hypervisor is not in it, too.
 */
#ifndef GH_LABS_08_ORACLE_H
#define GH_LABS_08_ORACLE_H

#include "vmm/x86/guest_walk.h"

struct answer {
	bool fault;
	u32 error;    /* of the fault */
	int level;    /* where the walk ends */
	u64 at[5];    /* where each entry is; of the levels 4 to @level */
	u64 entry[5]; /* their values before the walk */
	u8 rights[5]; /* of all entries above */
	unsigned acc; /* of all entries that could be used */
	gpa_t gpa;    /* without a fault */
};

/* What the walk @w, which has not begun yet, must find. @rights: with access rights, or only the
 * walk. */
void oracle_walk(const struct guest_walk *w, bool rights, struct answer *answer);

/* May the access be made to a page with the rights @acc, and which error code has it if not, but
 * for PF_ERROR_P? */
bool oracle_allows(const struct paging_mode *mode, u32 access, unsigned acc);
u32 oracle_error(const struct paging_mode *mode, u32 access);

/* The entry in the guest's memory at guest-physical @at; NULL: there is no memory. */
u64 *oracle_entry(struct vm *vm, gpa_t at);

#endif
