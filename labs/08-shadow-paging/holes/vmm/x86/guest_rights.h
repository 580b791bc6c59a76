/* SPDX-License-Identifier: MIT */
/*
 * Lab 8, holes 2 and 3: accesses, and what the entries of a guest's page tables allow. Your file
 * takes the place of vmm/x86/guest_rights.h.
 *
 * An access: PF_ERROR_W for a write, PF_ERROR_FETCH for an instruction fetch, neither for a read;
 * PF_ERROR_U at CPL 3; and the bits below. struct paging_mode, the bits of entries (PT_) and the
 * rights (ACC_) are in vmm/x86/guest_entry.h.
 */
#ifndef GH_GUEST_RIGHTS_H
#define GH_GUEST_RIGHTS_H

#include "arch/x86/cpu.h"
#include "vmm/x86/guest_entry.h"

#define WALK_AC      BIT(30) /* SMAP does not apply: AC is set */
#define WALK_CHECKED BIT(31) /* the CPU has checked rights and set flags */

/*
 * Hole 3. May @access be made where all entries together give the rights @acc? (ACC_W: all entries
 * are writable. ACC_U: all are user entries. ACC_X: none has NX.)
 *
 *  - At CPL 3 (PF_ERROR_U): only to user pages; to write needs ACC_W, to fetch ACC_X.
 *  - The supervisor writes also where ACC_W is missing, if mode->wp is false.
 *  - The supervisor fetches where ACC_X is, but not from a user page if mode->smep.
 *  - The supervisor reads and writes user pages, but not if mode->smap, unless @access has WALK_AC.
 *
 * SDM: "Determination of Access Rights".
 */
static inline bool may_access(const struct paging_mode *mode, u32 access, unsigned acc)
{
	(void)mode, (void)access, (void)acc;
	return true; /* yours to write */
}

/*
 * Hole 2. The bits of the error code of the #PF that @access causes which do not depend on the
 * entries: PF_ERROR_W and PF_ERROR_U, as the access was; PF_ERROR_FETCH for a fetch, but only if
 * the CPU distinguishes fetches: if mode->smep or mode->nx. SDM: "Page-Fault Exceptions".
 */
static inline u32 access_error(const struct paging_mode *mode, u32 access)
{
	(void)mode, (void)access;
	return 0; /* yours to write */
}

#endif
