/* SPDX-License-Identifier: MIT */
/*
 * Machine checks in root mode: the guest gets them, if the CPU can continue. Machine checks in the
 * guest go to the guest without an exit.
 */
#ifndef GH_VMM_VM0_MCHECK_H
#define GH_VMM_VM0_MCHECK_H

#include "vmm/vcpu.h"

struct trap_frame;

/*
 * The mc_handler (arch/x86/trap.h): post REQ_MACHINE_CHECK to this CPU's vCPU. Panics, and prints
 * the machine-check banks, if the CPU cannot continue or has no vCPU. @frame: not used, may be
 * NULL.
 */
void machine_check(struct trap_frame *frame);

/* The same, with @status instead of the value of IA32_MCG_STATUS. */
void machine_check_with(u64 status);

/* Handle REQ_MACHINE_CHECK, on the vCPU's own CPU: queue #MC for the guest. Panics if the guest has
 * CR4.MCE clear. */
void deliver_machine_check(struct vcpu *vcpu);

#endif
