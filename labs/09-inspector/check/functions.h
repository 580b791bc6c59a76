/* SPDX-License-Identifier: MIT */
/*
 * The inspector's functions by themselves. Each returns NULL, or why one is wrong; it has then
 * printed a line that begins with #. Those with a vCPU are called before its first instruction.
 */
#ifndef GH_LABS_09_FUNCTIONS_H
#define GH_LABS_09_FUNCTIONS_H

#include "labs/09-inspector/inspector.h"

const char *check_handler(void);           /* gate_handler() */
const char *check_find(struct vcpu *vcpu); /* find_gate() */
const char *check_write(void);             /* gate_changed() */
const char *check_lidt(struct vcpu *vcpu); /* idtr_changed() */
const char *check_find_call(struct vcpu *vcpu);
const char *check_call(void); /* call_changed() */

#endif
