/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder compared with Zydis, and the emulator compared with this CPU.
 *
 * GH_TEST_ROUNDS in the environment multiplies the random rounds.
 */
#include "tests/unit/zydis.h"
#include <sys/mman.h>
#include "errno.h"
#include "vmm/x86/insn.h"

static void make_native(void);

static long rounds(long n)
{
	const char *text = getenv("GH_TEST_ROUNDS");

	return text ? n * atol(text) : n;
}

static int setup(void **state)
{
	(void)state;
	if (zydis_setup())
		return -1;
	make_native();
	return 0;
}

/*
 * Instructions that Zydis knows and that no Intel CPU with VT-x executes: AMD's 3DNow!, XOP and
 * SSE4a, VIA's PadLock, and Knights Corner's MVEX encodings.
 */
static bool not_intel(const ZydisDecodedInstruction *z)
{
	switch (z->encoding) {
	case ZYDIS_INSTRUCTION_ENCODING_3DNOW:
	case ZYDIS_INSTRUCTION_ENCODING_XOP:
	case ZYDIS_INSTRUCTION_ENCODING_MVEX:
		return true;
	default:
		break;
	}
	switch (z->meta.isa_ext) {
	case ZYDIS_ISA_EXT_AMD3DNOW:
	case ZYDIS_ISA_EXT_SSE4A:
	case ZYDIS_ISA_EXT_PADLOCK:
	case ZYDIS_ISA_EXT_KNC:
	case ZYDIS_ISA_EXT_KNCE:
	case ZYDIS_ISA_EXT_KNCV:
		return true;
	default:
		return false;
	}
}

