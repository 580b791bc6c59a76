/* SPDX-License-Identifier: MIT */
/*
 * Which guest-physical addresses are aliases of hidden memory.
 */
#include "vmm/vm0/wall.h"
#include "arch/x86/msr_index.h"

u64 keyid_mask(u64 activate, u8 phys_bits)
{
	u8 bits = TME_ACTIVATE_KEYID_BITS(activate);

	if (!(activate & TME_ACTIVATE_LOCKED) || !(activate & TME_ACTIVATE_ENABLED) || !bits)
		return 0;
	return GENMASK(phys_bits - 1, phys_bits - bits);
}

bool vm0_is_hidden(const struct vm0 *vm0, gpa_t gpa, u64 size)
{
	gpa &= ~vm0->keyid_mask;
	for (unsigned i = 0; i < vm0->nr_hidden; i++)
		if (ranges_overlap(gpa, size, vm0->hidden[i].base, vm0->hidden[i].size))
			return true;
	return false;
}

bool vm0_is_log(const struct vm0 *vm0, gpa_t gpa)
{
	for (unsigned i = 0; i < LOG_RINGS; i++)
		if (ranges_overlap(gpa, 1, vm0->logs[i].base, vm0->logs[i].size))
			return true;
	return false;
}

static bool is_walled(const struct vm0 *vm0, gpa_t gpa, u64 size)
{
	if (vm0_is_hidden(vm0, gpa, size))
		return true;
	return gpa & vm0->keyid_mask &&
	       ranges_overlap(gpa & ~vm0->keyid_mask, size, vm0->lapic_gpa, PAGE_SIZE);
}

u64 vm0_touch_size(const struct vm0 *vm0, gpa_t gpa, u64 block)
{
	static const u64 smaller[] = {MIB(2), PAGE_SIZE};

	for (unsigned i = 0; is_walled(vm0, ALIGN_DOWN(gpa, block), block); i++) {
		if (i == ARRAY_SIZE(smaller))
			return 0;
		block = MIN(block, smaller[i]);
	}
	return block;
}
