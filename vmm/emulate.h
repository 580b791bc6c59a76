/* SPDX-License-Identifier: MIT */
/*
 * Accesses of the guest that we carry out in its place: to the trapped local APIC, and to memory
 * that is ours.
 */
#ifndef GH_EMULATE_H
#define GH_EMULATE_H

#include "vmm/mmu.h"

/* A write to the page of the trapped local APIC. Returns what an exit handler returns. */
int emulate_lapic_write(struct vcpu *vcpu, const struct page_fault *fault);

/* An access to memory that is hidden: reads find all ones, writes go nowhere. Returns what an exit
 * handler returns. */
int emulate_hidden_access(struct vcpu *vcpu, const struct page_fault *fault);

#endif
