/* SPDX-License-Identifier: MIT */
/*
 * Memory types from the MTRRs, without going through memory page by page.
 */
#include "ept/memtype.h"
#include "errno.h"

#define MASK_VALID BIT(11)
#define MAX_STEPS  4096 /* type-less boundaries that mtrr_uniform_end looks across */

static int valid_type(u64 type)
{
	type &= 0xff;
	return type > MEMTYPE_WB || type == 2 || type == 3 ? MEMTYPE_UC : (int)type;
}

/* The fixed register and byte for @pa, and the size of its range. */
static int fixed_type(const struct mtrr_state *mtrr, hpa_t pa, u64 *size)
{
	u64 nth; /* byte, counted through all registers */

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

/* The compared bits of a variable range; 0 when it is not in use or its mask has none. */
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

/* Two ranges over one page. SDM: "MTRR Precedences". */
static int combine(int a, int b)
{
	if (a == b)
		return a;
	if ((a == MEMTYPE_WT && b == MEMTYPE_WB) || (a == MEMTYPE_WB && b == MEMTYPE_WT))
		return MEMTYPE_WT;
	return MEMTYPE_UC;
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
 * The first address above @pa where a comparison of the bits @mask with @base turns out another way
 * than at @pa. Masks may have holes ("discontiguous"), so this thinks in bits, not in ranges.
 */
static u64 next_turn(u64 pa, u64 base, u64 mask, u8 phys_bits)
{
	u64 differ = (pa ^ base) & mask, lower;
	int bit;

	base &= mask;
	if (!mask)
		return ~0ull;
	if (!differ) /* a match ends with the lowest compared bit */
		return (pa | ((mask & -mask) - 1)) + 1;

	/* Bits above the highest that differs can stay, if that one can go from 0 to 1. */
	bit = 63 - __builtin_clzll(differ);
	if (!(pa & BIT(bit))) {
		lower = GENMASK(bit, 0);
		return (pa & ~lower) | (base & lower);
	}
	/* Else the next match needs a carry into the nearest bit above that nobody compares. */
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
		end = next_turn(pa, mtrr->var[i].base, var_mask(mtrr, i), mtrr->phys_bits);
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
