/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder. The opcode maps hold one letter per opcode: its operand format.
 */
#include "vmm/x86/insn.h"
#include "bits.h"
#include "errno.h"

/*
 * -  undefined                     .  nothing follows
 * m  ModRM                         r  ModRM, always a register (MOV CR, DR)
 * b  8-bit immediate               B  ModRM, 8-bit immediate
 * z  16- or 32-bit immediate       Z  ModRM, 16- or 32-bit immediate
 * v  16-, 32- or 64-bit immediate  j  16- or 32-bit distance (always 32 in 64-bit mode)
 * w  16-bit immediate              e  16-bit and 8-bit immediate (ENTER)
 * a  memory offset                 p  far pointer
 * g  ModRM, 8-bit immediate        G  ModRM, 16- or 32-bit immediate
 *                                  (g and G: the immediate only with ModRM.reg 0 and 1)
 *
 * Prefixes and escape bytes are '-': they are consumed before the lookup.
 */
static const char one_byte[] = "mmmmbz..mmmmbz.-" /* 00 */
			       "mmmmbz..mmmmbz.."
			       "mmmmbz-.mmmmbz-."
			       "mmmmbz-.mmmmbz-."
			       "................" /* 40 */
			       "................"
			       "..mm----zZbB...."
			       "bbbbbbbbbbbbbbbb"
			       "BZBBmmmmmmmmmmmm" /* 80 */
			       "..........p....."
			       "aaaa....bz......"
			       "bbbbbbbbvvvvvvvv"
			       "BBw.mmBZe.w..b.." /* c0 */
			       "mmmmbb..mmmmmmmm"
			       "bbbbbbbbjjpb...."
			       "-.--..gG......mm";

static const char map_0f[] = "mmmm-.....-.-m--" /* 00 */
			     "mmmmmmmmmmmmmmmm"
			     "rrrr----mmmmmmmm"
			     "......-.--------"
			     "mmmmmmmmmmmmmmmm" /* 40 */
			     "mmmmmmmmmmmmmmmm"
			     "mmmmmmmmmmmmmmmm"
			     "BBBBmmm.mm--mmmm"
			     "jjjjjjjjjjjjjjjj" /* 80 */
			     "mmmmmmmmmmmmmmmm"
			     "...mBm--...mBmmm"
			     "mmmmmmmmmmBmmmmm"
			     "mmBmBBBm........" /* c0 */
			     "mmmmmmmmmmmmmmmm"
			     "mmmmmmmmmmmmmmmm"
			     "mmmmmmmmmmmmmmmm";

static const char map_0f38[] = "mmmmmmmmmmmm----" /* 00 */
			       "m---mm-m----mmm-"
			       "mmmmmm--mmmm----"
			       "mmmmmm-mmmmmmmmm"
			       "mm--------------" /* 40 */
			       "----------------"
			       "----------------"
			       "----------------"
			       "mmm-------------" /* 80 */
			       "----------------"
			       "----------------"
			       "----------------"
			       "--------mmmmmm-m" /* c0 */
			       "--------m--mmmmm"
			       "----------------"
			       "mm---mm-mmmm----";

static const char map_0f3a[] = "--------BBBBBBBB" /* 00 */
			       "----BBBB--------"
			       "BBB-------------"
			       "----------------"
			       "BBB-B-----------" /* 40 */
			       "----------------"
			       "BBBB------------"
			       "----------------"
			       "----------------" /* 80 */
			       "----------------"
			       "----------------"
			       "----------------"
			       "------------B-BB" /* c0 */
			       "---------------B"
			       "----------------"
			       "B---------------";

/* A cursor over the instruction's bytes. It keeps the first error; after that, bytes read as 0. */
struct reader {
	const u8 *bytes;
	size_t n, pos;
	int error;
};

static u8 peek(struct reader *r)
{
	if (!r->error && r->pos >= INSN_MAX_LENGTH)
		r->error = -EINVAL;
	else if (!r->error && r->pos >= r->n)
		r->error = -ENOSPC;
	return r->error ? 0 : r->bytes[r->pos];
}

static u8 next(struct reader *r)
{
	u8 byte = peek(r);

	r->pos++;
	return byte;
}

/* Read a little-endian number of @size bytes, sign-extended. */
static s64 next_number(struct reader *r, unsigned size)
{
	u64 value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (u64)next(r) << 8 * i;
	if (size == 0 || size == 8)
		return (s64)value;
	return (s64)(value << (64 - 8 * size)) >> (64 - 8 * size);
}

