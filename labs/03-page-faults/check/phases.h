/* SPDX-License-Identifier: MIT */
/*
 * What the guest of lab 3 tells its check, by CPUID: EAX is PHASE_LEAF, ECX the phase that begins.
 * EBX is how many exits by #PF there were to be since the last such CPUID, EDX how many page faults
 * the guest has had.
 */
#ifndef GH_LABS_03_PHASES_H
#define GH_LABS_03_PHASES_H

#define PHASE_LEAF 0x4c414203u

enum phase {
	PHASE_START,
	PHASE_NONE,     /* page faults do not exit */
	PHASE_ALL,      /* all exit */
	PHASE_FILTERED, /* those exit whose error code, masked, is a given value */
	PHASE_TOUCH,    /* no page fault: the guest touches memory that EPT does not map yet */
	PHASE_END,
};

#endif
