/* SPDX-License-Identifier: MIT */
/*
 * Emulation of the guest's stores to the page of its local APIC, while it is trapped (icr.h).
 */
#ifndef GH_VMM_VM0_LAPIC_PAGE_H
#define GH_VMM_VM0_LAPIC_PAGE_H

#include "vmm/mmu.h"
#include "vmm/vcpu.h"

/*
 * Emulate the instruction that caused @fault, a write to the trapped page. A write of 32 bits at a
 * multiple of 16 goes to a register (icr_write_mmio()). The effect of other writes is undefined, so
 * they are dropped, except for what they write to the next page or the one before. SDM: "The Local
 * APIC Block Diagram". Returns what an exit handler returns.
 */
int emulate_lapic_write(struct vcpu *vcpu, const struct page_fault *fault);

#endif
