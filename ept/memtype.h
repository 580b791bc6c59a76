/* SPDX-License-Identifier: MIT */
/*
 * Memory types by the MTRRs, and identity maps with these types.
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

/* The values of a CPU's MTRRs. The caller reads the MSRs. */
struct mtrr_state {
	bool enabled;       /* IA32_MTRR_DEF_TYPE.E (bit 11) */
	bool fixed_enabled; /* IA32_MTRR_DEF_TYPE.FE (bit 10) */
	u8 default_type;    /* IA32_MTRR_DEF_TYPE[7:0] */
	u8 nr_var;          /* IA32_MTRRCAP.VCNT; of more, only the first MTRR_MAX_VAR are used */
	u8 phys_bits;       /* CPUID.80000008H:EAX[7:0], less the bits of a KeyID */
	struct {
		u64 base; /* IA32_MTRR_PHYSBASEn */
		u64 mask; /* IA32_MTRR_PHYSMASKn */
	} var[MTRR_MAX_VAR];
	/* IA32_MTRR_FIX64K_00000, FIX16K_80000, FIX16K_A0000, FIX4K_C0000 to FIX4K_F8000 */
	u64 fixed[MTRR_NR_FIXED];
};

/* The name of an enum memtype: "uncached", "write-back"; "unknown" for any other value. */
const char *memtype_name(unsigned type);

/*
 * The memory type (enum memtype) of the page at physical address @pa: UC if the MTRRs are disabled,
 * and also for reserved types and overlaps that the SDM leaves undefined, as UC is always safe.
 */
int mtrr_type(const struct mtrr_state *mtrr, hpa_t pa);

/*
 * The end of the range of one memory type that begins at the page @pa; at most @limit, which is
 * above @pa. The real end may be higher if discontiguous masks divide the range into more than 4096
 * parts.
 */
u64 mtrr_uniform_end(const struct mtrr_state *mtrr, hpa_t pa, u64 limit);

/*
 * The largest page around the page at physical address @pa that has one memory type: its size in
 * bytes, @max, which is the size of a page of some level, or the size of a page of a lower level.
 */
u64 mtrr_uniform_page(const struct mtrr_state *mtrr, hpa_t pa, u64 max);

/*
 * The lowest address, at least @from, from which on all of the physical address space has one
 * memory type; the end of that space when discontiguous masks divide it into very many parts.
 */
u64 mtrr_last_change(const struct mtrr_state *mtrr, hpa_t from);

/*
 * Identity-map physical memory from @base to @end with permissions @prot, each part with its type
 * by the MTRRs, in the largest pages that the types allow. Returns 0; -EINVAL if @base is not below
 * @end; errors as ept_map(). After an error a part of the range may be mapped.
 */
int ept_map_identity(struct ept *ept, const struct mtrr_state *mtrr, u64 base, u64 end,
		     unsigned prot);

#endif
