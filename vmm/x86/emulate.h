/* SPDX-License-Identifier: MIT */
/*
 * Emulate the memory access of the guest's instruction at RIP.
 */
#ifndef GH_EMULATE_H
#define GH_EMULATE_H

#include "vmm/vcpu.h"
#include "vmm/x86/insn.h"

/*
 * Emulate @insn, described by @mem (see insn_memory_op()), on the registers of @vcpu; @bus performs
 * the access to its operand at linear @gva. Then advance RIP, unless a REP has iterations left.
 * Returns 0; or the negative error of @bus, and the guest's state is unchanged.
 */
int emulate_insn(struct vcpu *vcpu, const struct insn *insn, const struct insn_mem *mem,
		 const struct insn_bus *bus, gva_t gva);

/*
 * Emulate the instruction at RIP, which writes to the guest-physical page of @gpa, dropping the
 * write. Its changes to registers and flags take effect. @content: the bytes of that page, from
 * which its memory operand is read; NULL: it reads as all ones.
 * Returns true; or false, and the guest's state is unchanged: the instruction cannot be emulated,
 * or writes to another page, too, or (another CPU has changed it) not to this one.
 */
bool emulate_without_write(struct vcpu *vcpu, gpa_t gpa, const void *content);

/*
 * Advance RIP of @vcpu past @insn. @repeat: it is a REP with iterations left, so RIP stays, and RF
 * is set. SDM: "Instruction-Breakpoint Exception Condition".
 */
void emulate_skip(struct vcpu *vcpu, const struct insn *insn, bool repeat);

#endif
