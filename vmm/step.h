/* SPDX-License-Identifier: MIT */
/*
 * Let a vCPU execute one instruction of the guest, then call who has asked for it. Several users
 * may step the same vCPU at once, and do not notice each other, nor does the guest notice any.
 *
 * A step ends at the next instruction boundary: after one instruction, also if it exits and
 * Glasshouse emulates it; after one iteration of a REP; or after the delivery of an event, before
 * the first instruction of its handler. A HLT ends at once, and the next step when an event has
 * woken up the CPU.
 */
#ifndef GH_VMM_STEP_H
#define GH_VMM_STEP_H

#include "vmm/vcpu.h"

/*
 * When @vcpu reaches its next instruction boundary, call @stepped, once: in root mode, on its CPU.
 * It may call vcpu_step() again. On the vCPU's CPU, in root mode. @vcpu must be able to run: one
 * that is paused makes its step after vcpu_resume(). A second call for the same user replaces the
 * first.
 */
void vcpu_step(struct vcpu *vcpu, enum step_user user, void (*stepped)(struct vcpu *vcpu));

/* Forget a step of @user, if there is one. On the vCPU's CPU, in root mode. */
void vcpu_cancel_step(struct vcpu *vcpu, enum step_user user);

#endif
