/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder, for any x86 instruction, and the emulator of those that access
 * memory-mapped devices. Both work on bytes and registers only and know nothing of guests.
 *
 * Source: Intel SDM, "Instruction Format" and "Opcode Map".
 */
#ifndef GH_VMM_INSN_H
#define GH_VMM_INSN_H

#include "types.h"

#define INSN_MAX_LENGTH 15

/* The code size: CS.D = 0, CS.D = 1, or CS.L = 1 in IA-32e mode. */
enum insn_mode { INSN_16, INSN_32, INSN_64 };

enum insn_encoding { INSN_LEGACY, INSN_VEX, INSN_EVEX };

struct insn {
	u8 length;   /* bytes, 1 to 15 */
	u8 mode;     /* enum insn_mode */
	u8 encoding; /* enum insn_encoding */

	/* Prefixes. The last one of a group counts. */
	u8 rep; /* 0xf2 (REPNE), 0xf3 (REP, REPE), or 0 */
	/* 0x26 ES, 0x2e CS, 0x36 SS, 0x3e DS, 0x64 FS, 0x65 GS, or 0; in 64-bit mode FS, GS, or 0
	 */
	u8 segment;
	u8 rex;             /* 0x40 to 0x4f, or 0; with VEX and EVEX the bits W, R, X, B only */
	bool lock;          /* 0xf0 */
	bool opsize_prefix; /* 0x66 */
	bool adsize_prefix; /* 0x67 */

	u8 pp;     /* the mandatory prefix of VEX and EVEX: 0, 0x66, 0xf3, 0xf2 */
	u8 map;    /* 0: one byte; 1: 0F; 2: 0F 38; 3: 0F 3A; 5, 6: EVEX only */
	u8 opcode; /* the last opcode byte */

	bool has_modrm, has_sib;
	u8 modrm, sib; /* raw */
	u8 mod;        /* ModRM[7:6]; 3: no memory operand */
	u8 reg, rm;    /* with REX.R and REX.B, 0 to 15 */

	u8 disp_size; /* bytes: 0, 1, 2, 4; 8 for a 64-bit memory offset (MOV A0 to A3) */
	u8 imm_size;  /* bytes: 0, 1, 2, 4, 8 */
	u8 imm2_size; /* ENTER's nesting level, a far pointer's selector: bytes */
	s64 disp;     /* sign-extended; EVEX's disp8*N scaling is not applied */
	s64 imm;      /* sign-extended; also a branch's distance */
	u16 imm2;

	u8 opsize; /* operand size by mode, 66 and REX.W: 2, 4, 8; some instructions override it */
	u8 adsize; /* address size: 2, 4, 8 */
};

/*
 * Decode the instruction that begins at @bytes, of which @n are readable, in @mode, into @insn.
 *
 * Returns its length, 1 to 15. -EINVAL: an undefined opcode, LOCK where it is not allowed, or more
 * than 15 bytes; the CPU would raise #UD (#GP if too long). -ENOSPC: the instruction is longer than
 * @n bytes. Vector instructions (VEX, EVEX) and the rarer groups are checked only as far as their
 * length depends on it. AMD's 3DNow! and XOP, and instructions that Intel announced but did not
 * ship, are undefined here.
 */
int insn_decode(struct insn *insn, const u8 *bytes, size_t n, enum insn_mode mode);

/* What an instruction does with its memory operand. The first eight are in encoding order. */
enum insn_op {
	INSN_ADD,
	INSN_OR,
	INSN_ADC,
	INSN_SBB,
	INSN_AND,
	INSN_SUB,
	INSN_XOR,
	INSN_CMP,
	INSN_TEST,
	INSN_NOT,
	INSN_NEG,
	INSN_INC,
	INSN_DEC,
	INSN_MOV, /* a load or a store */
	INSN_MOVZX,
	INSN_MOVSX, /* and MOVSXD */
	INSN_XCHG,
	INSN_XADD,
	INSN_CMPXCHG,
	INSN_BT, /* these four are in encoding order */
	INSN_BTS,
	INSN_BTR,
	INSN_BTC,
	INSN_ROL, /* the next eight: in the order of encoding */
	INSN_ROR,
	INSN_RCL,
	INSN_RCR,
	INSN_SHL,
	INSN_SHR,
	INSN_SAL, /* another encoding of SHL */
	INSN_SAR,
	INSN_SHLD,
	INSN_SHRD,
	INSN_MOVBE, /* a load or a store */
	INSN_MOVS,
	INSN_STOS,
	INSN_LODS,
};

struct insn_mem {
	enum insn_op op;
	bool reads, writes; /* memory; MOVS reads one address and writes another */
	bool mem_is_dest;   /* memory is the first (destination) operand */
	bool has_reg;       /* the other operand is a register... */
	bool high_byte;     /* ...bits 15:8 of it: AH, CH, DH, BH (then reg is 0 to 3) */
	bool has_imm;       /* ...or an immediate */
	bool count_in_cl;   /* SHLD, SHRD: the count is in CL, not an immediate */
	u8 size;            /* of the memory operand: 1, 2, 4, 8 bytes */
	u8 reg;             /* 0 to 15: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 ... R15 */
	u8 reg_size;        /* bytes; more than size only for MOVZX and MOVSX */
	u64 imm;            /* sign-extended */
};

/*
 * Describe in @mem what @insn does with its memory operand. Returns 0; or -EOPNOTSUPP when it has
 * none, or is none of enum insn_op.
 */
int insn_memory_op(const struct insn *insn, struct insn_mem *mem);

/* Segment registers, by their numbers in instruction encodings. */
enum insn_segment { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS };

/* The segment (enum insn_segment) of @insn's override prefix; @otherwise if it has none. */
u8 insn_segment(const struct insn *insn, u8 otherwise);

struct insn_address {
	u8 segment; /* enum insn_segment */
	u64 offset; /* within the segment, truncated to the address size */
};

/*
 * Compute the address of @insn's memory operand in *@address. @mem: from insn_memory_op(); @regs:
 * by register number; @rip: the offset of @insn in the code segment. For MOVS it is the
 * destination. SDM: "Specifying an Offset", "Addressing-Mode Encoding of ModR/M and SIB Bytes".
 */
void insn_address(const struct insn *insn, const struct insn_mem *mem, const u64 regs[16], u64 rip,
		  struct insn_address *address);

/*
 * How the emulator reads and writes the memory operand: @size is 1, 2, 4 or 8 bytes. Both return 0
 * or a negative error.
 */
struct insn_bus {
	int (*read)(void *ctx, unsigned size, u64 *value);
	int (*write)(void *ctx, unsigned size, u64 value);
	void *ctx;
};

/*
 * Emulate @insn, described by @mem (from insn_memory_op()), on @regs (by register number) and
 * @rflags; @bus accesses memory. MOVS reads DS:[rSI] (or the override's segment) and writes
 * ES:[rDI] through the same @bus. A REP instruction performs one iteration. LOCK is ignored: a
 * device sees a read, then a write.
 *
 * Returns 0 when the instruction is complete. 1: a REP has iterations left, so RIP must stay. A
 * negative error of @bus: registers and flags are unchanged.
 */
int insn_emulate_mem(const struct insn *insn, const struct insn_mem *mem, u64 regs[16], u64 *rflags,
		     const struct insn_bus *bus);

#endif
