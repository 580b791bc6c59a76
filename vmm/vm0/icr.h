/* SPDX-License-Identifier: MIT */
/*
 * INIT and SIPI by the trapped interrupt command register. SDM: "Interrupt Command Register (ICR)".
 *
 * Until the guest has started every CPU, its writes to the ICR exit: in xAPIC mode because the page
 * is read-only in the EPT, in x2APIC mode by the MSR bitmap. INIT and SIPI are carried out on our
 * vCPUs, all else is sent as it is. Then the trap is lifted, and interrupts between CPUs cost
 * nothing.
 */
#ifndef GH_ICR_H
#define GH_ICR_H

#include "vmm/vm.h"

/* Arm the trap of a VM whose vCPUs are all there. @keep: never lift it. Returns 0 or negative. */
int icr_trap(struct vm *vm, bool keep);

/* A vCPU runs guest code for the first time: when it was the last one, the trap is lifted. */
void icr_vcpu_started(struct vcpu *vcpu);

/* Is @gpa in the page that is read-only because of the trap? */
bool icr_page_fault(const struct vm *vm, gpa_t gpa);

/* The guest writes to a register of its local APIC, at @offset in the trapped page. */
void icr_write_mmio(struct vcpu *vcpu, u32 offset, u32 value);

/* WRMSR to the ICR in x2APIC mode. Returns 0, or -EINVAL for #GP. */
int icr_write_x2apic(struct vcpu *vcpu, u64 value);

#endif
