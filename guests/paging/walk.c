// SPDX-License-Identifier: MIT
/*
 * The walk. SDM: "Paging", in it "Hierarchical Paging Structures", "Access Rights", "Page-Fault
 * Exceptions", "Accessed and Dirty Flags".
 */
#include "guests/paging/walk.h"

#define ERROR_P    BIT(0)
#define ERROR_W    BIT(1)
#define ERROR_U    BIT(2)
#define ERROR_RSVD BIT(3)
#define ERROR_I    BIT(4)
#define ERROR_PK   BIT(5)

unsigned sdm_shift(const struct walk_mode *m, int level)
{
	return 12 + (unsigned)(level - 1) * (m->levels == 2 ? 10 : 9);
}

bool sdm_may_be_large(const struct walk_mode *m, int level)
{
	if (level == 2)
		return m->levels > 2 || m->pse;
	return level == 3 && m->levels > 3 && m->gib_pages;
}

u64 sdm_reserved(const struct walk_mode *m, int level, bool large)
{
	u64 bits = 0;

	if (m->levels == 2) /* PSE-36: bits 20:13 are bits 39:32 of the address */
		return large ? GENMASK(21, MIN(m->phys_bits, 40u) - 19) : 0;
	if (m->phys_bits < 52)
		bits |= GENMASK(51, m->phys_bits);
	if (m->levels == 3)
		bits |= GENMASK(62, 52);
	if (!m->nxe)
		bits |= PT_NX;
	if (large)
		bits |= GENMASK(sdm_shift(m, level) - 1, 13);
	if (level > 3 || (level == 3 && !m->gib_pages))
		bits |= PT_PS;
	return bits;
}

static u64 load(const struct walk_mode *m, const void *entry)
{
	if (!entry)
		return ~0ull;
	return m->levels == 2 ? *(const volatile u32 *)entry : *(const volatile u64 *)entry;
}

/* Does the key of the leaf forbid the access to a user-mode address? SDM: "Protection Keys". */
static bool key_forbids(const struct walk_mode *m, const struct walk_access *a, u64 leaf)
{
	u32 key = m->pkru >> 2 * (leaf >> 59 & 15);

	if (m->levels < 4 || !m->pke || a->fetch)
		return false;
	return key & 1 || (key & 2 && a->write && (a->user || m->wp));
}

/* @user_address, @writable, @nx: of all entries together. */
static bool allowed(const struct walk_mode *m, const struct walk_access *a, bool user_address,
		    bool writable, bool nx)
{
	if (a->user && !user_address)
		return false;
	if (a->fetch)
		return !nx && (a->user || !user_address || !m->smep);
	if (!a->user && user_address && m->smap && (!a->ac || a->implicit))
		return false;
	return !a->write || writable || (!a->user && !m->wp);
}

static u32 error_code(const struct walk_mode *m, const struct walk_access *a)
{
	u32 error = 0;

	if (a->write)
		error |= ERROR_W;
	if (a->user)
		error |= ERROR_U;
	if (a->fetch && (m->smep || (m->levels > 2 && m->nxe)))
		error |= ERROR_I;
	return error;
}

static void set_flags(const struct walk_mode *m, void *entry, u64 flags)
{
	if (!entry)
		return;
	if (m->levels == 2)
		*(volatile u32 *)entry |= (u32)flags;
	else
		*(volatile u64 *)entry |= flags;
}

static u64 index_of(const struct walk_mode *m, u64 va, int level)
{
	return va >> sdm_shift(m, level) & (m->levels == 2 ? 1023 : 511);
}

struct walk_answer sdm_walk(const struct walk_mode *m, const struct walk_access *a,
			    walk_entry_fn entry, void *memory)
{
	u64 table = m->cr3 & (m->levels < 4 ? GENMASK(31, 12) : PT_ADDR), value = 0;
	bool user = true, writable = true, nx = false, large = false;
	struct walk_answer answer = {.fault = true, .error = error_code(m, a)};
	void *at[WALK_LEVELS + 1] = {NULL};
	int level = m->levels;

	for (;; level--) {
		bool pdpte = m->levels == 3 && level == 3;

		if (pdpte) {
			value = m->pdpte[a->va >> 30 & 3];
		} else {
			u64 pa = table + index_of(m, a->va, level) * (m->levels == 2 ? 4 : 8);

			at[level] = entry(memory, level, pa);
			value = load(m, at[level]);
		}
		if (!(value & PT_P))
			return answer;
		large = !pdpte && value & PT_PS && sdm_may_be_large(m, level);
		if (!pdpte && value & sdm_reserved(m, level, large)) {
			answer.error |= ERROR_P | ERROR_RSVD;
			return answer;
		}
		if (!pdpte) {
			user &= !!(value & PT_U);
			writable &= !!(value & PT_W);
			nx |= m->levels > 2 && m->nxe && value & PT_NX;
		}
		if (level == 1 || large)
			break;
		table = value & (m->levels == 2 ? GENMASK(31, 12) : PT_ADDR);
	}

	answer.error |= ERROR_P;
	if (user && key_forbids(m, a, value)) {
		answer.error |= ERROR_PK;
		return answer;
	}
	if (!allowed(m, a, user, writable, nx))
		return answer;
	for (int i = m->levels; i >= level; i--)
		set_flags(m, at[i], i == level && a->write ? PT_A | PT_D : PT_A);
	answer.fault = false;
	answer.error = 0;
	answer.shift = sdm_shift(m, level);
	answer.global = value & PT_G;
	answer.pa = value & (m->levels == 2 ? GENMASK(31, 12) : PT_ADDR);
	if (m->levels == 2 && large)
		answer.pa |= (value >> 13 & 0xff) << 32;
	answer.pa = ALIGN_DOWN(answer.pa, BIT(answer.shift)) | (a->va & (BIT(answer.shift) - 1));
	return answer;
}
