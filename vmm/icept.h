/* SPDX-License-Identifier: MIT */
/*
 * Interceptions that nothing needs, for somebody who looks: switched on and off while the vCPUs
 * run. The guest does not notice: what exits is then done as the CPU would do it.
 */
#ifndef GH_VMM_ICEPT_H
#define GH_VMM_ICEPT_H

#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

/*
 * For each of these: does the CPU have it, is it on?
 * @what: one of enum icept.
 */
bool icept_is_possible(enum icept what);
bool icept_is_on(const struct vm *vm, enum icept what);

/* Have @what exit on all vCPUs of @vm, or no more. */
void icept_set(struct vm *vm, enum icept what, bool on);

/* Have the exceptions of @vectors (a mask) exit; of page faults only those whose error code, masked
 * with @mask, is @match. */
void icept_exceptions(struct vm *vm, u32 vectors, u32 mask, u32 match);

/*
 * Have reads and writes of an MSR, or accesses to a port, exit, too: both false: no more. Returns
 * 0; -EINVAL: the CPU cannot choose for this MSR, whose accesses always exit; or -ENOSPC: at most
 * ICEPT_MSRS MSRs, ICEPT_PORTS ports.
 */
int icept_msr(struct vm *vm, u32 msr, bool read, bool write);
int icept_port(struct vm *vm, u16 port, bool on);

/* Have RDMSR of @msr answer @value, from now on; or no more. Returns as icept_msr(). */
int icept_answer(struct vm *vm, u32 msr, bool on, u64 value);

/* Give @vcpu, which executes RDMSR of @msr, that answer, in the register *@into; NULL: in EDX:EAX.
 * On the vCPU's own CPU. Returns false if there is none. */
bool icept_give_answer(struct vcpu *vcpu, u32 msr, const enum vcpu_reg *into);

#endif
