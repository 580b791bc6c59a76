/* SPDX-License-Identifier: MIT */
/*
 * Classify and emulate the instructions that access memory-mapped devices.
 */
#include "vmm/x86/insn.h"
#include "bits.h"
#include "errno.h"

enum { RAX, RCX, RSP = 4, RSI = 6, RDI = 7 };

#define CF    BIT(0)
#define PF    BIT(2)
#define AF    BIT(4)
#define ZF    BIT(6)
#define SF    BIT(7)
#define DF    BIT(10)
#define OF    BIT(11)
#define ARITH (CF | PF | AF | ZF | SF | OF)

static void set_op(struct insn_mem *mem, enum insn_op op, bool reads, bool writes)
{
	mem->op = op;
	mem->reads = reads;
	mem->writes = writes;
	mem->mem_is_dest = writes;
}

/* The other operand is register @reg, @size bytes of it. */
static void set_reg(const struct insn *in, struct insn_mem *mem, u8 reg, u8 size)
{
	mem->has_reg = true;
	mem->reg_size = size;
	mem->high_byte = size == 1 && !in->rex && reg >= 4 && reg < 8;
	mem->reg = mem->high_byte ? reg - 4 : reg;
}

static void set_imm(const struct insn *in, struct insn_mem *mem)
{
	mem->has_imm = true;
	mem->imm = (u64)in->imm;
}

/* The arithmetic block 00 to 3F, in the forms Eb,Gb Ev,Gv Gb,Eb Gv,Ev, and the immediate group. */
static void classify_alu(const struct insn *in, struct insn_mem *mem)
{
	bool group = in->opcode >= 0x80;
	enum insn_op op = group ? in->reg & 7 : in->opcode >> 3;
	bool to_mem = group || !(in->opcode & 2);

	set_op(mem, op, true, to_mem && op != INSN_CMP);
	mem->mem_is_dest = to_mem;
	if (group)
		set_imm(in, mem);
	else
		set_reg(in, mem, in->reg, mem->size);
}

/* F6, F7 and FE, FF. */
static int classify_unary(const struct insn *in, struct insn_mem *mem)
{
	u8 nth = in->reg & 7;

	if (in->opcode >= 0xfe) {
		if (nth > 1)
			return -EOPNOTSUPP;
		set_op(mem, nth ? INSN_DEC : INSN_INC, true, true);
		return 0;
	}
	if (nth > 3)
		return -EOPNOTSUPP;
	if (nth < 2) {
		set_op(mem, INSN_TEST, true, false);
		set_imm(in, mem);
	} else {
		set_op(mem, nth == 2 ? INSN_NOT : INSN_NEG, true, true);
	}
	mem->mem_is_dest = true;
	return 0;
}

/* C0, C1, D0 to D3: rotates and shifts. */
static void classify_shift(const struct insn *in, struct insn_mem *mem)
{
	set_op(mem, INSN_ROL + (in->reg & 7), true, true);
	if (in->opcode >= 0xd2) {
		set_reg(in, mem, RCX, 1);
		return;
	}
	set_imm(in, mem);
	if (in->opcode >= 0xd0)
		mem->imm = 1;
}

static int classify_string(const struct insn *in, struct insn_mem *mem)
{
	switch (in->opcode) {
	case 0xa4 ... 0xa5:
		set_op(mem, INSN_MOVS, true, true);
		return 0;
	case 0xaa ... 0xab:
		set_op(mem, INSN_STOS, false, true);
		break;
	case 0xac ... 0xad:
		set_op(mem, INSN_LODS, true, false);
		break;
	default:
		return -EOPNOTSUPP;
	}
	set_reg(in, mem, RAX, mem->size);
	return 0;
}

static int classify_one_byte(const struct insn *in, struct insn_mem *mem)
{
	bool store = !(in->opcode & 2);

	switch (in->opcode) {
	case 0x00 ... 0x3f:
	case 0x80 ... 0x83:
		classify_alu(in, mem);
		return 0;
	case 0x63: /* MOVSXD in 64-bit mode, else ARPL */
		if (in->mode != INSN_64)
			return -EOPNOTSUPP;
		mem->size = MIN(in->opsize, 4);
		set_op(mem, INSN_MOVSX, true, false);
		set_reg(in, mem, in->reg, in->opsize);
		return 0;
	case 0x84 ... 0x85:
		set_op(mem, INSN_TEST, true, false);
		mem->mem_is_dest = true;
		break;
	case 0x86 ... 0x87:
		set_op(mem, INSN_XCHG, true, true);
		break;
	case 0x88 ... 0x8b:
		set_op(mem, INSN_MOV, !store, store);
		break;
	case 0xa0 ... 0xa3: /* here bit 1 set means a store */
		set_op(mem, INSN_MOV, store, !store);
		set_reg(in, mem, RAX, mem->size);
		return 0;
	case 0xc0 ... 0xc1:
	case 0xd0 ... 0xd3:
		classify_shift(in, mem);
		return 0;
	case 0xc6 ... 0xc7:
		set_op(mem, INSN_MOV, false, true);
		set_imm(in, mem);
		return 0;
	case 0xf6 ... 0xf7:
	case 0xfe ... 0xff:
		return classify_unary(in, mem);
	default:
		return classify_string(in, mem);
	}
	set_reg(in, mem, in->reg, mem->size);
	return 0;
}

