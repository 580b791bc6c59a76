/* SPDX-License-Identifier: MIT */
/*
 * Machine checks that hit root mode. In the guest they are the guest's, without an exit.
 */
#ifndef GH_VMM_VM0_MCHECK_H
#define GH_VMM_VM0_MCHECK_H

#include "vmm/vcpu.h"

struct trap_frame;

/*
 * What mc_handler (arch/x86/trap.h) is set to: post REQ_MACHINE_CHECK, so that the guest gets the
 * machine check. If the CPU cannot go on, or the guest takes none, panic and print the banks.
 * @frame: not used, may be NULL.
 */
void machine_check(struct trap_frame *frame);

/* The same with IA32_MCG_STATUS given as @status. */
void machine_check_with(u64 status);

/* REQ_MACHINE_CHECK, on the vCPU's own CPU. */
void deliver_machine_check(struct vcpu *vcpu);

#endif
