/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder, printed.
 */
#ifndef GH_RECORDER_TEXT_H
#define GH_RECORDER_TEXT_H

#include "vmm/vcpu.h"

/* Print the last @n exits of @vcpu, the newest last, at error level. */
void recorder_dump(const struct vcpu *vcpu, unsigned n);

/* Print how many exits there were, per reason, at info level. */
void recorder_summary(const struct vcpu *vcpu);

#endif
