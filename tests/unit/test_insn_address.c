/* SPDX-License-Identifier: MIT */
/*
 * Where memory operands are: against Zydis, and against this very CPU.
 */
#include "tests/unit/zydis.h"
#include "errno.h"
#include "vmm/x86/insn.h"

#define ROUNDS 1000000

static int setup(void **state)
{
	(void)state;
	return zydis_setup();
}

/* Prefixes, an opcode that has a memory operand in most forms, and random bytes. */
static void random_instruction(u64 *seed, u8 *bytes)
{
	static const u8 prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0x67};
	static const u16 opcodes[] = {
		0x00, 0x03, 0x39, 0x80,  0x81,  0x83,  0x84,  0x87,  0x88,  0x89,  0x8a,  0x8b,
		0xa0, 0xa1, 0xa2, 0xa3,  0xa4,  0xa5,  0xaa,  0xab,  0xac,  0xad,  0xc6,  0xc7,
		0xf6, 0xf7, 0xfe, 0x1a3, 0x1ab, 0x1b3, 0x1bb, 0x1ba, 0x1b1, 0x1c1, 0x1b6, 0x1bf};
	u16 opcode = opcodes[rand_below(seed, ARRAY_SIZE(opcodes))];
	size_t n = 0;

	for (u64 i = rand_below(seed, 3); i; i--)
		bytes[n++] = prefixes[rand_below(seed, sizeof(prefixes))];
	if (rand_below(seed, 2))
		bytes[n++] = 0x40 | (u8)rand_below(seed, 16);
	if (opcode >> 8)
		bytes[n++] = 0x0f;
	bytes[n++] = (u8)opcode;
	while (n < 16)
		bytes[n++] = (u8)(rand_next(seed) >> 32);
}

/* The same registers in Zydis' form, by each of their names. */
static void fill(ZydisRegisterContext *context, const u64 regs[16])
{
	for (int i = 0; i < 16; i++) {
		context->values[ZYDIS_REGISTER_RAX + i] = regs[i];
		context->values[ZYDIS_REGISTER_EAX + i] = (u32)regs[i];
		context->values[ZYDIS_REGISTER_AX + i] = (u16)regs[i];
	}
}

/* The memory operand; of several the one that is written. */
static const ZydisDecodedOperand *memory_operand(const ZydisDecodedInstruction *z,
						 const ZydisDecodedOperand *ops)
{
	const ZydisDecodedOperand *found = NULL;

	for (int i = 0; i < z->operand_count; i++)
		if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (!found || ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			found = &ops[i];
	return found;
}

/* How far bit @number is from the operand, in bytes: whole operands, rounded down. */
static s64 distance(s64 number, unsigned size)
{
	s64 bits = 8 * size, operands = number / bits;

	return (operands - (number % bits < 0)) * size;
}

static s64 signed_register(u64 value, unsigned size)
{
	return size == 2 ? (int16_t)value : size == 4 ? (s32)value : (s64)value;
}

static u64 wrap(u64 value, unsigned size)
{
	return size == 2 ? (u16)value : size == 4 ? (u32)value : value;
}

static void compare(const u8 *bytes, int mode, const u64 regs[16], u64 rip, const struct insn *in,
		    const struct insn_mem *mem)
{
	static ZydisRegisterContext context;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	const ZydisDecodedOperand *op;
	struct insn_address ours;
	ZydisDecodedInstruction z;
	ZyanU64 offset;

	assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis[mode], bytes, 15, &z, ops)));
	op = memory_operand(&z, ops);
	assert_non_null(op);
	fill(&context, regs);
	assert_true(ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(&z, op, rip, &context, &offset)));
	if (mem->op >= INSN_BT && mem->op <= INSN_BTC && mem->has_reg)
		offset += (u64)distance(signed_register(regs[mem->reg], mem->size), mem->size);
	insn_address(in, mem, regs, rip, &ours);
	if (ours.offset == wrap(offset, in->adsize) &&
	    ours.segment == op->mem.segment - ZYDIS_REGISTER_ES)
		return;
	print_error("mode %d:", mode);
	for (int i = 0; i < in->length; i++)
		print_error(" %02x", bytes[i]);
	fail_msg(": we say %u:%llx, Zydis %u:%llx", ours.segment, (unsigned long long)ours.offset,
		 op->mem.segment - ZYDIS_REGISTER_ES, (unsigned long long)offset);
}

/* A displacement without a base, with REX.B, which does not count: Zydis 4.0 takes R13 for the
 * base. SDM: "Special Cases of REX Encodings". */
static bool unknown_to_zydis(const struct insn *in)
{
	return in->has_sib && in->mod == 0 && (in->sib & 7) == 5 && in->rex & 1;
}

static void test_against_zydis(void **state)
{
	long sizes[9] = {0}, forms[3] = {0};
	u64 seed = 1, regs[16];
	u8 bytes[16];

	(void)state;
	for (long i = 0; i < ROUNDS; i++) {
		int mode = (int)rand_below(&seed, MODES);
		struct insn_mem mem;
		struct insn in;

		random_instruction(&seed, bytes);
		if (insn_decode(&in, bytes, 15, mode) < 0 || insn_memory_op(&in, &mem) ||
		    unknown_to_zydis(&in))
			continue;
		for (int reg = 0; reg < 16; reg++)
			regs[reg] = rand_next(&seed) >> rand_below(&seed, 64);
		/* Outside 64-bit mode the instruction pointer has 32 bits, and nothing depends on
		 * it. */
		compare(bytes, mode, regs, rand_next(&seed) >> (mode == INSN_64 ? 1 : 33), &in,
			&mem);
		sizes[in.adsize]++;
		forms[in.has_sib ? 2 : in.has_modrm]++;
	}
	assert_true(sizes[2] > ROUNDS / 10 && sizes[4] > ROUNDS / 10 && sizes[8] > ROUNDS / 10);
	assert_true(forms[0] > ROUNDS / 20 && forms[1] > ROUNDS / 10 && forms[2] > ROUNDS / 50);
}