/* Random bytes, mostly an instruction with several prefixes. */
static size_t random_bytes(u64 *seed, u8 *bytes)
{
	static const u8 common[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x48, 0x40,
				    0x41, 0x44, 0x0f, 0x0f, 0x0f, 0xc4, 0xc5,
				    0x62, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
	u64 prefixes = rand_below(seed, 2) ? rand_below(seed, 5) : 0;

	for (int i = 0; i < 16; i += 8) {
		u64 word = rand_next(seed);

		memcpy(bytes + i, &word, 8);
	}
	if (rand_below(seed, 64) == 0)
		prefixes = rand_below(seed, 16); /* up to the limit of 15 bytes */
	for (u64 i = 0; i < prefixes; i++)
		bytes[i] = common[rand_below(seed, sizeof(common))];
	if (rand_below(seed, 4) == 0) { /* VEX or EVEX of a likely map */
		u8 *at = bytes + rand_below(seed, 2);
		u8 high = at[1] | (rand_below(seed, 2) ? 0xc0 : 0);

		at[0] = rand_below(seed, 2) ? 0xc4 : 0x62;
		at[1] = (high & 0xf0) | (at[0] == 0xc4 ? high & 0x03 : high & 0x07);
		at[2] |= at[0] == 0xc4 ? 0 : 0x04 | (rand_below(seed, 2) ? 0x78 : 0);
	}
	return 15;
}

static void show(const u8 *bytes, int mode, int ret, const ZydisDecodedInstruction *z)
{
	print_error("mode %d, insn_decode %d, Zydis %d (%s):", mode, ret, z ? z->length : -1,
		    z ? ZydisMnemonicGetString(z->mnemonic) : "a prefix that must not be");
	for (int i = 0; i < 15; i++)
		print_error(" %02x", bytes[i]);
	print_error("\n");
}

static u64 low_bits(u64 value, unsigned bits)
{
	return bits ? value & (~0ull >> (64 - bits)) : 0;
}

/*
 * For these, Zydis's address size does not depend on the prefix 67h: ENCLS, ENCLU and ENCLV, which
 * take addresses in registers, and MPX, which ignores the prefix in 64-bit mode.
 */
static bool fixed_address_size(const ZydisDecodedInstruction *z)
{
	return z->meta.isa_ext == ZYDIS_ISA_EXT_MPX || z->mnemonic == ZYDIS_MNEMONIC_ENCLS ||
	       z->mnemonic == ZYDIS_MNEMONIC_ENCLU || z->mnemonic == ZYDIS_MNEMONIC_ENCLV;
}

/* Compare the parts: immediates, displacement, ModRM, prefixes. */
static bool same_parts(const struct insn *in, const ZydisDecodedInstruction *z)
{
	bool modrm = z->attributes & ZYDIS_ATTRIB_HAS_MODRM;
	bool sib = z->attributes & ZYDIS_ATTRIB_HAS_SIB;
	bool ok = in->has_modrm == modrm && in->has_sib == sib && in->opcode == z->opcode &&
		  (in->adsize * 8 == z->address_width || fixed_address_size(z));

	if (modrm)
		ok &= in->modrm ==
		      (z->raw.modrm.mod << 6 | z->raw.modrm.reg << 3 | z->raw.modrm.rm);
	if (sib)
		ok &= in->sib == (z->raw.sib.scale << 6 | z->raw.sib.index << 3 | z->raw.sib.base);
	/* Zydis scales the 8-bit displacement of EVEX. */
	ok &= in->disp_size * 8 == z->raw.disp.size;
	if (in->encoding != INSN_EVEX)
		ok &= in->disp == z->raw.disp.value;
	ok &= in->imm_size * 8 == z->raw.imm[0].size && in->imm2_size * 8 == z->raw.imm[1].size;
	ok &= low_bits((u64)in->imm, z->raw.imm[0].size) ==
	      low_bits(z->raw.imm[0].value.u, z->raw.imm[0].size);
	ok &= in->imm2 == low_bits(z->raw.imm[1].value.u, z->raw.imm[1].size);
	ok &= in->lock == !!(z->attributes & ZYDIS_ATTRIB_HAS_LOCK);
	if (z->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && in->mode == INSN_64) {
		u8 rex = z->attributes & ZYDIS_ATTRIB_HAS_REX
				 ? 0x40 | z->raw.rex.W << 3 | z->raw.rex.R << 2 |
					   z->raw.rex.X << 1 | z->raw.rex.B
				 : 0;

		ok &= in->rex == rex;
	}
	return ok;
}

/* LOCK where it is not allowed; a prefix before VEX or EVEX. */
static bool refused_prefix(ZyanStatus status)
{
	return status == ZYDIS_STATUS_ILLEGAL_LOCK || status == ZYDIS_STATUS_ILLEGAL_LEGACY_PFX ||
	       status == ZYDIS_STATUS_ILLEGAL_REX;
}

static void compare_lengths(u64 seed, long count)
{
	static long valid[MODES][8], refused;
	ZydisDecodedInstruction z;
	ZydisDecoderContext context;
	ZyanStatus status;
	struct insn in;
	u8 bytes[16];

	for (long i = 0; i < count; i++) {
		int mode = (int)rand_below(&seed, MODES), ret;
		size_t n = random_bytes(&seed, bytes);

		ret = insn_decode(&in, bytes, n, mode);
		assert_int_not_equal(ret, -ENOSPC);
		status = ZydisDecoderDecodeInstruction(&zydis[mode], &context, bytes, n, &z);
		if (refused_prefix(status)) {
			if (ret != -EINVAL) {
				show(bytes, mode, ret, NULL);
				fail();
			}
			refused++;
		}
		if (ZYAN_FAILED(status) || not_intel(&z))
			continue;
		valid[mode][z.encoding]++;
		if (ret != z.length || !same_parts(&in, &z)) {
			show(bytes, mode, ret, &z);
			fail();
		}
	}
	assert_true(refused > count / 100);
	for (int mode = 0; mode < MODES; mode++) {
		assert_true(valid[mode][ZYDIS_INSTRUCTION_ENCODING_LEGACY] > count / 10);
		assert_true(valid[mode][ZYDIS_INSTRUCTION_ENCODING_VEX] > count / 2000);
		assert_true(valid[mode][ZYDIS_INSTRUCTION_ENCODING_EVEX] > count / 20000);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	compare_lengths(1, rounds(2000000));
	print_message("%ld random byte strings: the same as Zydis\n", rounds(2000000));
}

/* A truncated instruction gives -ENOSPC, and the decoder does not read beyond its end. */
static void test_truncated(void **state)
{
	u64 seed = 2;
	struct insn in;
	u8 bytes[16];

	(void)state;
	for (long i = 0; i < rounds(60000); i++) {
		int mode = (int)rand_below(&seed, MODES);
		size_t n = random_bytes(&seed, bytes);
		int length = insn_decode(&in, bytes, n, mode);

		for (size_t part = 0; length > 0 && part <= (size_t)length; part++) {
			u8 *copy = exact_copy(bytes, part);

			assert_int_equal(insn_decode(&in, copy, part, mode),
					 part == (size_t)length ? length : -ENOSPC);
			free(copy);
		}
	}
}

/* Does Zydis decode the legacy opcode in any form that an Intel CPU executes? */
static bool zydis_knows(const u8 *opcode, size_t n, int mode)
{
	static const u8 prefixes[] = {0, 0x66, 0xf2, 0xf3, 0x48};
	ZydisDecodedInstruction z;
	ZydisDecoderContext context;
	u8 bytes[16] = {0};

	for (size_t p = 0; p < sizeof(prefixes); p++) {
		size_t start = prefixes[p] ? 1 : 0;

		if (prefixes[p] == 0x48 && mode != INSN_64)
			continue;
		bytes[0] = prefixes[p];
		memcpy(bytes + start, opcode, n);
		for (int modrm = 0; modrm < 256; modrm++) {
			bytes[start + n] = (u8)modrm;
			if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&zydis[mode], &context,
								       bytes, 15, &z)) &&
			    !not_intel(&z) && z.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY)
				return true;
		}
	}
	return false;
}

static bool we_know(const u8 *opcode, size_t n, int mode)
{
	struct insn in;
	u8 bytes[16] = {0};

	memcpy(bytes, opcode, n);
	for (int modrm = 0; modrm < 256; modrm++) {
		bytes[n] = (u8)modrm;
		if (insn_decode(&in, bytes, 15, mode) > 0 && in.encoding == INSN_LEGACY)
			return true;
	}
	return false;
}

