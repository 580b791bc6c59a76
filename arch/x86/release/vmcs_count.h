/* SPDX-License-Identifier: MIT */
/*
 * Nothing is counted in a release build; see arch/x86/debug/vmcs_count.h, its twin.
 */
#ifndef GH_VMCS_COUNT_H
#define GH_VMCS_COUNT_H

#include "types.h"

struct vmcs_count {
	u64 exits, reads, writes;
};

static inline void vmcs_count_read(void)
{
}

static inline void vmcs_count_write(void)
{
}

static inline void vmcs_count_exit(u64 reason)
{
	(void)reason;
}

static inline const struct vmcs_count *vmcs_count_of(u32 reason)
{
	(void)reason;
	return NULL;
}

#endif