/* Bit @number of the operand in the middle of @data: set by the CPU, in which byte? */
static int set_by_cpu(u8 *data, s64 number, unsigned size)
{
	memset(data, 0, 512);
	if (size == 2)
		asm volatile("btsw %w1, %0" : "+m"(data[256]) : "r"(number) : "memory", "cc");
	else if (size == 4)
		asm volatile("btsl %k1, %0" : "+m"(data[256]) : "r"(number) : "memory", "cc");
	else
		asm volatile("btsq %1, %0" : "+m"(data[256]) : "r"(number) : "memory", "cc");
	for (int i = 0; i < 512; i++)
		if (data[i])
			return i;
	return -1;
}

/* BTS: a bit's number moves the operand, downwards too; bits above the operand's size do not count.
 */
static void test_bits_against_cpu(void **state)
{
	static const u8 insns[3][4] = {{0x66, 0x0f, 0xab, 0x01},  /* bts %ax, (%rcx) */
				       {0x0f, 0xab, 0x01},        /* bts %eax, (%rcx) */
				       {0x48, 0x0f, 0xab, 0x01}}; /* bts %rax, (%rcx) */
	static const s64 above[3] = {0x12340000, 0x123400000000, 0};
	u8 data[512 + 8];

	(void)state;
	for (int k = 0; k < 3; k++) {
		unsigned size = 2u << k;
		struct insn_mem mem;
		struct insn in;

		assert_true(insn_decode(&in, insns[k], 4, INSN_64) > 0);
		assert_int_equal(insn_memory_op(&in, &mem), 0);
		assert_int_equal(mem.size, size);
		for (s64 number = -1900; number < 1900; number++) {
			u64 regs[16] = {(u64)(number ^ above[k]), 256};
			struct insn_address at;
			int byte = set_by_cpu(data, number ^ above[k], size);

			insn_address(&in, &mem, regs, 0, &at);
			assert_in_range(byte - (int)at.offset, 0, size - 1);
			assert_int_equal(data[byte], 1u << (number & 7));
		}
	}
}

/* What Zydis does not know, or calls by another name. */
static void test_by_hand(void **state)
{
	static const struct {
		enum insn_mode mode;
		u8 bytes[10];
		u8 segment;
		u64 offset;
	} cases[] = {
		/* mov %eax, %fs:0x300(%rcx) */
		{INSN_64, {0x64, 0x89, 0x81, 0, 3, 0, 0}, INSN_FS, 0x1fee00300},
		/* the same with 32-bit addresses, and DS' prefix, which does not count */
		{INSN_64, {0x3e, 0x67, 0x89, 0x81, 0, 3, 0, 0}, INSN_DS, 0xfee00300},
		/* GS' prefix, and CS' after it, which does not count */
		{INSN_64, {0x65, 0x2e, 0x89, 0x07}, INSN_GS, 7},
		{INSN_32, {0x65, 0x2e, 0x89, 0x07}, INSN_CS, 7},
		/* mov %eax, 0x100(%eip), at 1000h */
		{INSN_64, {0x67, 0x89, 0x05, 0, 1, 0, 0}, INSN_DS, 0x1107},
		/* mov %eax, (%r12): no stack pointer */
		{INSN_64, {0x41, 0x89, 0x04, 0x24}, INSN_DS, 12},
		/* mov %eax, 0x12345678(,%rcx,8) with REX.B: no %r13 */
		{INSN_64, {0x41, 0x89, 0x04, 0xcd, 0x78, 0x56, 0x34, 0x12}, INSN_DS, 0x1009345678},
		/* mov %eax, (%rsp) */
		{INSN_64, {0x89, 0x04, 0x24}, INSN_SS, 4},
		/* mov %ax, 0x10(%bp,%di) */
		{INSN_16, {0x89, 0x43, 0x10}, INSN_SS, 0x1c},
		/* mov %ax, 0xfffe(%bx): wraps at 64 KiB */
		{INSN_16, {0x89, 0x87, 0xfe, 0xff}, INSN_DS, 1},
		/* movsl with FS: what is written is at ES:EDI */
		{INSN_32, {0x64, 0xa5}, INSN_ES, 7},
		/* lodsl with FS */
		{INSN_32, {0x64, 0xad}, INSN_FS, 6},
	};
	u64 regs[16];

	(void)state;
	for (u64 i = 0; i < 16; i++)
		regs[i] = i;
	regs[1] = 0x1fee00000;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct insn_address at;
		struct insn_mem mem;
		struct insn in;

		assert_true(insn_decode(&in, cases[i].bytes, 10, cases[i].mode) > 0);
		assert_int_equal(insn_memory_op(&in, &mem), 0);
		insn_address(&in, &mem, regs, 0x1000, &at);
		assert_int_equal(at.segment, cases[i].segment);
		assert_int_equal(at.offset, cases[i].offset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_zydis),
		cmocka_unit_test(test_bits_against_cpu),
		cmocka_unit_test(test_by_hand),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
