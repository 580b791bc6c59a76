/* SPDX-License-Identifier: MIT */
/*
 * Writes to memory that is hidden: the instruction is carried out without its write.
 */
#include "arch/x86/cpu.h"
#include "vmm/x86/emulate.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/virt_ops.h"

/* What MOVS reads from elsewhere goes nowhere either. */
static int hidden_bus_read(void *ctx, unsigned size, u64 *value)
{
	(void)ctx;
	(void)size;
	*value = ~0ull;
	return 0;
}

static int hidden_bus_write(void *ctx, unsigned size, u64 value)
{
	(void)ctx;
	(void)size;
	(void)value;
	return 0;
}

/* A vector store does nothing but its write: MOVUPS, MOVLPS, MOVHPS, MOVAPS, MOVNTPS, MOVD and
 * MOVQ, MOVDQA, MOVNTI, MOVNTDQ; with VEX or EVEX, all but the scatters, which change their masks.
 */
static bool is_vector_store(const struct insn *insn)
{
	static const u8 stores[] = {0x11, 0x13, 0x17, 0x29, 0x2b, 0x7e, 0x7f, 0xc3, 0xd6, 0xe7};

	for (unsigned i = 0; insn->map == 1 && i < sizeof(stores); i++)
		if (insn->opcode == stores[i])
			return true;
	return insn->encoding != INSN_LEGACY && !(insn->map == 2 && (insn->opcode & ~3) == 0xa0);
}

bool emulate_hidden_write(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct insn insn;
	struct insn_mem mem;
	struct insn_bus bus = {hidden_bus_read, hidden_bus_write, NULL};

	if (vcpu->event.valid || !decode_guest_insn(vcpu, &insn))
		return false;
	if (!insn_memory_op(&insn, &mem) && !emulate_insn(vcpu, &insn, &mem, &bus, fault->gva))
		return true;
	if (!is_vector_store(&insn))
		return false;
	emulate_skip(vcpu, &insn, false);
	return true;
}