static int classify_0f(const struct insn *in, struct insn_mem *mem)
{
	enum insn_op bt = INSN_BT + (in->opcode == 0xba ? in->reg & 3 : in->opcode >> 3 & 3);

	switch (in->opcode) {
	case 0xb0 ... 0xb1:
		set_op(mem, INSN_CMPXCHG, true, true);
		break;
	case 0xc0 ... 0xc1:
		set_op(mem, INSN_XADD, true, true);
		break;
	case 0xc3: /* MOVNTI: never 16 bits */
		if (in->opsize_prefix || in->rep)
			return -EOPNOTSUPP;
		mem->size = MAX(in->opsize, 4);
		set_op(mem, INSN_MOV, false, true);
		break;
	case 0xb6 ... 0xb7:
	case 0xbe ... 0xbf:
		set_op(mem, in->opcode < 0xb8 ? INSN_MOVZX : INSN_MOVSX, true, false);
		mem->size = in->opcode & 1 ? 2 : 1;
		set_reg(in, mem, in->reg, in->opsize);
		return 0;
	case 0xa4 ... 0xa5:
	case 0xac ... 0xad:
		set_op(mem, in->opcode < 0xa8 ? INSN_SHLD : INSN_SHRD, true, true);
		mem->size = in->opsize;
		mem->count_in_cl = in->opcode & 1;
		if (!mem->count_in_cl)
			set_imm(in, mem);
		break;
	case 0xa3:
	case 0xab:
	case 0xb3:
	case 0xbb:
	case 0xba:
		set_op(mem, bt, true, bt != INSN_BT);
		mem->mem_is_dest = true;
		mem->size = in->opsize;
		if (in->opcode == 0xba) {
			set_imm(in, mem);
			return 0;
		}
		break;
	default:
		return -EOPNOTSUPP;
	}
	set_reg(in, mem, in->reg, mem->size);
	return 0;
}

/* 0F 38: MOVBE; with F2 it is CRC32. */
static int classify_0f38(const struct insn *in, struct insn_mem *mem)
{
	bool store = in->opcode & 1;

	if ((in->opcode & ~1) != 0xf0 || in->rep)
		return -EOPNOTSUPP;
	set_op(mem, INSN_MOVBE, !store, store);
	mem->size = in->opsize;
	set_reg(in, mem, in->reg, mem->size);
	return 0;
}

int insn_memory_op(const struct insn *insn, struct insn_mem *mem)
{
	bool in_memory = insn->has_modrm ? insn->mod != 3 : insn->map == 0 && insn->opcode >= 0xa0;

	if (insn->encoding != INSN_LEGACY || !in_memory)
		return -EOPNOTSUPP;
	/* In most opcodes bit 0 selects the operand size instead of one byte. */
	*mem = (struct insn_mem){.size = insn->opcode & 1 ? insn->opsize : 1};
	if (insn->map == 1)
		return classify_0f(insn, mem);
	if (insn->map == 2)
		return classify_0f38(insn, mem);
	return insn->map == 0 ? classify_one_byte(insn, mem) : -EOPNOTSUPP;
}

static u64 size_mask(unsigned size)
{
	return ~0ull >> (64 - 8 * size);
}

static u64 get_reg(const u64 regs[16], u8 reg, u8 size, bool high_byte)
{
	return regs[reg] >> (high_byte ? 8 : 0) & size_mask(size);
}

/* A 32-bit write clears the upper half; 8 and 16 bits keep the rest. */
static void put_reg(u64 regs[16], u8 reg, u8 size, bool high_byte, u64 value)
{
	unsigned shift = high_byte ? 8 : 0;
	u64 kept = size >= 4 ? 0 : regs[reg] & ~(size_mask(size) << shift);

	regs[reg] = kept | (value & size_mask(size)) << shift;
}

static u64 sign_extend(u64 value, unsigned size)
{
	u64 sign = BIT(8 * size - 1);

	return (value ^ sign) - sign;
}

