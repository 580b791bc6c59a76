/* SPDX-License-Identifier: MIT */
/*
 * The ICR trap: emulation of INIT and SIPI. SDM: "Interrupt Command Register (ICR)".
 *
 * Until the guest's CPUs all run, its writes to the ICR exit: in xAPIC mode because the
 * local APIC's page is read-only in the second-level tables, in x2APIC mode by the MSR intercept.
 * INIT and SIPI are emulated, all other commands go to the hardware. Then the trap is lifted, so
 * that IPIs cause no exits. Under UEFI, the firmware is the first guest, and its CPUs run from the
 * start. What it starts for itself does not count: it may start CPUs again until it ends its boot
 * services.
 */
#ifndef GH_VMM_VM0_ICR_H
#define GH_VMM_VM0_ICR_H

#include "vmm/vm0/vm0.h"

/* Arm the trap, after all vCPUs have been created. @keep: never lift it. Returns 0 or -ENOMEM. */
int icr_trap(struct vm0 *vm0, bool keep);

/* vm_ops.started: when the last vCPU starts to run guest code, the trap is lifted. */
void icr_vcpu_started(struct vcpu *vcpu);

/* Are INIT and SIPI emulated? Once this is false it stays so. On CPUs that cannot wait for a SIPI
 * in non-root mode it stays true. */
static inline bool icr_is_trapped(const struct vm0 *vm0)
{
	return __atomic_load_n(&vm0->icr_trapped, __ATOMIC_ACQUIRE);
}

/*
 * @vcpu, on its own CPU, gets an INIT and waits for a SIPI. Returns true if the trap is there to
 * deliver that: it then stays until icr_vcpu_started(). False if the SIPI comes by the hardware.
 */
bool icr_vcpu_stops(struct vcpu *vcpu);

/* The firmware has ended its boot services: from now on the guest is an operating system, which
 * starts the CPUs anew. On the CPU that ended them. */
void icr_firmware_ends(struct vcpu *vcpu);

/* The machine's local APIC has been reset: reset the values that the guest wrote to @vcpu's. */
void icr_apic_reset(struct vcpu *vcpu);

/* Is @gpa in the page that is read-only because of the trap? */
bool icr_page_fault(const struct vm0 *vm0, gpa_t gpa);

/*
 * Emulate a 32-bit write of the guest to the register at @offset of the trapped page. INIT and SIPI
 * are emulated; all other writes go to the machine's local APIC.
 */
void icr_write_mmio(struct vcpu *vcpu, u32 offset, u32 value);

/* Emulate WRMSR of @value to @msr, the ICR in x2APIC mode. Returns 0, or -EINVAL to inject #GP. */
int icr_write_x2apic(struct vcpu *vcpu, u32 msr, u64 value);

#endif
