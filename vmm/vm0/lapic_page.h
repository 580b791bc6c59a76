/* SPDX-License-Identifier: MIT */
/*
 * Stores of the guest to the page of its local APIC, while that is trapped (icr.h).
 */
#ifndef GH_LAPIC_PAGE_H
#define GH_LAPIC_PAGE_H

#include "vmm/mmu.h"
#include "vmm/vcpu.h"

/*
 * Emulate the instruction that writes to the trapped page. One that writes 32 bits at a multiple of
 * 16 writes a register; what others do is undefined (SDM: "The Local APIC Block Diagram"), so their
 * write is dropped. Returns what an exit handler returns.
 */
int emulate_lapic_write(struct vcpu *vcpu, const struct page_fault *fault);

#endif
