/* SPDX-License-Identifier: MIT */
/*
 * A guest's memory, for the tests of what loads kernels into it.
 */
#ifndef GH_TESTS_GUEST_MEMORY_H
#define GH_TESTS_GUEST_MEMORY_H

#include "tests/unit/stubs.h"

#define MEMORY MIB(4)

/* Guest memory; before: as it was, for comparison. */
static u8 memory[MEMORY] __aligned(4096), before[MEMORY];

/* Where we have [@gpa, @gpa + @len), or NULL. */
static inline void *gpa_to_ptr(u64 gpa, u64 len)
{
	return gpa <= MEMORY && len <= MEMORY - gpa ? memory + gpa : NULL;
}

/* Write, read a field of @bytes bytes at the offset @at. */
static inline void put(u8 *p, u64 at, u64 value, unsigned bytes)
{
	memcpy(p + at, &value, bytes);
}

static inline u64 get(const u8 *p, u64 at, unsigned bytes)
{
	u64 value = 0;

	memcpy(&value, p + at, bytes);
	return value;
}

#endif
