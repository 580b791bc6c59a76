/* SPDX-License-Identifier: MIT */
/*
 * Compute the address of an instruction's memory operand.
 */
#include "vmm/x86/insn.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, NONE };

static u64 low_bytes(u64 value, unsigned size)
{
	return value & ~0ull >> (64 - 8 * size);
}

u8 insn_segment(const struct insn *insn, u8 otherwise)
{
	switch (insn->segment) {
	case 0x26:
		return INSN_ES;
	case 0x2e:
		return INSN_CS;
	case 0x36:
		return INSN_SS;
	case 0x3e:
		return INSN_DS;
	case 0x64:
		return INSN_FS;
	case 0x65:
		return INSN_GS;
	default:
		return otherwise;
	}
}

/* SDM: "16-Bit Addressing Forms with the ModR/M Byte". */
static u64 offset_16(const struct insn *in, const u64 regs[16], u8 *segment)
{
	static const struct {
		u8 base, index;
	} forms[] = {{RBX, RSI},  {RBX, RDI},  {RBP, RSI},  {RBP, RDI},
		     {NONE, RSI}, {NONE, RDI}, {RBP, NONE}, {RBX, NONE}};
	u8 base = forms[in->rm].base, index = forms[in->rm].index;
	u64 offset = (u64)in->disp;

	if (in->mod == 0 && in->rm == 6)
		return offset;
	if (base == RBP)
		*segment = INSN_SS;
	offset += base == NONE ? 0 : regs[base];
	return offset + (index == NONE ? 0 : regs[index]);
}

/* SDM: "32-Bit Addressing Forms with the ModR/M Byte", "32-Bit Addressing Forms with the SIB Byte",
 * "RIP-Relative Addressing". */
static u64 offset_32_64(const struct insn *in, const u64 regs[16], u64 rip, u8 *segment)
{
	u64 offset = (u64)in->disp;
	u8 base = in->rm;

	if (in->has_sib) {
		u8 index = (in->sib >> 3 & 7) | (in->rex & 2) << 2;

		base = (in->sib & 7) | (in->rex & 1) << 3;
		if (index != RSP)
			offset += regs[index] << (in->sib >> 6);
	}
	if (in->mod == 0 && (base & 7) == RBP) /* a displacement, no base */
		return in->mode == INSN_64 && !in->has_sib ? offset + rip + in->length : offset;
	if (base == RSP || base == RBP)
		*segment = INSN_SS;
	return offset + regs[base];
}

/*
 * The byte offset that BT and its variants add: a bit number in a register may exceed the operand's
 * size. SDM: "Bit(BitBase, BitOffset)".
 */
static u64 bit_distance(const struct insn_mem *mem, const u64 regs[16])
{
	unsigned unused = 64 - 8 * mem->size;
	s64 bit = (s64)(regs[mem->reg] << unused) >> unused;

	return (u64)(bit >> 3) & ~(u64)(mem->size - 1);
}

void insn_address(const struct insn *insn, const struct insn_mem *mem, const u64 regs[16], u64 rip,
		  struct insn_address *address)
{
	u8 segment = INSN_DS;
	u64 offset;

	if (mem->op == INSN_MOVS || mem->op == INSN_STOS) {
		*address = (struct insn_address){INSN_ES, low_bytes(regs[RDI], insn->adsize)};
		return;
	}
	if (mem->op == INSN_LODS)
		offset = regs[RSI];
	else if (!insn->has_modrm)
		offset = (u64)insn->disp;
	else if (insn->adsize == 2)
		offset = offset_16(insn, regs, &segment);
	else
		offset = offset_32_64(insn, regs, rip, &segment);
	if (mem->op >= INSN_BT && mem->op <= INSN_BTC && mem->has_reg)
		offset += bit_distance(mem, regs);
	address->segment = insn_segment(insn, segment);
	address->offset = low_bytes(offset, insn->adsize);
}
