/* SPDX-License-Identifier: MIT */
/*
 * How many bytes instructions access. See insn_size.h.
 */
#include "monitor/insn_size.h"

/* FXSAVE leaves the last 48 of its 512 bytes to software. SDM: "FXSAVE—Save x87 FPU, MMX
 * Technology, and SSE State". */
#define FXSAVE_BYTES 464

#define FSTENV_BYTES(opsize) ((opsize) == 2 ? 14 : 28)
#define FSAVE_BYTES(opsize)  ((opsize) == 2 ? 94 : 108)

/* PUSH, POP, CALL, RET and what else uses the stack. */
static void stack_size(const struct insn *insn, struct insn_size *size)
{
	u16 word = insn->mode == INSN_64 && insn->opsize != 2 ? 8 : insn->opsize;
	u8 nth = insn->reg & 7;

	switch (insn->opcode) {
	case 0x50 ... 0x5f: /* PUSH, POP */
	case 0x68:
	case 0x6a:
	case 0x8f:
	case 0x9c ... 0x9d: /* PUSHF, POPF */
	case 0xc2 ... 0xc3: /* RET */
	case 0xc9:          /* LEAVE */
	case 0xe8:          /* CALL */
		size->bytes = word;
		break;
	case 0x60: /* PUSHA */
	case 0x9a: /* far CALL */
	case 0xc8: /* ENTER */
		size->downwards = true;
		break;
	case 0xff: /* CALL, JMP, PUSH */
		size->bytes = nth == 3 || nth == 5 ? 0 : word;
		size->downwards = nth == 3;
		break;
	}
}

/* The x87 state: D9 and DD. */
static void fpu_size(const struct insn *insn, struct insn_size *size)
{
	bool whole = insn->opcode == 0xdd;
	u8 nth = insn->reg & 7;

	if (insn->mod == 3 || (nth != 4 && nth != 6))
		return;
	size->state = true;
	size->bytes = whole ? FSAVE_BYTES(insn->opsize) : FSTENV_BYTES(insn->opsize);
}

/* 0F AE. */
static void state_size(const struct insn *insn, struct insn_size *size)
{
	u8 nth = insn->reg & 7;

	if (insn->mod == 3 || insn->rep || insn->opsize_prefix)
		return;
	switch (nth) {
	case 0: /* FXSAVE */
	case 1: /* FXRSTOR */
		size->bytes = FXSAVE_BYTES;
		break;
	case 2: /* LDMXCSR */
	case 3: /* STMXCSR */
		size->bytes = 4;
		return;
	case 4: /* XSAVE */
	case 5: /* XRSTOR */
	case 6: /* XSAVEOPT */
		size->area = INSN_STANDARD;
		size->partly = nth == 6;
		break;
	default: /* CLFLUSH */
		return;
	}
	size->state = true;
}

/* 0F C7. */
static void group_9_size(const struct insn *insn, struct insn_size *size)
{
	u8 nth = insn->reg & 7;

	if (insn->mod == 3)
		return;
	if (nth == 1) { /* CMPXCHG8B, CMPXCHG16B */
		size->bytes = insn->opsize == 8 ? 16 : 8;
		size->reads_too = true;
	} else if (nth >= 3 && nth <= 5) { /* XRSTORS, XSAVEC, XSAVES */
		size->area = INSN_COMPACTED;
		size->partly = nth != 3;
		size->state = true;
	} else {
		size->bytes = 8; /* a pointer to a VMCS */
	}
}

/* Prefixes are jumped over; whether they fit together does not matter here. */
static bool is_prefix(u8 byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x40 ... 0x4f: /* in other modes than 64-bit instructions, without memory operands */
	case 0x64 ... 0x67:
	case 0xf0:
	case 0xf2 ... 0xf3:
		return true;
	default:
		return false;
	}
}

bool insn_may_have_state(const u8 *bytes, size_t n)
{
	size_t i = 0;

	while (i < n && is_prefix(bytes[i]))
		i++;
	if (i + 1 >= n)
		return false;
	if (bytes[i] == 0x0f)
		return bytes[i + 1] == 0xae || bytes[i + 1] == 0xc7;
	return bytes[i] == 0xd9 || bytes[i] == 0xdd;
}

void insn_size(const struct insn *insn, struct insn_size *size)
{
	*size = (struct insn_size){0};
	if (insn->encoding != INSN_LEGACY)
		return;
	if (insn->map == 1 && insn->opcode == 0xae)
		state_size(insn, size);
	else if (insn->map == 1 && insn->opcode == 0xc7)
		group_9_size(insn, size);
	else if (insn->map == 0 && (insn->opcode == 0xd9 || insn->opcode == 0xdd))
		fpu_size(insn, size);
	else if (insn->map == 0 && (insn->opcode == 0xa6 || insn->opcode == 0xae)) /* CMPS, SCAS */
		size->bytes = 1;
	else if (insn->map == 0 && (insn->opcode == 0xa7 || insn->opcode == 0xaf))
		size->bytes = insn->opsize;
	else if (insn->map == 0)
		stack_size(insn, size);
}