static bool is_prefix(u8 byte, int mode)
{
	return byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e ||
	       (byte >= 0x64 && byte <= 0x67) || byte == 0xf0 || byte == 0xf2 || byte == 0xf3 ||
	       byte == 0x0f || (mode == INSN_64 && (byte & 0xf0) == 0x40);
}

/* Exactly the opcodes that Zydis never decodes are undefined to insn_decode(). */
static void test_undefined_opcodes(void **state)
{
	static const u8 escapes[4][2] = {{0, 0}, {0x0f, 0}, {0x0f, 0x38}, {0x0f, 0x3a}};
	static const size_t escape_len[] = {0, 1, 2, 2};

	(void)state;
	for (int mode = 0; mode < MODES; mode++) {
		for (int map = 0; map < 4; map++) {
			for (int op = 0; op < 256; op++) {
				u8 bytes[3] = {escapes[map][0], escapes[map][1], 0};

				if (map == 0 && is_prefix((u8)op, mode))
					continue;
				if (map == 1 && (op == 0x38 || op == 0x3a))
					continue;
				bytes[escape_len[map]] = (u8)op;
				if (zydis_knows(bytes, escape_len[map] + 1, mode) !=
				    we_know(bytes, escape_len[map] + 1, mode))
					fail_msg("mode %d, map %d, opcode %02x", mode, map, op);
			}
		}
	}
}

static int decode(enum insn_mode mode, const char *hex, struct insn *in)
{
	u8 bytes[32];
	size_t n = 0;
	unsigned byte;
	int used;

	while (sscanf(hex, "%2x%n", &byte, &used) == 1) {
		bytes[n++] = (u8)byte;
		hex += used;
	}
	return insn_decode(in, bytes, n, mode);
}

static void test_by_hand(void **state)
{
	struct insn in;

	(void)state;
	assert_int_equal(decode(INSN_64, "48 8b 84 8b 78 56 34 12", &in), 8);
	assert_int_equal(in.rex, 0x48);
	assert_int_equal(in.opcode, 0x8b);
	assert_true(in.has_modrm && in.has_sib);
	assert_int_equal(in.disp, 0x12345678);
	assert_int_equal(in.opsize, 8);
	assert_int_equal(in.adsize, 8);
	assert_int_equal(decode(INSN_64, "f0 45 87 04 24", &in), 5);
	assert_true(in.lock);
	assert_int_equal(in.reg, 8);
	assert_int_equal(in.rm, 12);
	assert_int_equal(decode(INSN_64, "f3 48 a5", &in), 3);
	assert_int_equal(in.rep, 0xf3);
	assert_int_equal(decode(INSN_64, "48 b8 f0 de bc 9a 78 56 34 12", &in), 10);
	assert_int_equal(in.imm, 0x123456789abcdef0);
	assert_int_equal(in.imm_size, 8);
	assert_int_equal(decode(INSN_64, "a1 f0 de bc 9a 78 56 34 12", &in), 9);
	assert_int_equal(in.disp, 0x123456789abcdef0);
	assert_int_equal(decode(INSN_64, "67 a1 78 56 34 f2", &in), 6);
	assert_int_equal(in.disp_size, 4);
	assert_int_equal(decode(INSN_64, "c8 34 12 05", &in), 4);
	assert_int_equal(in.imm, 0x1234);
	assert_int_equal(in.imm2, 5);
	assert_int_equal(decode(INSN_32, "ea 78 56 34 12 08 00", &in), 7);
	assert_int_equal(in.imm, 0x12345678);
	assert_int_equal(in.imm2, 8);
	assert_int_equal(decode(INSN_16, "8b 46 fe", &in), 3);
	assert_int_equal(in.disp, -2);
	assert_int_equal(in.opsize, 2);
	assert_int_equal(decode(INSN_16, "8b 06 34 12", &in), 4);
	assert_int_equal(decode(INSN_64, "0f 20 04", &in), 3); /* MOV CR: mod is not looked at */
	assert_int_equal(in.mod, 3);
	assert_int_equal(decode(INSN_64, "48 66 8b 00", &in), 4); /* REX too early */
	assert_int_equal(in.rex, 0);
	assert_int_equal(in.opsize, 2);
	assert_int_equal(decode(INSN_64, "64 65 8b 00", &in), 4);
	assert_int_equal(in.segment, 0x65);
}