/* Read legacy prefixes in any order, then REX. A REX before another prefix is ignored. */
static void read_prefixes(struct insn *in, struct reader *r)
{
	for (;; r->pos++) {
		u8 byte = peek(r);

		switch (byte) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			if (in->mode != INSN_64)
				in->segment = byte;
			break;
		case 0x64:
		case 0x65:
			in->segment = byte;
			break;
		case 0x66:
			in->opsize_prefix = true;
			break;
		case 0x67:
			in->adsize_prefix = true;
			break;
		case 0xf0:
			in->lock = true;
			break;
		case 0xf2:
		case 0xf3:
			in->rep = byte;
			break;
		default:
			if (in->mode != INSN_64 || (byte & 0xf0) != 0x40)
				return;
			in->rex = byte;
			continue;
		}
		in->rex = 0;
	}
}

/* Read the rest of a VEX (C5, C4) or EVEX (62) prefix, of which @escape is the first byte. */
static void read_vex(struct insn *in, struct reader *r, u8 escape)
{
	static const u8 mandatory[] = {0, 0x66, 0xf3, 0xf2};
	u8 p0 = next(r), p1;

	/* The CPU raises #UD for VEX or EVEX after 66, F2, F3, LOCK, REX. */
	if (in->opsize_prefix || in->rep || in->lock || in->rex)
		r->error = r->error ? r->error : -EINVAL;
	in->encoding = escape == 0x62 ? INSN_EVEX : INSN_VEX;
	if (escape == 0xc5) {
		in->map = 1;
		in->pp = mandatory[p0 & 3];
		in->rex = (~p0 & 0x80) >> 5;
	} else {
		p1 = next(r);
		in->rex = (~p0 & 0xe0) >> 5 | (p1 & 0x80) >> 4;
		in->map = p0 & (escape == 0x62 ? 0x0f : 0x1f);
		in->pp = mandatory[p1 & 3];
		if (escape == 0x62) {
			next(r);
			/* Bit 2 of the second payload byte is fixed to 1. */
			if (!r->error && !(p1 & 4))
				r->error = -EINVAL;
		}
	}
	if (in->mode != INSN_64)
		in->rex = 0;
	in->opcode = next(r);
}

/* Read the opcode. Returns its letter. */
static char read_opcode(struct insn *in, struct reader *r)
{
	u8 byte = next(r);

	if ((byte == 0xc4 || byte == 0xc5 || byte == 0x62) &&
	    (in->mode == INSN_64 || (peek(r) & 0xc0) == 0xc0)) {
		read_vex(in, r, byte);
		switch (in->map) {
		case 1:
			if (in->opcode == 0x77) /* VZEROUPPER */
				return in->encoding == INSN_VEX ? '.' : '-';
			return map_0f[in->opcode] == 'B' ? 'B' : 'm';
		case 3:
			return 'B';
		case 5:
		case 6:
			return in->encoding == INSN_EVEX ? 'm' : '-';
		default:
			return in->map == 2 ? 'm' : '-';
		}
	}
	in->opcode = byte;
	if (byte != 0x0f)
		return one_byte[byte];
	in->opcode = next(r);
	in->map = 1;
	if (in->opcode != 0x38 && in->opcode != 0x3a)
		return map_0f[in->opcode];
	in->map = in->opcode == 0x38 ? 2 : 3;
	in->opcode = next(r);
	return in->map == 2 ? map_0f38[in->opcode] : map_0f3a[in->opcode];
}

/* Read ModRM, SIB, displacement. SDM: "Addressing-Mode Encoding of ModR/M and SIB Bytes". */
static void read_modrm(struct insn *in, struct reader *r, bool registers_only)
{
	u8 base;

	in->has_modrm = true;
	in->modrm = next(r);
	in->mod = registers_only ? 3 : in->modrm >> 6;
	in->reg = (in->modrm >> 3 & 7) | (in->rex & 4) << 1;
	in->rm = (in->modrm & 7) | (in->rex & 1) << 3;
	if (in->mod == 3)
		return;
	base = in->modrm & 7;
	if (in->adsize == 2) {
		if (in->mod)
			in->disp_size = in->mod;
		else
			in->disp_size = base == 6 ? 2 : 0;
	} else {
		if (base == 4) {
			in->has_sib = true;
			in->sib = next(r);
			base = in->sib & 7;
		}
		if (in->mod == 1)
			in->disp_size = 1;
		else if (in->mod == 2 || base == 5)
			in->disp_size = 4;
	}
	in->disp = next_number(r, in->disp_size);
}

