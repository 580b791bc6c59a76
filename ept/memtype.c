/* SPDX-License-Identifier: MIT */
/*
 * Memory types from the MTRRs. It computes where a type ends instead of looking at every page.
 */
#include "ept/memtype.h"
#include "errno.h"

#define MASK_VALID    BIT(11)
#define MAX_CHANGES   128  /* of the type, that mtrr_last_change() crosses */
#define TABLE_ENTRIES 512  /* pages of a level in one of the next */
#define MAX_STEPS     4096 /* boundaries without a change of type that mtrr_uniform_end() crosses */

static int valid_type(u64 type)
{
	type &= 0xff;
	return type > MEMTYPE_WB || type == 2 || type == 3 ? MEMTYPE_UC : (int)type;
}

/* The type in the fixed-range MTRRs for @pa, and the size of that register byte's range. */
static int fixed_type(const struct mtrr_state *mtrr, hpa_t pa, u64 *size)
{
	u64 nth; /* index of the byte in mtrr->fixed */

	if (pa < 0x80000) {
		*size = KIB(64);
		nth = pa / *size;
	} else if (pa < 0xc0000) {
		*size = KIB(16);
		nth = 8 + (pa - 0x80000) / *size;
	} else {
		*size = KIB(4);
		nth = 24 + (pa - 0xc0000) / *size;
	}
	return valid_type(mtrr->fixed[nth / 8] >> (nth % 8 * 8));
}

/* The address bits that variable range @i compares; 0 if the range is not in use. */
static u64 var_mask(const struct mtrr_state *mtrr, int i)
{
	u64 mask = mtrr->var[i].mask;

	return mask & MASK_VALID ? mask & GENMASK(mtrr->phys_bits - 1, PAGE_SHIFT) : 0;
}

static bool var_in_use(const struct mtrr_state *mtrr, int i)
{
	return mtrr->var[i].mask & MASK_VALID;
}

static int nr_var(const struct mtrr_state *mtrr)
{
	return MIN(mtrr->nr_var, MTRR_MAX_VAR);
}

/* The type of a page in two overlapping ranges. SDM: "MTRR Precedences". */
static int combine(int a, int b)
{
	if (a == b)
		return a;
	if ((a == MEMTYPE_WT && b == MEMTYPE_WB) || (a == MEMTYPE_WB && b == MEMTYPE_WT))
		return MEMTYPE_WT;
	return MEMTYPE_UC;
}

const char *memtype_name(unsigned type)
{
	static const char *const names[] = {
		[MEMTYPE_UC] = "uncached",      [MEMTYPE_WC] = "write-combining",
		[MEMTYPE_WT] = "write-through", [MEMTYPE_WP] = "write-protected",
		[MEMTYPE_WB] = "write-back",
	};

	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "unknown";
}

int mtrr_type(const struct mtrr_state *mtrr, hpa_t pa)
{
	int type = -1;
	u64 size;

	if (!mtrr->enabled)
		return MEMTYPE_UC;
	if (pa < MTRR_FIXED_END && mtrr->fixed_enabled)
		return fixed_type(mtrr, pa, &size);
	if (pa >> mtrr->phys_bits)
		return valid_type(mtrr->default_type);
	for (int i = 0; i < nr_var(mtrr); i++) {
		int this = valid_type(mtrr->var[i].base);

		if (!var_in_use(mtrr, i) || ((pa ^ mtrr->var[i].base) & var_mask(mtrr, i)))
			continue;
		type = type < 0 ? this : combine(type, this);
	}
	return type < 0 ? valid_type(mtrr->default_type) : type;
}

/*
 * The first address above @pa at which a variable range (@base, @mask) begins or ends to match. Its
 * mask may be discontiguous, so this computes with bits, not with address ranges.
 */
static u64 next_match_change(u64 pa, u64 base, u64 mask, u8 phys_bits)
{
	u64 differ = (pa ^ base) & mask, lower;
	int bit;

	base &= mask;
	if (!mask)
		return ~0ull;
	if (!differ) /* @pa matches until the lowest compared bit changes */
		return (pa | ((mask & -mask) - 1)) + 1;

	/* If the highest differing bit is 0 at @pa, the next match sets it and keeps those above
	 * it. */
	bit = 63 - __builtin_clzll(differ);
	if (!(pa & BIT(bit))) {
		lower = GENMASK(bit, 0);
		return (pa & ~lower) | (base & lower);
	}
	/* Else the next match needs a carry: it sets the nearest clear bit above that is not
	 * compared. */
	for (bit++; bit < phys_bits; bit++) {
		if (!((pa | mask) & BIT(bit))) {
			lower = GENMASK(bit, 0);
			return (pa & ~lower) | BIT(bit) | (base & lower);
		}
	}
	return ~0ull;
}

/* The first address above @pa where the type may change, at most @limit. */
static u64 next_boundary(const struct mtrr_state *mtrr, hpa_t pa, u64 limit)
{
	u64 size, end;

	if (!mtrr->enabled || pa >> mtrr->phys_bits)
		return limit;
	limit = MIN(limit, BIT(mtrr->phys_bits));
	if (pa < MTRR_FIXED_END && mtrr->fixed_enabled) {
		fixed_type(mtrr, pa, &size);
		return MIN(limit, ALIGN_DOWN(pa, size) + size);
	}
	for (int i = 0; i < nr_var(mtrr); i++) {
		if (!var_in_use(mtrr, i))
			continue;
		end = next_match_change(pa, mtrr->var[i].base, var_mask(mtrr, i), mtrr->phys_bits);
		limit = MIN(limit, end);
	}
	return limit;
}

u64 mtrr_uniform_end(const struct mtrr_state *mtrr, hpa_t pa, u64 limit)
{
	int type = mtrr_type(mtrr, pa);
	u64 end = pa;

	for (int i = 0; i < MAX_STEPS; i++) {
		end = next_boundary(mtrr, end, limit);
		if (end >= limit || mtrr_type(mtrr, end) != type)
			break;
	}
	return end;
}

u64 mtrr_uniform_page(const struct mtrr_state *mtrr, hpa_t pa, u64 max)
{
	for (; max > PAGE_SIZE; max /= TABLE_ENTRIES) {
		u64 start = ALIGN_DOWN(pa, max);

		if (mtrr_uniform_end(mtrr, start, start + max) == start + max)
			break;
	}
	return max;
}

u64 mtrr_last_change(const struct mtrr_state *mtrr, hpa_t from)
{
	u64 end = BIT(mtrr->phys_bits);

	for (int i = 0; i < MAX_CHANGES && from < end; i++) {
		u64 next = mtrr_uniform_end(mtrr, from, end);

		if (next >= end)
			return from;
		from = next;
	}
	return MAX(from, end);
}

int ept_map_identity(struct ept *ept, const struct mtrr_state *mtrr, u64 base, u64 end,
		     unsigned prot)
{
	if (base >= end)
		return -EINVAL;
	while (base < end) {
		u64 next = mtrr_uniform_end(mtrr, base, end);
		int ret = ept_map(ept, base, base, next - base, prot, mtrr_type(mtrr, base));

		if (ret)
			return ret;
		base = next;
	}
	return 0;
}