/* SF, ZF and PF of @result, which has @size bytes. */
static u64 result_flags(u64 result, unsigned size)
{
	u64 flags = result & BIT(8 * size - 1) ? SF : 0;

	if (!result)
		flags |= ZF;
	/* A lookup table of the parities of all 4-bit values, packed into one number. */
	if (!(0x6996 >> ((result ^ result >> 4) & 15) & 1))
		flags |= PF;
	return flags;
}

/*
 * Compute @a @op @b on @size bytes, and the flags. carries holds the carry (or borrow) out of each
 * bit.
 */
static u64 alu(enum insn_op op, u64 a, u64 b, unsigned size, u64 *flags)
{
	u64 sign = BIT(8 * size - 1), carry_in = *flags & CF, result, carries = 0, overflow = 0;
	u64 kept = *flags & ~ARITH;

	switch (op) {
	case INSN_ADD:
	case INSN_ADC:
	case INSN_INC:
		result = a + b + (op == INSN_ADC ? carry_in : 0);
		carries = (a & b) | ((a | b) & ~result);
		overflow = (a ^ result) & (b ^ result);
		break;
	case INSN_OR:
		result = a | b;
		break;
	case INSN_AND:
	case INSN_TEST:
		result = a & b;
		break;
	case INSN_XOR:
		result = a ^ b;
		break;
	default: /* SUB, SBB, CMP, NEG, DEC */
		result = a - b - (op == INSN_SBB ? carry_in : 0);
		carries = (~a & b) | (~(a ^ b) & result);
		overflow = (a ^ b) & (a ^ result);
		break;
	}
	if (op == INSN_INC || op == INSN_DEC)
		kept |= carry_in;
	else if (carries & sign)
		kept |= CF;
	result &= size_mask(size);
	*flags = kept | (carries & 8 ? AF : 0) | (overflow & sign ? OF : 0) |
		 result_flags(result, size);
	return result;
}

/*
 * Shift or rotate @value by @count, which has been masked; SHLD and SHRD shift in bits of @fill.
 * The flags are those that the SDM defines ("RCL/RCR/ROL/ROR—Rotate", "SAL/SAR/SHL/SHR—Shift").
 */
static u64 shift(enum insn_op op, u64 value, u64 fill, unsigned count, unsigned size, u64 *flags)
{
	u64 sign = BIT(8 * size - 1), cf = *flags & CF ? 1 : 0, of;
	bool left = op == INSN_ROL || op == INSN_RCL || op == INSN_SHL || op == INSN_SAL ||
		    op == INSN_SHLD;
	bool rotates = op <= INSN_RCR;

	if (!count)
		return value;
	while (count--) {
		u64 out = left ? (value & sign ? 1 : 0) : value & 1, in = 0;

		if (op == INSN_ROL || op == INSN_ROR)
			in = out;
		else if (op == INSN_RCL || op == INSN_RCR)
			in = cf;
		else if (op == INSN_SAR)
			in = value & sign ? 1 : 0;
		else if (op == INSN_SHLD || op == INSN_SHRD)
			in = left ? (fill & sign ? 1 : 0) : fill & 1;
		value = left ? value << 1 | in : value >> 1 | (in ? sign : 0);
		value &= size_mask(size);
		fill = left ? fill << 1 : fill >> 1;
		cf = out;
	}
	of = value & sign ? 1 : 0;
	of ^= left ? cf : (value & sign >> 1 ? 1 : 0);
	*flags = (*flags & ~(rotates ? CF | OF : ARITH)) | (cf ? CF : 0) | (of ? OF : 0) |
		 (rotates ? 0 : result_flags(value, size));
	return value;
}

