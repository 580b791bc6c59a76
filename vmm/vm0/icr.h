/* SPDX-License-Identifier: MIT */
/*
 * INIT and SIPI by the trapped interrupt command register. SDM: "Interrupt Command Register (ICR)".
 *
 * Until the guest has started every CPU, its writes to the ICR exit: in xAPIC mode because the page
 * is read-only in the EPT, in x2APIC mode by the MSR bitmap. INIT and SIPI are carried out on our
 * vCPUs, all else is sent as it is. Then the trap is lifted, and interrupts between CPUs cost
 * nothing.
 */
#ifndef GH_VMM_VM0_ICR_H
#define GH_VMM_VM0_ICR_H

#include "vmm/vm0/vm0.h"

/* Arm the trap, after all vCPUs have been created. @keep: never lift it. Returns 0 or negative. */
int icr_trap(struct vm0 *vm0, bool keep);

/* vm_ops.started: when the last vCPU starts to run guest code, the trap is lifted. */
void icr_vcpu_started(struct vcpu *vcpu);

/* The local APIC of @vcpu has been reset: what the guest has written to it is gone. */
void icr_apic_reset(struct vcpu *vcpu);

/* Is @gpa in the page that is read-only because of the trap? */
bool icr_page_fault(const struct vm0 *vm0, gpa_t gpa);

/*
 * The guest writes 32 bits to the register at @offset of the trapped page. INIT and SIPI are
 * emulated; everything else is written to the machine's local APIC.
 */
void icr_write_mmio(struct vcpu *vcpu, u32 offset, u32 value);

/* WRMSR of @value to @msr, the ICR in x2APIC mode. Returns 0, or -EINVAL for #GP. */
int icr_write_x2apic(struct vcpu *vcpu, u32 msr, u64 value);

#endif
