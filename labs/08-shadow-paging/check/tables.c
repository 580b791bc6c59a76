/* SPDX-License-Identifier: MIT */
/*
 * Random page tables in the guest's memory. See lab8.h.
 */
#include "labs/08-shadow-paging/check/lab8.h"
#include "arch/x86/cpu.h"
#include "labs/common/lab.h"

gva_t random_gva(void)
{
	return (u64)((s64)(lab_random() << 16) >> 16);
}

u32 random_access(void)
{
	static const u32 kinds[] = {0, PF_ERROR_W, PF_ERROR_FETCH};
	u64 random = lab_random();

	return kinds[random % 3] | (random & BIT(20) ? PF_ERROR_U : 0);
}

static bool one_of(u64 random, unsigned n)
{
	return !(random % n);
}

/* Something that no entry of @level may have, or only some may. */
static u64 spoil(int level, u64 e)
{
	if (one_of(lab_random(), 16))
		e &= ~PT_P;
	if (one_of(lab_random(), 32))
		e |= BIT(30 + lab_random() % 22); /* perhaps reserved; where there is no memory */
	if (level > 1 && e & PT_PS && one_of(lab_random(), 4))
		e |= BIT(13 + lab_random() % 17);
	return level == 4 && one_of(lab_random(), 32) ? e | PT_PS : e;
}

/* A leaf of @level leads to the page around @page, another entry to the next table. */
static u64 random_entry(int level, gpa_t page, bool valid)
{
	u64 e = PT_P | (lab_random() & (PT_A | PT_D | PT_PWT | PT_PCD | PT_G));
	bool large = (level == 2 || level == 3) && one_of(lab_random(), 5);

	if (large)
		e |= PT_PS | (page & ~((1ull << (3 + 9 * level)) - 1)) | (lab_random() & BIT(12));
	else
		e |= level > 1 ? TABLE(level - 1) : page | (lab_random() & PT_PAT);
	if (!one_of(lab_random(), 5))
		e |= PT_W;
	if (!one_of(lab_random(), 5))
		e |= PT_U;
	if (one_of(lab_random(), 8))
		e |= PT_NX;
	return valid ? e : spoil(level, e);
}

void make_tables(struct vm *vm, gva_t gva, gpa_t page, bool valid)
{
	for (int level = 4; level; level--) {
		u64 *table = oracle_entry(vm, TABLE(level)), index = gva >> (3 + 9 * level) & 511;

		for (unsigned i = 0; i < 512; i++)
			table[i] = lab_random();
		table[index] = random_entry(level, page, valid);
	}
}