static u64 swap_bytes(u64 value, unsigned size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

/* New values. They are committed after the bus access has succeeded. */
struct result {
	u64 mem, reg, acc, flags;
	unsigned count; /* of a shift */
};

static void bit_test(const struct insn_mem *mem, u64 old, u64 number, struct result *res)
{
	u64 bit = BIT(number & (8 * mem->size - 1));

	res->flags = (res->flags & ~CF) | (old & bit ? CF : 0);
	res->mem = mem->op == INSN_BTS ? old | bit : mem->op == INSN_BTR ? old & ~bit : old ^ bit;
}

/* @old: the value in memory. @src: the register or immediate. */
static void compute(const struct insn_mem *mem, u64 old, u64 src, struct result *res)
{
	switch (mem->op) {
	case INSN_MOV:
	case INSN_MOVZX:
	case INSN_XCHG:
		res->mem = src;
		res->reg = old;
		break;
	case INSN_MOVSX:
		res->reg = sign_extend(old, mem->size);
		break;
	case INSN_XADD:
		res->mem = alu(INSN_ADD, old, src, mem->size, &res->flags);
		res->reg = old;
		break;
	case INSN_CMPXCHG: /* memory is written in both cases */
		alu(INSN_CMP, res->acc, old, mem->size, &res->flags);
		res->mem = res->flags & ZF ? src : old;
		res->acc = old;
		break;
	case INSN_BT:
	case INSN_BTS:
	case INSN_BTR:
	case INSN_BTC:
		bit_test(mem, old, src, res);
		break;
	case INSN_ROL ... INSN_SHRD:
		res->mem = shift(mem->op, old, src, res->count, mem->size, &res->flags);
		break;
	case INSN_MOVBE:
		res->mem = swap_bytes(src, mem->size);
		res->reg = swap_bytes(old, mem->size);
		break;
	case INSN_NOT:
		res->mem = ~old;
		break;
	case INSN_NEG:
		res->mem = alu(INSN_NEG, 0, old, mem->size, &res->flags);
		break;
	case INSN_INC:
	case INSN_DEC:
		res->mem = alu(mem->op, old, 1, mem->size, &res->flags);
		break;
	default:
		if (mem->mem_is_dest)
			res->mem = alu(mem->op, old, src, mem->size, &res->flags);
		else
			res->reg = alu(mem->op, src, old, mem->size, &res->flags);
		break;
	}
}

static bool writes_reg(const struct insn_mem *mem)
{
	if (mem->op == INSN_XCHG || mem->op == INSN_XADD)
		return true;
	return mem->has_reg && !mem->mem_is_dest && mem->op != INSN_CMP;
}

/* How far a shift shifts. SDM: "SAL/SAR/SHL/SHR—Shift": the count is masked. */
static unsigned shift_count(const struct insn_mem *mem, const u64 regs[16])
{
	u64 count = mem->has_imm ? mem->imm : regs[RCX];

	return count & (mem->size == 8 ? 0x3f : 0x1f);
}

/* Emulate one iteration of MOVS, STOS or LODS. */
static int emulate_string(const struct insn *in, const struct insn_mem *mem, u64 regs[16],
			  u64 rflags, const struct insn_bus *bus)
{
	u64 step = rflags & DF ? -(u64)mem->size : mem->size, value = 0;
	u64 left = get_reg(regs, RCX, in->adsize, false);
	int ret = 0;

	if (in->rep && !left)
		return 0;
	if (mem->reads)
		ret = bus->read(bus->ctx, mem->size, &value);
	else
		value = get_reg(regs, RAX, mem->size, false);
	if (!ret && mem->writes)
		ret = bus->write(bus->ctx, mem->size, value & size_mask(mem->size));
	if (ret)
		return ret;
	if (mem->op == INSN_LODS)
		put_reg(regs, RAX, mem->size, false, value);
	if (mem->op != INSN_STOS)
		put_reg(regs, RSI, in->adsize, false, regs[RSI] + step);
	if (mem->op != INSN_LODS)
		put_reg(regs, RDI, in->adsize, false, regs[RDI] + step);
	if (!in->rep)
		return 0;
	put_reg(regs, RCX, in->adsize, false, left - 1);
	return left > 1;
}

int insn_emulate_mem(const struct insn *insn, const struct insn_mem *mem, u64 regs[16], u64 *rflags,
		     const struct insn_bus *bus)
{
	struct result res = {.flags = *rflags, .acc = get_reg(regs, RAX, mem->size, false)};
	u64 old = 0, src = mem->imm;
	int ret = 0;

	if (mem->op >= INSN_MOVS)
		return emulate_string(insn, mem, regs, *rflags, bus);
	if (mem->has_reg)
		src = get_reg(regs, mem->reg, mem->reg_size, mem->high_byte);
	src &= size_mask(mem->size);
	res.count = shift_count(mem, regs);
	if (mem->reads)
		ret = bus->read(bus->ctx, mem->size, &old);
	if (ret)
		return ret;
	old &= size_mask(mem->size);
	compute(mem, old, src, &res);
	if (mem->writes)
		ret = bus->write(bus->ctx, mem->size, res.mem & size_mask(mem->size));
	if (ret)
		return ret;
	if (mem->op == INSN_CMPXCHG && !(res.flags & ZF))
		put_reg(regs, RAX, mem->size, false, res.acc);
	if (writes_reg(mem))
		put_reg(regs, mem->reg, mem->reg_size, mem->high_byte, res.reg);
	*rflags = res.flags;
	return 0;
}
