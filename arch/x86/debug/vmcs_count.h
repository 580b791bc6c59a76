/* SPDX-License-Identifier: MIT */
/*
 * Counts VMREAD and VMWRITE for each basic exit reason (make BUILD_TYPE=debug). On a real CPU they
 * are most of the cost of an exit, which ticks of an emulator do not show. The counters are not
 * atomic: exact with one CPU. A release build includes arch/x86/release/vmcs_count.h instead.
 */
#ifndef GH_VMCS_COUNT_H
#define GH_VMCS_COUNT_H

#include "types.h"

#define VMCS_COUNT_REASONS 128u

struct vmcs_count {
	u64 exits, reads, writes;
};

/* Weak, because each file that includes this has a definition. [VMCS_COUNT_REASONS]: before the
 * first exit. */
__attribute__((weak)) struct vmcs_count vmcs_counts[VMCS_COUNT_REASONS + 1];
__attribute__((weak)) u32 vmcs_count_reason = VMCS_COUNT_REASONS;

/* A VMREAD, a VMWRITE: part of the exit that is being handled. */
static inline void vmcs_count_read(void)
{
	vmcs_counts[vmcs_count_reason].reads++;
}

static inline void vmcs_count_write(void)
{
	vmcs_counts[vmcs_count_reason].writes++;
}

/* An exit whose reason has just been read, by one VMREAD, which belongs to it. */
static inline void vmcs_count_exit(u64 reason)
{
	vmcs_counts[vmcs_count_reason].reads--;
	vmcs_count_reason = (u32)reason % VMCS_COUNT_REASONS;
	vmcs_counts[vmcs_count_reason].exits++;
	vmcs_counts[vmcs_count_reason].reads++;
}

/* The counters of a basic exit reason; NULL in a release build. */
static inline const struct vmcs_count *vmcs_count_of(u32 reason)
{
	return &vmcs_counts[reason % VMCS_COUNT_REASONS];
}

#endif
