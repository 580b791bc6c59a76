/* SPDX-License-Identifier: MIT */
/*
 * Emulating the memory access of the guest's instruction at RIP.
 */
#ifndef GH_EMULATE_H
#define GH_EMULATE_H

#include "vmm/vcpu.h"
#include "vmm/x86/insn.h"

/*
 * Emulate @insn with the memory that @bus stands for, at linear @gva; then go on after it, or at
 * its next iteration. Returns 0, or what @bus returns: then nothing has changed.
 */
int emulate_insn(struct vcpu *vcpu, const struct insn *insn, const struct insn_mem *mem,
		 const struct insn_bus *bus, gva_t gva);

/*
 * Emulate the instruction at RIP, which writes to memory, dropping the write. Its other effects
 * (registers, flags) happen; memory that it reads on the way reads as all ones. Returns false when
 * it is an instruction that cannot be emulated: then nothing has changed.
 */
bool emulate_without_write(struct vcpu *vcpu);

/* Go on after @insn; @again: it is a REP that has iterations left, so go on at it. */
void emulate_skip(struct vcpu *vcpu, const struct insn *insn, bool again);

#endif