/* Which encodings are defined in which mode. */
static void test_definition(void **state)
{
	struct insn in;

	(void)state;
	assert_int_equal(decode(INSN_64, "06", &in), -EINVAL);
	assert_int_equal(decode(INSN_32, "06", &in), 1);
	assert_int_equal(decode(INSN_64, "0f 0b", &in), 2);
	assert_int_equal(decode(INSN_64, "f0 8b 00", &in), -EINVAL); /* LOCK on a load */
	assert_int_equal(decode(INSN_64, "f0 01 c0", &in), -EINVAL); /* LOCK on registers */
	assert_int_equal(decode(INSN_64, "f0 39 00", &in), -EINVAL); /* LOCK CMP */
	assert_int_equal(decode(INSN_64, "66 c5 f8 77", &in), -EINVAL);
	assert_int_equal(decode(INSN_64, "c5 f8 77", &in), 3);
	assert_int_equal(decode(INSN_32, "c5 00", &in), 2); /* LDS */
	assert_int_equal(decode(INSN_32, "c5 f8 77", &in), 3);
	assert_int_equal(decode(INSN_64, "ff ff", &in), -EINVAL);
	/* In 32-bit mode VEX cannot encode registers 8 to 15. */
	assert_int_equal(decode(INSN_32, "c4 c1 7a 6f c1", &in), 5);
	assert_int_equal(in.rm, 1);
	assert_int_equal(decode(INSN_64, "c4 c1 7a 6f c1", &in), 5);
	assert_int_equal(in.rm, 9);
	/* The 15-byte limit: 14 prefixes and NOP, then one more. */
	assert_int_equal(decode(INSN_64, "2e2e2e2e2e2e2e2e2e2e2e2e2e2e90", &in), 15);
	assert_int_equal(decode(INSN_64, "2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e90", &in), -EINVAL);
	assert_int_equal(decode(INSN_64, "2e2e2e2e2e2e2e2e2e2e2e2e2e2e", &in), -ENOSPC);
	assert_int_equal(decode(INSN_64, "", &in), -ENOSPC);
}

/* Zydis's name of each operation. */
static const ZydisMnemonic mnemonics[] = {
	[INSN_ADD] = ZYDIS_MNEMONIC_ADD,         [INSN_OR] = ZYDIS_MNEMONIC_OR,
	[INSN_ADC] = ZYDIS_MNEMONIC_ADC,         [INSN_SBB] = ZYDIS_MNEMONIC_SBB,
	[INSN_AND] = ZYDIS_MNEMONIC_AND,         [INSN_SUB] = ZYDIS_MNEMONIC_SUB,
	[INSN_XOR] = ZYDIS_MNEMONIC_XOR,         [INSN_CMP] = ZYDIS_MNEMONIC_CMP,
	[INSN_TEST] = ZYDIS_MNEMONIC_TEST,       [INSN_NOT] = ZYDIS_MNEMONIC_NOT,
	[INSN_NEG] = ZYDIS_MNEMONIC_NEG,         [INSN_INC] = ZYDIS_MNEMONIC_INC,
	[INSN_DEC] = ZYDIS_MNEMONIC_DEC,         [INSN_MOV] = ZYDIS_MNEMONIC_MOV,
	[INSN_MOVZX] = ZYDIS_MNEMONIC_MOVZX,     [INSN_MOVSX] = ZYDIS_MNEMONIC_MOVSX,
	[INSN_XCHG] = ZYDIS_MNEMONIC_XCHG,       [INSN_XADD] = ZYDIS_MNEMONIC_XADD,
	[INSN_CMPXCHG] = ZYDIS_MNEMONIC_CMPXCHG, [INSN_BT] = ZYDIS_MNEMONIC_BT,
	[INSN_BTS] = ZYDIS_MNEMONIC_BTS,         [INSN_BTR] = ZYDIS_MNEMONIC_BTR,
	[INSN_BTC] = ZYDIS_MNEMONIC_BTC,         [INSN_ROL] = ZYDIS_MNEMONIC_ROL,
	[INSN_ROR] = ZYDIS_MNEMONIC_ROR,         [INSN_RCL] = ZYDIS_MNEMONIC_RCL,
	[INSN_RCR] = ZYDIS_MNEMONIC_RCR,         [INSN_SHL] = ZYDIS_MNEMONIC_SHL,
	[INSN_SHR] = ZYDIS_MNEMONIC_SHR,         [INSN_SAR] = ZYDIS_MNEMONIC_SAR,
	[INSN_SHLD] = ZYDIS_MNEMONIC_SHLD,       [INSN_SHRD] = ZYDIS_MNEMONIC_SHRD,
	[INSN_MOVBE] = ZYDIS_MNEMONIC_MOVBE,
};

/* The operation for what Zydis found, or -1. Zydis names each size of a string instruction. */
static int op_of(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_MOVSXD:
		return INSN_MOVSX;
	case ZYDIS_MNEMONIC_MOVNTI:
		return INSN_MOV;
	case ZYDIS_MNEMONIC_MOVSB:
	case ZYDIS_MNEMONIC_MOVSW:
	case ZYDIS_MNEMONIC_MOVSD:
	case ZYDIS_MNEMONIC_MOVSQ:
		return INSN_MOVS;
	case ZYDIS_MNEMONIC_STOSB:
	case ZYDIS_MNEMONIC_STOSW:
	case ZYDIS_MNEMONIC_STOSD:
	case ZYDIS_MNEMONIC_STOSQ:
		return INSN_STOS;
	case ZYDIS_MNEMONIC_LODSB:
	case ZYDIS_MNEMONIC_LODSW:
	case ZYDIS_MNEMONIC_LODSD:
	case ZYDIS_MNEMONIC_LODSQ:
		return INSN_LODS;
	default:
		break;
	}
	for (int op = 0; op < (int)ARRAY_SIZE(mnemonics); op++) {
		if (mnemonics[op] == mnemonic)
			return op;
	}
	return -1;
}

