/* SPDX-License-Identifier: MIT */
/*
 * Debug registers for two. See debug_state.h.
 */
#include "vmm/debug_state.h"
#include "bits.h"

#define DR7_FIELDS(n)  (3ull << 2 * (n) | 15ull << (16 + 4 * (n))) /* L, G, R/W and LEN */
#define DR7_ENABLES(n) (3ull << 2 * (n))
#define DR7_G(n)       BIT(2 * (n) + 1)

/* R/W and LEN; LEN is 0, 1, 3, 2 for 1, 2, 4, 8 bytes. */
static u64 fields_of(const struct debug_point *point, unsigned n)
{
	u64 len = point->length == 8 ? 2 : point->length - 1ull;

	return DR7_G(n) | (point->kind | len << 2) << (16 + 4 * n);
}

void debug_merge(struct debug_state *state, const struct debug_point points[DEBUG_REGISTERS])
{
	unsigned next = 0;

	state->dr7 = state->guest_dr7;
	for (unsigned n = 0; n < DEBUG_REGISTERS; n++) {
		state->dr[n] = state->guest[n];
		state->point[n] = 0;
		if (state->guest_dr7 & DR7_ENABLES(n))
			continue;
		state->dr7 &= ~DR7_FIELDS(n);
		while (next < DEBUG_REGISTERS && !points[next].used)
			next++;
		if (next == DEBUG_REGISTERS)
			continue;
		state->dr[n] = points[next].address;
		state->dr7 |= fields_of(&points[next], n);
		state->point[n] = (u8)++next;
	}
}

/* The CPU may report a breakpoint that is not enabled, too. */
u64 debug_guest_reasons(const struct debug_state *state,
			const struct debug_point points[DEBUG_REGISTERS], u64 reasons,
			const struct debug_point **hit)
{
	*hit = NULL;
	for (unsigned n = 0; n < DEBUG_REGISTERS; n++) {
		if (!(reasons & BIT(n)))
			continue;
		if (state->point[n])
			*hit = &points[state->point[n] - 1];
		if (!(state->guest_dr7 & DR7_ENABLES(n)))
			reasons &= ~BIT(n);
	}
	return reasons;
}
