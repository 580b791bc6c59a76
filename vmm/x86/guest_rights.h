/* SPDX-License-Identifier: MIT */
/*
 * Accesses, and what the entries of a guest's page tables allow.
 *
 * An access: PF_ERROR_W for a write, PF_ERROR_FETCH for an instruction fetch, neither for a read;
 * PF_ERROR_U at CPL 3; and the bits below. SDM: "Page-Fault Exceptions".
 */
#ifndef GH_GUEST_RIGHTS_H
#define GH_GUEST_RIGHTS_H

#include "arch/x86/cpu.h"
#include "vmm/x86/guest_entry.h"

#define WALK_AC      BIT(30) /* SMAP does not apply: AC is set */
#define WALK_CHECKED BIT(31) /* the CPU has checked rights and set flags */

/* May @access be made where all entries together give the rights @acc? Protection keys are another
 * matter. SDM: "Determination of Access Rights". */
static inline bool may_access(const struct paging_mode *mode, u32 access, unsigned acc)
{
	bool user = access & PF_ERROR_U, fetch = access & PF_ERROR_FETCH;

	if (user && !(acc & ACC_U))
		return false;
	if (fetch && (!(acc & ACC_X) || (!user && acc & ACC_U && mode->smep)))
		return false;
	if (!user && !fetch && acc & ACC_U && mode->smap && !(access & WALK_AC))
		return false;
	return !(access & PF_ERROR_W) || acc & ACC_W || !(user || mode->wp);
}

/* The bits of the error code of the #PF that @access causes which do not depend on the entries.
 * SDM: "Page-Fault Exceptions". */
static inline u32 access_error(const struct paging_mode *mode, u32 access)
{
	u32 error = access & (PF_ERROR_W | PF_ERROR_U);

	if (access & PF_ERROR_FETCH && (mode->smep || (mode->nx && mode->levels > 2)))
		error |= PF_ERROR_FETCH;
	return error;
}

#endif