/* The first explicit operand of @type. Collects the memory actions of all operands. */
static const ZydisDecodedOperand *find_operand(const ZydisDecodedInstruction *z,
					       const ZydisDecodedOperand *ops,
					       ZydisOperandType type)
{
	for (int i = 0; i < z->operand_count; i++) {
		/* Skip segment registers, and the implicit RSI and RDI of string instructions. */
		if (ops[i].type == type)
			return &ops[i];
	}
	return NULL;
}

static bool same_memory_op(const struct insn_mem *mem, const ZydisDecodedInstruction *z,
			   const ZydisDecodedOperand *ops)
{
	static const ZydisRegister high[] = {ZYDIS_REGISTER_AH, ZYDIS_REGISTER_CH,
					     ZYDIS_REGISTER_DH, ZYDIS_REGISTER_BH};
	const ZydisDecodedOperand *reg = find_operand(z, ops, ZYDIS_OPERAND_TYPE_REGISTER);
	const ZydisDecodedOperand *imm = find_operand(z, ops, ZYDIS_OPERAND_TYPE_IMMEDIATE);
	bool reads = false, writes = false, ok = true;
	/* 66 MOVSXD reads 16 bits by the SDM; Zydis says 32. */
	bool movsxd16 = z->mnemonic == ZYDIS_MNEMONIC_MOVSXD && mem->reg_size == 2;

	for (int i = 0; i < z->operand_count; i++) {
		if (ops[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		reads |= ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_READ;
		writes |= ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
		ok &= ops[i].size == mem->size * 8 || (movsxd16 && mem->size == 2);
	}
	ok &= reads == mem->reads && writes == mem->writes;
	if (mem->has_reg) {
		assert_non_null(reg);
		if (mem->high_byte)
			ok &= reg->reg.value == high[mem->reg];
		else
			ok &= ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
							       reg->reg.value) ==
				      (ZydisRegister)(ZYDIS_REGISTER_RAX + mem->reg) &&
			      (reg->reg.value < ZYDIS_REGISTER_AH ||
			       reg->reg.value > ZYDIS_REGISTER_BH);
		ok &= reg->size == mem->reg_size * 8;
	}
	ok &= mem->has_imm == (imm != NULL);
	if (imm) { /* to Zydis, bit numbers are unsigned; only their low bits are compared */
		unsigned bits = mem->op >= INSN_BT ? 8 : mem->size * 8;

		ok &= low_bits(mem->imm, bits) == low_bits(imm->imm.value.u, bits);
	}
	return ok;
}

static bool explicit_memory(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops)
{
	const ZydisDecodedOperand *mem = find_operand(z, ops, ZYDIS_OPERAND_TYPE_MEMORY);
	const ZydisDecodedOperand *reg = find_operand(z, ops, ZYDIS_OPERAND_TYPE_REGISTER);

	/* The emulator has no MOV from and to segment registers. */
	if (reg && ZydisRegisterGetClass(reg->reg.value) == ZYDIS_REGCLASS_SEGMENT &&
	    z->mnemonic == ZYDIS_MNEMONIC_MOV)
		return false;
	return mem && z->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
	       z->meta.isa_ext != ZYDIS_ISA_EXT_SSE2;
}

/* Zydis finds the same operation, register, sizes and directions, and no further operations. */
static void test_memory_ops(void **state)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	long seen[INSN_LODS + 1] = {0};
	ZydisDecodedInstruction z;
	struct insn_mem mem;
	struct insn in;
	u64 seed = 3;
	u8 bytes[16];

	(void)state;
	for (long i = 0; i < rounds(600000); i++) {
		int mode = (int)rand_below(&seed, MODES), op, ret;

		random_bytes(&seed, bytes);
		if (i % 64 == 0) { /* MOVBE, whose three bytes chance does not find */
			memcpy(bytes, (u8[]){0x0f, 0x38, 0xf0 | (i >> 6 & 1)}, 3);
		}
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&zydis[mode], bytes, 15, &z, ops)) ||
		    not_intel(&z) || insn_decode(&in, bytes, 15, mode) < 0)
			continue;
		op = explicit_memory(&z, ops) ? op_of(z.mnemonic) : -1;
		if (z.mnemonic == ZYDIS_MNEMONIC_MOVNTI)
			op = INSN_MOV;
		ret = insn_memory_op(&in, &mem);
		if (!ret && mem.op == INSN_SAL) /* one name for both encodings */
			mem.op = INSN_SHL;
		if (ret != (op < 0 ? -EOPNOTSUPP : 0) ||
		    (ret == 0 && ((int)mem.op != op || !same_memory_op(&mem, &z, ops)))) {
			show(bytes, mode, ret, &z);
			fail();
		}
		if (op >= 0)
			seen[op]++;
	}
	for (size_t op = 0; op < ARRAY_SIZE(seen); op++)
		assert_true(op == INSN_SAL || seen[op] > 10);
}

/*
 * Code that loads all registers and the flags, executes one instruction, and stores them again. In
 * between it uses no stack, so that RSP can have any value.
 */
struct native {
	u8 code[2048];
	u64 in[16], out[16];
	u64 flags_in, flags_out, host_rsp;
	u8 data[256];
};

static struct native *native;
static u8 *emit_at, *slot;

static void emit(const void *bytes, size_t n)
{
	memcpy(emit_at, bytes, n);
	emit_at += n;
}

