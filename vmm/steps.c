/* SPDX-License-Identifier: MIT */
/*
 * The table of markers, and the record of those at boot. See steps.h.
 */
#include "vmm/steps.h"
#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"

#define EACH 8u /* records that are kept of one step */

static struct step_record records[96];
static u32 nr_records;

const struct step *step_at(u64 at)
{
	for (const struct step *step = steps_start; step < steps_end; step++)
		if (step_address(step) == at)
			return step;
	return steps_end;
}

void step_record(u64 at)
{
	const struct step *step = step_at(at);
	static u32 kept[NR_STEP_IDS];
	u32 i;

	if (step == steps_end || __atomic_fetch_add(&kept[step->id], 1, __ATOMIC_RELAXED) >= EACH)
		return;
	i = __atomic_fetch_add(&nr_records, 1, __ATOMIC_RELAXED);
	if (i < ARRAY_SIZE(records)) {
		records[i] = (struct step_record){NULL, rdtsc(), this_cpu()->id};
		__atomic_store_n(&records[i].step, step, __ATOMIC_RELEASE);
	}
}

const struct step_record *step_recorded(unsigned i)
{
	if (i >= ARRAY_SIZE(records) || !__atomic_load_n(&records[i].step, __ATOMIC_ACQUIRE))
		return NULL;
	return &records[i];
}
