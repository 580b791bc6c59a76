/* SPDX-License-Identifier: MIT */
/*
 * Printing of the flight recorder, and publishing its counts.
 */
#ifndef GH_VMM_RECORDER_TEXT_H
#define GH_VMM_RECORDER_TEXT_H

#include "vmm/vcpu.h"

/* Print the last @n exits of @vcpu (as many as its ring has), the newest last, at error level. */
void recorder_dump(const struct vcpu *vcpu, unsigned n);

/* The number of @vcpu's exits. */
u64 recorder_total(const struct vcpu *vcpu);
/* Copy the numbers of exits of all vCPUs of @vm to their rings, for whoever reads these. */
void recorder_publish(const struct vm *vm);

/* Print the number of @vcpu's exits, in total and by reason, at info level. */
void recorder_summary(const struct vcpu *vcpu);

#endif