/* Read what follows the opcode, by its letter. */
static void read_operands(struct insn *in, struct reader *r, char letter)
{
	u8 z = MIN(in->opsize, 4);

	switch (letter) {
	case 'm':
	case 'r':
	case 'B':
	case 'Z':
	case 'g':
	case 'G':
		read_modrm(in, r, letter == 'r');
		if (letter == 'B' || (letter == 'g' && (in->reg & 7) < 2))
			in->imm_size = 1;
		else if (letter == 'Z' || (letter == 'G' && (in->reg & 7) < 2))
			in->imm_size = z;
		break;
	case 'a':
		in->disp_size = in->adsize;
		in->disp = next_number(r, in->disp_size);
		break;
	case 'b':
		in->imm_size = 1;
		break;
	case 'w':
	case 'e':
		in->imm_size = 2;
		break;
	case 'j':
		in->imm_size = in->mode == INSN_64 ? 4 : z;
		break;
	case 'z':
	case 'p':
		in->imm_size = z;
		break;
	case 'v':
		in->imm_size = in->opsize;
		break;
	}
	in->imm = next_number(r, in->imm_size);
	if (letter == 'e' || letter == 'p')
		in->imm2_size = letter == 'e' ? 1 : 2;
	in->imm2 = (u16)(next_number(r, in->imm2_size) & (in->imm2_size == 1 ? 0xff : 0xffff));
}

static bool invalid_in_64bit_mode(u8 opcode)
{
	switch (opcode) {
	case 0x06: /* PUSH and POP of ES, CS, SS, DS */
	case 0x07:
	case 0x0e:
	case 0x16:
	case 0x17:
	case 0x1e:
	case 0x1f:
	case 0x27: /* DAA, DAS, AAA, AAS */
	case 0x2f:
	case 0x37:
	case 0x3f:
	case 0x60: /* PUSHA, POPA */
	case 0x61:
	case 0x82: /* a copy of 80 */
	case 0x9a: /* CALL and JMP to a far pointer */
	case 0xea:
	case 0xce: /* INTO */
	case 0xd4: /* AAM, AAD, SALC */
	case 0xd5:
	case 0xd6:
		return true;
	default:
		return false;
	}
}

/* Is this an undefined member of a group, or the register form of an instruction that needs memory?
 */
static bool undefined_form(const struct insn *in)
{
	u8 nth = in->reg & 7;

	if (in->encoding != INSN_LEGACY)
		return false;
	if (in->map == 1)
		return in->opcode == 0xba && nth < 4;
	if (in->map)
		return false;
	switch (in->opcode) {
	case 0x62: /* BOUND */
	case 0x8d: /* LEA */
	case 0xc4: /* LES, LDS */
	case 0xc5:
		return in->mod == 3;
	case 0x8c: /* MOV from and to segment registers */
		return nth > 5;
	case 0x8e:
		return nth > 5 || nth == 1;
	case 0x8f: /* POP; the rest is AMD's XOP */
		return nth != 0;
	case 0xc6: /* MOV, and XABORT and XBEGIN */
	case 0xc7:
		return nth != 0 && in->modrm != 0xf8;
	case 0xfe:
		return nth > 1;
	case 0xff:
		return nth == 7 || (in->mod == 3 && (nth == 3 || nth == 5));
	default:
		return in->mode == INSN_64 && invalid_in_64bit_mode(in->opcode);
	}
}

/* May LOCK precede this instruction? SDM: "LOCK—Assert LOCK# Signal Prefix". */
static bool lockable(const struct insn *in)
{
	u8 nth = in->reg & 7;

	if (!in->has_modrm || in->mod == 3)
		return false;
	switch (in->map << 8 | in->opcode) {
	case 0x080 ... 0x083:
		return nth != 7;
	case 0x0f6 ... 0x0f7:
		return nth == 2 || nth == 3;
	case 0x0fe ... 0x0ff:
		return nth < 2;
	case 0x1ba:
		return nth > 4;
	case 0x1c7:
		return nth == 1;
	case 0x086 ... 0x087:
	case 0x1ab:
	case 0x1b3:
	case 0x1bb:
	case 0x1b0 ... 0x1b1:
	case 0x1c0 ... 0x1c1:
		return true;
	default: /* the arithmetic block, except CMP */
		return in->map == 0 && in->opcode < 0x38 && (in->opcode & 7) < 2;
	}
}

int insn_decode(struct insn *insn, const u8 *bytes, size_t n, enum insn_mode mode)
{
	struct reader r = {.bytes = bytes, .n = n};
	char letter;

	*insn = (struct insn){.mode = mode};
	read_prefixes(insn, &r);
	if (mode == INSN_64)
		insn->adsize = insn->adsize_prefix ? 4 : 8;
	else
		insn->adsize = (mode == INSN_32) != insn->adsize_prefix ? 4 : 2;
	letter = read_opcode(insn, &r);
	if (insn->rex & 8)
		insn->opsize = 8;
	else
		insn->opsize = (mode != INSN_16) != insn->opsize_prefix ? 4 : 2;
	read_operands(insn, &r, letter);
	if (r.error)
		return r.error;
	if (letter == '-' || undefined_form(insn) || (insn->lock && !lockable(insn)))
		return -EINVAL;
	insn->length = (u8)r.pos;
	return insn->length;
}