/* Emit @opcode with a ModRM of @reg and [RIP + distance to @var]. */
static void emit_rip(bool rex, u8 opcode, unsigned reg, const void *var)
{
	u8 prefix = 0x48 | (reg & 8) >> 1, modrm = 0x05 | (reg & 7) << 3;
	s32 distance;

	if (rex)
		emit(&prefix, 1);
	emit(&opcode, 1);
	emit(&modrm, 1);
	distance = (s32)((const u8 *)var - (emit_at + 4));
	emit(&distance, 4);
}

static void make_native(void)
{
	static const u8 saves[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55,
				   0x41, 0x56, 0x41, 0x57, 0x9c};
	static const u8 restores[] = {0x9d, 0x41, 0x5f, 0x41, 0x5e, 0x41,
				      0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3};

	native = mmap(NULL, sizeof(*native), PROT_READ | PROT_WRITE | PROT_EXEC,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	assert_ptr_not_equal(native, MAP_FAILED);
	emit_at = native->code;
	emit(saves, sizeof(saves)); /* push callee-saved registers and flags */
	emit_rip(true, 0x89, 4, &native->host_rsp);
	emit_rip(false, 0xff, 6, &native->flags_in); /* push [flags_in]; popf */
	emit("\x9d", 1);
	for (unsigned reg = 0; reg < 16; reg++)
		emit_rip(true, 0x8b, reg, &native->in[reg]);
	slot = emit_at;
	emit_at += 15;
	for (unsigned reg = 0; reg < 16; reg++)
		emit_rip(true, 0x89, reg, &native->out[reg]);
	emit_rip(true, 0x8b, 4, &native->host_rsp);
	emit("\x9c", 1); /* pushf; pop [flags_out] */
	emit_rip(false, 0x8f, 0, &native->flags_out);
	emit(restores, sizeof(restores));
}

static void run_native(const u8 *bytes, size_t n)
{
	memset(slot, 0x90, 15);
	memcpy(slot, bytes, n);
	((void (*)(void))(uintptr_t)native->code)();
}

/* The memory of the emulator, and the offset of the next access. */
struct memory {
	u8 data[256];
	u64 read_at, write_at;
	int fail; /* the error that an access returns; 0: none */
};

static int mem_read(void *ctx, unsigned size, u64 *value)
{
	struct memory *memory = ctx;

	*value = 0xdeadbeefcafef00d; /* the emulator must ignore what is above @size */
	memcpy(value, memory->data + memory->read_at, size);
	return memory->fail;
}

static int mem_write(void *ctx, unsigned size, u64 value)
{
	struct memory *memory = ctx;

	assert_true(size == 8 || value >> 8 * size == 0);
	if (!memory->fail)
		memcpy(memory->data + memory->write_at, &value, size);
	return memory->fail;
}

#define STATUS_FLAGS 0x8d5 /* OF SF ZF AF PF CF */
#define FLAG_DF      0x400
#define FLAG_AF      0x010
#define FLAG_CF      0x001
#define FLAG_OF      0x800

static u64 random_flags(u64 *seed)
{
	return (rand_next(seed) & STATUS_FLAGS) | 0x202;
}

/* A random number, often near a border. */
static u64 random_value(u64 *seed)
{
	static const u64 borders[] = {0,          1,          0x7f,       0x80,
				      0xff,       0x7fff,     0x8000,     0xffff,
				      0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
				      1ull << 63, ~0ull};

	if (rand_below(seed, 3))
		return rand_next(seed);
	return borders[rand_below(seed, ARRAY_SIZE(borders))] + rand_below(seed, 3) - 1;
}

static void report(const u8 *bytes, size_t n, const char *what, u64 native_value, u64 emulated)
{
	for (size_t i = 0; i < n; i++)
		print_error(" %02x", bytes[i]);
	fail_msg("%s: %llx on the CPU, %llx emulated", what, (unsigned long long)native_value,
		 (unsigned long long)emulated);
}

static void compare(const u8 *bytes, size_t n, const u64 regs[16], u64 flags,
		    const struct memory *memory, u64 undefined)
{
	for (int i = 0; i < 16; i++) {
		if (native->out[i] != regs[i])
			report(bytes, n, "register", native->out[i], regs[i]);
	}
	if ((native->flags_out ^ flags) & ~undefined)
		report(bytes, n, "flags", native->flags_out, flags);
	for (size_t i = 0; i < sizeof(memory->data); i++) {
		if (native->data[i] != memory->data[i])
			report(bytes, n, "memory", native->data[i], memory->data[i]);
	}
}

/* Flags that the SDM leaves undefined after a shift by @count. */
static u64 undefined_after_shift(const struct insn_mem *mem, unsigned count)
{
	unsigned bits = 8u * mem->size;
	u64 undefined = count == 1 ? 0 : FLAG_OF;

	if (!count)
		return 0;
	if (mem->op <= INSN_RCR)
		return undefined;
	return undefined | FLAG_AF | (count >= bits ? FLAG_CF : 0);
}

/* Flags that the SDM leaves undefined, by operation. */
static u64 undefined_flags(enum insn_op op)
{
	switch (op) {
	case INSN_AND:
	case INSN_OR:
	case INSN_XOR:
	case INSN_TEST:
		return FLAG_AF;
	case INSN_BT:
	case INSN_BTS:
	case INSN_BTR:
	case INSN_BTC:
		return STATUS_FLAGS & ~0x41; /* CF and ZF are defined */
	default:
		return 0;
	}
}

/* Set registers, flags and memory to random values, the same for the CPU and the emulator. */
static void start(u64 *seed, u64 regs[16], u64 *flags, struct memory *memory)
{
	for (size_t i = 0; i < sizeof(memory->data); i += 8) {
		u64 value = random_value(seed);

		memcpy(memory->data + i, &value, 8);
	}
	memcpy(native->data, memory->data, sizeof(memory->data));
	for (int i = 0; i < 16; i++)
		regs[i] = random_value(seed);
	*flags = random_flags(seed);
	memory->fail = 0;
}

/* Make an instruction of 64-bit mode with the memory operand [base]. Stores the register in *@base.
 */
static void random_instruction(u64 *seed, u8 *bytes, unsigned *base)
{
	static const u16 opcodes[] = {0x63,  0x80,  0x81,  0x83,  0x84,  0x85,  0x86,  0x87,  0x88,
				      0x89,  0x8a,  0x8b,  0xc6,  0xc7,  0xf6,  0xf7,  0xfe,  0xff,
				      0x1a3, 0x1ab, 0x1b3, 0x1bb, 0x1ba, 0x1b0, 0x1b1, 0x1c0, 0x1c1,
				      0x1c3, 0x1b6, 0x1b7, 0x1be, 0x1bf, 0xc0,  0xc1,  0xd0,  0xd1,
				      0xd2,  0xd3,  0x1a4, 0x1a5, 0x1ac, 0x1ad, 0x2f0, 0x2f1};
	u16 opcode = opcodes[rand_below(seed, ARRAY_SIZE(opcodes))];
	u8 rex = rand_below(seed, 3) ? 0x40 | (u8)rand_below(seed, 16) : 0, modrm;
	size_t n = 0;

	if (rand_below(seed, 2)) /* arithmetic opcodes 00h to 3Bh, in four forms */
		opcode = (u16)(rand_below(seed, 8) << 3 | rand_below(seed, 4));
	do {
		*base = (unsigned)rand_below(seed, 8);
	} while (*base == 4 || *base == 5); /* encodings of SIB and RIP */
	modrm = (u8)(rand_below(seed, 8) << 3 | *base);
	*base |= (rex & 1) << 3;
	if (rand_below(seed, 3) == 0)
		bytes[n++] = 0x66;
	if (rex)
		bytes[n++] = rex;
	if (opcode >> 8)
		bytes[n++] = 0x0f;
	if (opcode >> 8 == 2)
		bytes[n++] = 0x38;
	bytes[n++] = (u8)opcode;
	bytes[n++] = modrm;
	for (int i = 0; i < 8; i++)
		bytes[n++] = (u8)rand_next(seed);
}

static void test_against_cpu(void **state)
{
	struct memory memory;
	struct insn_bus bus = {mem_read, mem_write, &memory};
	long seen[INSN_LODS + 1] = {0};
	u64 seed = 4, regs[16], flags, undefined;

	(void)state;
	for (long i = 0; i < rounds(400000); i++) {
		struct insn_mem mem;
		struct insn in;
		unsigned base;
		u8 bytes[24];
		size_t n;

		random_instruction(&seed, bytes, &base);
		if (insn_decode(&in, bytes, 15, INSN_64) < 0 || insn_memory_op(&in, &mem))
			continue;
		n = in.length;
		start(&seed, regs, &flags, &memory);
		memory.read_at = memory.write_at = 64;
		regs[base] = (uintptr_t)native->data + 64;
		if (rand_below(&seed, 4) == 0) /* at times CMPXCHG and CMP compare equal */
			memcpy(&regs[0], memory.data + 64, base ? 8 : 0);
		/* A bit number in a register moves the operand: only 0 to 63 are tested. */
		if (mem.op >= INSN_BT && mem.op <= INSN_BTC && mem.has_reg) {
			if (mem.reg == base)
				continue;
			regs[mem.reg] &= mem.size * 8 - 1;
		}
		undefined = undefined_flags(mem.op);
		if (mem.op >= INSN_ROL && mem.op <= INSN_SHRD) {
			unsigned count = (unsigned)(mem.has_imm ? mem.imm : regs[1]) &
					 (mem.size == 8 ? 63 : 31);

			undefined = undefined_after_shift(&mem, count);
			/* Then the result is undefined, too. */
			if (mem.op >= INSN_SHLD && count > 8u * mem.size)
				continue;
		}
		memcpy(native->in, regs, sizeof(regs));
		native->flags_in = flags;
		run_native(bytes, n);
		assert_int_equal(insn_emulate_mem(&in, &mem, regs, &flags, &bus), 0);
		compare(bytes, n, regs, flags, &memory, undefined);
		seen[mem.op]++;
	}
	for (int op = 0; op < INSN_MOVS; op++)
		assert_true(seen[op] > 100);
}

/* MOVS, STOS, LODS: whole REP loops, both directions, 64- and 32-bit addresses. */
static void test_strings_against_cpu(void **state)
{
	static const u8 opcodes[] = {0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad};
	struct memory memory;
	struct insn_bus bus = {mem_read, mem_write, &memory};
	u64 seed = 5, regs[16], flags;

	(void)state;
	for (long i = 0; i < rounds(50000); i++) {
		struct insn_mem mem;
		struct insn in;
		bool rep = rand_below(&seed, 2), adsize = rand_below(&seed, 2);
		u8 bytes[8];
		size_t n = 0;
		int more;

		if (rep)
			bytes[n++] = rand_below(&seed, 4) ? 0xf3 : 0xf2;
		if (adsize)
			bytes[n++] = 0x67;
		if (rand_below(&seed, 2))
			bytes[n++] = rand_below(&seed, 2) ? 0x66 : 0x48;
		bytes[n++] = opcodes[rand_below(&seed, sizeof(opcodes))];
		assert_int_equal(insn_decode(&in, bytes, n, INSN_64), n);
		assert_int_equal(insn_memory_op(&in, &mem), 0);
		start(&seed, regs, &flags, &memory);
		flags |= rand_below(&seed, 2) ? FLAG_DF : 0;
		regs[6] = (uintptr_t)native->data + 64 + rand_below(&seed, 128);
		regs[7] = (uintptr_t)native->data + 64 + rand_below(&seed, 128);
		/* Not tested: a count of 0 with 32-bit addresses, which clears upper halves on some
		 * CPU models. */
		regs[1] = rand_below(&seed, 7) + (adsize ? 1 : 0);
		if (adsize) {
			regs[1] |= rand_next(&seed) << 32;
			regs[6] |= rand_next(&seed) << 32;
			regs[7] |= rand_next(&seed) << 32;
		}
		memcpy(native->in, regs, sizeof(regs));
		native->flags_in = flags;
		run_native(bytes, n);
		do {
			memory.read_at = (u32)regs[6] - (u32)(uintptr_t)native->data;
			memory.write_at = (u32)regs[7] - (u32)(uintptr_t)native->data;
			more = insn_emulate_mem(&in, &mem, regs, &flags, &bus);
		} while (more == 1);
		assert_int_equal(more, 0);
		compare(bytes, n, regs, flags, &memory, 0);
	}
}

/* Absolute offsets, which this CPU cannot execute in the test; and errors change no register. */
static void test_emulation_by_hand(void **state)
{
	struct memory memory = {.data = {0x11, 0x22, 0x33, 0x44, 0x55}};
	struct insn_bus bus = {mem_read, mem_write, &memory};
	static const char *const failing[] = {"48 a5",       "f3 ab", "ac",       "01 00",
					      "f0 0f c1 18", "87 18", "0f b1 18", "8b 18"};
	u64 regs[16] = {0x1000000000000000, 5}, before[16], flags = 2, flags_before;
	struct insn_mem mem;
	struct insn in;

	(void)state;
	assert_true(decode(INSN_64, "a1 00 00 e0 fe 00 00 00 00", &in) > 0);
	assert_int_equal(insn_memory_op(&in, &mem), 0);
	assert_int_equal(insn_emulate_mem(&in, &mem, regs, &flags, &bus), 0);
	assert_int_equal(regs[0], 0x44332211);
	assert_true(decode(INSN_64, "a2 00 00 e0 fe 00 00 00 00", &in) > 0);
	assert_int_equal(insn_memory_op(&in, &mem), 0);
	memory.write_at = 4;
	assert_int_equal(insn_emulate_mem(&in, &mem, regs, &flags, &bus), 0);
	assert_int_equal(memory.data[4], 0x11);

	/* Only the last iteration of a REP is reported as the last. */
	assert_true(decode(INSN_64, "f3 aa", &in) > 0);
	assert_int_equal(insn_memory_op(&in, &mem), 0);
	regs[1] = 2;
	assert_int_equal(insn_emulate_mem(&in, &mem, regs, &flags, &bus), 1);
	assert_int_equal(insn_emulate_mem(&in, &mem, regs, &flags, &bus), 0);
	assert_int_equal(regs[1], 0);

	assert_true(decode(INSN_64, "66 63 00", &in) > 0);
	assert_int_equal(insn_memory_op(&in, &mem), 0);
	assert_int_equal(mem.size, 2);

	regs[1] = 5;
	memory.fail = -EFAULT;
	for (size_t i = 0; i < ARRAY_SIZE(failing); i++) {
		assert_true(decode(INSN_64, failing[i], &in) > 0);
		assert_int_equal(insn_memory_op(&in, &mem), 0);
		memcpy(before, regs, sizeof(regs));
		flags_before = flags;
		assert_int_equal(insn_emulate_mem(&in, &mem, regs, &flags, &bus), -EFAULT);
		assert_memory_equal(before, regs, sizeof(regs));
		assert_int_equal(flags, flags_before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_definition),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_undefined_opcodes),
		cmocka_unit_test(test_memory_ops),
		cmocka_unit_test(test_against_cpu),
		cmocka_unit_test(test_strings_against_cpu),
		cmocka_unit_test(test_emulation_by_hand),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
