/* SPDX-License-Identifier: MIT */
/*
 * The sub-page permission table: which of the 32 parts of 128 bytes of a page may be written
 * although the EPT does not allow writes. The CPU asks it for pages that are held with EPT_SUBPAGE,
 * where the control "sub-page write permissions for EPT" is 1.
 *
 * Source: Intel SDM, "Sub-Page Write Permissions". Compiles on the host for its unit tests.
 */
#ifndef GH_EPT_SPPT_H
#define GH_EPT_SPPT_H

#include "ept/ept.h"

#define SPPT_PART_SIZE 128

struct sppt {
	u64 *root; /* NULL: there is no table yet */
};

/*
 * Allow writes to the parts of the page at @gpa (below 48 bits) whose bits are set in @writable;
 * bit 0 is the first. Tables come from @ept's allocator, and are never freed. The caller executes
 * INVEPT afterwards. One caller at a time; CPUs may use the table meanwhile. Returns 0 or -ENOMEM.
 */
int sppt_set(struct sppt *sppt, struct ept *ept, gpa_t gpa, u32 writable);

/* The value for the VMCS field "sub-page-permission-table pointer"; 0 if there is no table. */
u64 sppt_pointer(const struct sppt *sppt, const struct ept *ept);

#endif
