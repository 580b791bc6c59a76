/* SPDX-License-Identifier: MIT */
/*
 * Accesses of the guest that we carry out in its place: to the trapped local APIC, and to memory
 * that is ours.
 */
#ifndef GH_EMULATE_H
#define GH_EMULATE_H

#include "vmm/x86/insn.h"
#include "vmm/mmu.h"

/* A write to the page of the trapped local APIC. Returns what an exit handler returns. */
int emulate_lapic_write(struct vcpu *vcpu, const struct page_fault *fault);

/* An access to memory that is hidden: reads find all ones, writes go nowhere. Returns what an exit
 * handler returns. */
int emulate_hidden_access(struct vcpu *vcpu, const struct page_fault *fault);

/*
 * Put a page of ones, read-only, where the hidden page at @gpa would be: whatever reads, reads as
 * on a machine that ends there. Returns 0 or -ENOMEM.
 */
int map_ones(struct ept *ept, gpa_t gpa);

/* Carry out the write of an instruction to memory that is hidden, but for the write. False when
 * that cannot be: the instruction gets a page to write to. */
bool emulate_hidden_write(struct vcpu *vcpu, const struct page_fault *fault);

/*
 * Carry out @insn with memory behind @bus, at linear @gva; then go on behind it, or at its next
 * iteration. Returns 0, or what @bus says.
 */
int emulate_insn(struct vcpu *vcpu, const struct insn *insn, const struct insn_mem *mem,
		 const struct insn_bus *bus, gva_t gva);

/* The end of that alone; @again: of an iteration, and not the last. */
void emulate_skip(struct vcpu *vcpu, const struct insn *insn, bool again);

#endif
