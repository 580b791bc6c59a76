/* SPDX-License-Identifier: MIT */
/*
 * What the steps of the cycle are, in words.
 */
#include "monitor/tracer.h"

const struct step_words step_words[NR_STEP_IDS] = {
#define STEP_ROW(name, kvm_2_6_33, kvm_3_18, kvm_6_1, sdm, does) \
	{#name, {kvm_2_6_33, kvm_3_18, kvm_6_1}, sdm, does},
#include "vmm/steps.def"
#undef STEP_ROW
};
