/* SPDX-License-Identifier: MIT */
/*
 * Memory types as the MTRRs say them, and identity maps that keep them.
 *
 * Source: Intel SDM, "Memory Type Range Registers (MTRRs)" and "MTRR Precedences".
 */
#ifndef GH_EPT_MEMTYPE_H
#define GH_EPT_MEMTYPE_H

#include "types.h"
#include "ept/ept.h"

#define MTRR_MAX_VAR   32
#define MTRR_NR_FIXED  11
#define MTRR_FIXED_END MIB(1)

/* The MTRRs of a CPU, in raw values; the caller reads the MSRs. */
struct mtrr_state {
	bool enabled;       /* IA32_MTRR_DEF_TYPE.E (bit 11) */
	bool fixed_enabled; /* IA32_MTRR_DEF_TYPE.FE (bit 10) */
	u8 default_type;    /* IA32_MTRR_DEF_TYPE[7:0] */
	u8 nr_var;          /* IA32_MTRRCAP.VCNT, at most MTRR_MAX_VAR */
	u8 phys_bits;       /* CPUID.80000008H:EAX[7:0] */
	struct {
		u64 base; /* IA32_MTRR_PHYSBASEn */
		u64 mask; /* IA32_MTRR_PHYSMASKn */
	} var[MTRR_MAX_VAR];
	/* IA32_MTRR_FIX64K_00000, FIX16K_80000, FIX16K_A0000, FIX4K_C0000 to FIX4K_F8000 */
	u64 fixed[MTRR_NR_FIXED];
};

/*
 * The memory type (enum memtype) of the page at @pa. MTRRs off: UC. Reserved encodings, and
 * overlaps that the SDM leaves undefined: UC, which is always right, only slow.
 */
int mtrr_type(const struct mtrr_state *mtrr, hpa_t pa);

/*
 * The end of the range of one type that begins at the page @pa, at most @limit (> @pa). It is the
 * largest such range, unless masks of the fancy sort (with holes) interrupt it thousands of times.
 */
u64 mtrr_uniform_end(const struct mtrr_state *mtrr, hpa_t pa, u64 limit);

/*
 * Map [@base, @end) to itself, each part with its type by the MTRRs, in pages as large as the types
 * allow. Returns as ept_map; after -ENOMEM a part of the range may be mapped.
 */
int ept_map_identity(struct ept *ept, const struct mtrr_state *mtrr, u64 base, u64 end,
		     unsigned prot);

#endif
