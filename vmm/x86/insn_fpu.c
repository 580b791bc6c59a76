/* SPDX-License-Identifier: MIT */
/*
 * Which instructions store 32 bits of the FPU or vector registers.
 */
#include "vmm/x86/insn_fpu.h"
#include "bits.h"

#define REX_W 8

/* Stores that have one encoding each: D9 and DB, by the ModRM's register field. */
static bool x87_store(const struct insn *insn, struct insn_fpu *store)
{
	static const struct {
		u8 opcode, nth;
		enum fpu_store kind;
	} stores[] = {
		{0xd9, 2, FPU_FST},  {0xd9, 3, FPU_FSTP},  {0xdb, 1, FPU_FISTTP},
		{0xdb, 2, FPU_FIST}, {0xdb, 3, FPU_FISTP},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(stores); i++) {
		if (stores[i].opcode == insn->opcode && stores[i].nth == (insn->reg & 7)) {
			*store = (struct insn_fpu){.kind = stores[i].kind};
			return true;
		}
	}
	return false;
}

/* The mandatory prefix: F2 and F3 before 66. */
static u8 mandatory_prefix(const struct insn *insn)
{
	if (insn->encoding != INSN_LEGACY)
		return insn->pp;
	return insn->rep ? insn->rep : insn->opsize_prefix ? 0x66 : 0;
}

static bool sse_store(const struct insn *insn, struct insn_fpu *store)
{
	u8 prefix = mandatory_prefix(insn);
	bool wide = insn->rex & REX_W;

	*store = (struct insn_fpu){.kind = FPU_XMM, .reg = insn->reg};
	if (insn->map == 1 && insn->opcode == 0x11) /* MOVSS */
		return prefix == 0xf3;
	if (insn->map == 1 && insn->opcode == 0x7e && prefix == 0x66) /* MOVD */
		return !wide;
	if (insn->map == 3 && insn->opcode == 0x16 && prefix == 0x66) { /* PEXTRD */
		store->quarter = insn->imm & 3;
		return !wide;
	}
	if (insn->map == 3 && insn->opcode == 0x17 && prefix == 0x66) { /* EXTRACTPS */
		store->quarter = insn->imm & 3;
		return true;
	}
	if (insn->map == 1 && insn->opcode == 0xae && (insn->reg & 7) == 3 && !prefix) {
		*store = (struct insn_fpu){.kind = FPU_MXCSR};
		return true;
	}
	if (insn->map == 1 && insn->opcode == 0x7e && !prefix && insn->encoding == INSN_LEGACY) {
		*store = (struct insn_fpu){.kind = FPU_MM, .reg = insn->reg & 7};
		return !wide;
	}
	return false;
}

bool insn_fpu_store(const struct insn *insn, struct insn_fpu *store)
{
	if (!insn->has_modrm || insn->mod == 3 || insn->encoding == INSN_EVEX)
		return false;
	if (insn->map == 0)
		return insn->encoding == INSN_LEGACY && x87_store(insn, store);
	return sse_store(insn, store);
}
