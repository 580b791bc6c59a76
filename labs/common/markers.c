/* SPDX-License-Identifier: MIT */
/*
 * The markers of the steps (vmm/steps.h) in the lab's image, for the answers. See lab.h.
 */
#include "labs/common/lab.h"
#include "lib/log.h"
#include "vmm/steps.h"

static const struct {
	const char *name, *kvm_2_6_33, *kvm_3_18, *kvm_6_1;
} rows[] = {
#define STEP_ROW(name, kvm_2_6_33, kvm_3_18, kvm_6_1, sdm, does) \
	{#name, kvm_2_6_33, kvm_3_18, kvm_6_1},
#include "vmm/steps.def"
#undef STEP_ROW
};

void lab_tell_markers(void)
{
	for (const struct step *s = steps_start; s < steps_end; s++)
		pr_info("key marker %s | %s | %s:%u | %s | %s | %s\n", rows[s->id].name,
			step_function(s), step_file(s), s->line, rows[s->id].kvm_2_6_33,
			rows[s->id].kvm_3_18, rows[s->id].kvm_6_1);
}
