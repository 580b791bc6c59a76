/* SPDX-License-Identifier: MIT */
/*
 * Real mode as virtual-8086 mode: what is emulated. See vmm/real_mode.h.
 *
 * The guest runs there with CPL 3 and IOPL 0. So #GP is the end of privileged instructions; of
 * those that depend on IOPL, so that the guest never sees it: CLI, STI, PUSHF, POPF, INT n, IRET;
 * and of accesses to ports, as there is no I/O permission bitmap. All others behave as in real
 * mode, except that no segment is larger than 64 KiB.
 */
#include "vmm/real_mode.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/string.h"
#include "vmm/debug_registers.h"
#include "vmm/event.h"
#include "vmm/registers.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/emulate.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/x86/io.h"
#include "vmm/x86/io_string.h"
#include "vmm/x86/msr.h"

/* What POPF and IRET change of RFLAGS: with 16 bits; AC and ID with 32; IRET RF, too. */
#define FLAGS_16      0x7fd5ull
#define FLAGS_POPFD   0x247fd5ull
#define FLAGS_IRETD   0x257fd5ull
#define SEGMENT_LIMIT 0xffffu
#define ITERATIONS    64 /* of REP INS and REP OUTS, at most, at a time */

#define DR7_FIXED BIT(10)
#define DR7_VALID 0xffff2fffu

typedef enum real_mode_result emulator(struct vcpu *vcpu, const struct insn *insn,
				       const struct real_mode_ops *ops);

static u64 get_flags(struct vcpu *vcpu)
{
	return virt->get_sysreg(vcpu, SYSREG_RFLAGS);
}

static void set_flags(struct vcpu *vcpu, u64 mask, u64 value)
{
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, (get_flags(vcpu) & ~mask) | (value & mask));
}

static void load_selector(struct vcpu *vcpu, enum segment_reg reg, u16 selector)
{
	struct segment seg;

	virt->get_segment(vcpu, reg, &seg);
	seg.selector = selector;
	seg.base = (u64)selector << 4;
	seg.unusable = false;
	virt->set_segment(vcpu, reg, &seg);
}

/* Where the guest has no memory, it reads as ones. */
static void read_memory(struct vcpu *vcpu, gva_t gva, void *buf, unsigned len)
{
	memset(buf, 0xff, len);
	read_guest_virt(vcpu, gva, buf, len);
}

/*
 * Write or read @n words of @size bytes on the stack, from the top down or up; SP wraps at 64 KiB,
 * within a word it does not. @commit: change SP. Returns 0; or -EFAULT for #SS, and nothing is
 * changed.
 */
static int access_stack(struct vcpu *vcpu, u32 *words, unsigned n, unsigned size, bool push)
{
	u64 rsp = virt->get_sysreg(vcpu, SYSREG_RSP);
	u16 sp = (u16)rsp;
	struct segment ss;

	virt->get_segment(vcpu, SEG_SS, &ss);
	for (unsigned i = 0; i < n; i++)
		if ((u16)(push ? sp - (i + 1) * size : sp + i * size) > SEGMENT_LIMIT + 1 - size)
			return -EFAULT;
	for (unsigned i = 0; i < n; i++) {
		u16 at = push ? (u16)(sp - size) : sp;

		words[i] = push ? words[i] : 0;
		if (push)
			write_guest_virt(vcpu, (u32)(ss.base + at), &words[i], size);
		else
			read_memory(vcpu, (u32)(ss.base + at), &words[i], size);
		sp = push ? at : (u16)(sp + size);
	}
	virt->set_sysreg(vcpu, SYSREG_RSP, (rsp & ~0xffffull) | sp);
	return 0;
}

/* Enter the handler of @vector. Returns 0, or the vector of the exception that this is. */
static u8 call_vector(struct vcpu *vcpu, u8 vector, u16 ip)
{
	struct segment idt, cs;
	u16 entry[2];
	u32 frame[3];

	virt->get_segment(vcpu, SEG_IDTR, &idt);
	virt->get_segment(vcpu, SEG_CS, &cs);
	if (4u * vector + 3 > idt.limit)
		return GP_VECTOR;
	read_memory(vcpu, (u32)(idt.base + 4ull * vector), entry, sizeof(entry));
	frame[0] = (u16)get_flags(vcpu);
	frame[1] = cs.selector;
	frame[2] = ip;
	if (access_stack(vcpu, frame, 3, 2, true))
		return SS_VECTOR;
	set_flags(vcpu, RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF, 0);
	load_selector(vcpu, SEG_CS, entry[1]);
	virt->set_sysreg(vcpu, SYSREG_RIP, entry[0]);
	return 0;
}

int deliver_real_mode(struct vcpu *vcpu, u8 vector, u16 ip)
{
	if (!call_vector(vcpu, vector, ip))
		return 0;
	return call_vector(vcpu, DF_VECTOR, ip) ? -EFAULT : 0;
}

static enum real_mode_result skip(struct vcpu *vcpu, const struct insn *insn)
{
	emulate_skip(vcpu, insn, false);
	return REAL_MODE_DONE;
}

static enum real_mode_result skip_or_fault(struct vcpu *vcpu, const struct insn *insn, int error)
{
	return error ? REAL_MODE_FAULT : skip(vcpu, insn);
}

static enum real_mode_result stack_fault(struct vcpu *vcpu)
{
	queue_exception_e(vcpu, SS_VECTOR, 0);
	return REAL_MODE_DONE;
}

/* Pop a word of the instruction's size. Returns -EFAULT, with #SS queued, if it is not on the
 * stack.
 */
static int pop(struct vcpu *vcpu, const struct insn *insn, u32 *word)
{
	int r = access_stack(vcpu, word, 1, insn->opsize, false);

	if (r)
		stack_fault(vcpu);
	return r;
}

/* The linear address of the memory operand, if the guest may access @len bytes there. */
static int memory_operand(struct vcpu *vcpu, const struct insn *insn, unsigned len, gva_t *gva)
{
	const struct insn_mem mem = {.op = INSN_MOV};
	struct insn_address at;

	if (insn->mod == 3)
		return -EINVAL;
	vcpu->regs[VCPU_RSP] = virt->get_sysreg(vcpu, SYSREG_RSP);
	insn_address(insn, &mem, vcpu->regs, virt->get_sysreg(vcpu, SYSREG_RIP), &at);
	return guest_linear(vcpu, (enum segment_reg)at.segment, at.offset, len, false, gva);
}

/* Read a 16-bit operand, of a register or of memory. Returns 0 or what memory_operand() does. */
static int read_word(struct vcpu *vcpu, const struct insn *insn, u16 *word)
{
	gva_t gva;
	int r;

	if (insn->mod == 3) {
		*word = (u16)general_register(vcpu, (enum vcpu_reg)insn->rm);
		return 0;
	}
	r = memory_operand(vcpu, insn, sizeof(*word), &gva);
	if (!r)
		read_memory(vcpu, gva, word, sizeof(*word));
	return r;
}

/* ---- Flags, interrupts -------------------------------------------------------------------------
 */

static enum real_mode_result emulate_cli(struct vcpu *vcpu, const struct insn *insn,
					 const struct real_mode_ops *ops)
{
	(void)ops;
	set_flags(vcpu, RFLAGS_IF, 0);
	return skip(vcpu, insn);
}

/* If interrupts were off, they stay off for one more instruction. */
static enum real_mode_result emulate_sti(struct vcpu *vcpu, const struct insn *insn,
					 const struct real_mode_ops *ops)
{
	bool on = get_flags(vcpu) & RFLAGS_IF;

	(void)ops;
	skip(vcpu, insn);
	set_flags(vcpu, RFLAGS_IF, RFLAGS_IF);
	if (!on)
		virt->delay_interrupts(vcpu);
	return REAL_MODE_DONE;
}

/* The image never has VM and RF. */
static enum real_mode_result emulate_pushf(struct vcpu *vcpu, const struct insn *insn,
					   const struct real_mode_ops *ops)
{
	u32 flags = (u32)(get_flags(vcpu) & ~(RFLAGS_VM | RFLAGS_RF));

	(void)ops;
	if (access_stack(vcpu, &flags, 1, insn->opsize, true))
		return stack_fault(vcpu);
	return skip(vcpu, insn);
}

/* The step that the old TF asks for is due, before the new one counts. */
static enum real_mode_result emulate_popf(struct vcpu *vcpu, const struct insn *insn,
					  const struct real_mode_ops *ops)
{
	u32 flags;

	(void)ops;
	if (pop(vcpu, insn, &flags))
		return REAL_MODE_DONE;
	skip(vcpu, insn);
	set_flags(vcpu, insn->opsize == 2 ? FLAGS_16 : FLAGS_POPFD, flags);
	return REAL_MODE_DONE;
}

static enum real_mode_result emulate_int(struct vcpu *vcpu, const struct insn *insn,
					 const struct real_mode_ops *ops)
{
	u64 rip = virt->get_sysreg(vcpu, SYSREG_RIP);
	u8 failed = call_vector(vcpu, (u8)insn->imm, (u16)(rip + insn->length));

	(void)ops;
	if (failed)
		queue_exception_e(vcpu, failed, 0);
	else
		virt->skip_to(vcpu, virt->get_sysreg(vcpu, SYSREG_RIP));
	return REAL_MODE_DONE;
}

static enum real_mode_result emulate_iret(struct vcpu *vcpu, const struct insn *insn,
					  const struct real_mode_ops *ops)
{
	u64 rsp = virt->get_sysreg(vcpu, SYSREG_RSP);
	u32 frame[3]; /* IP, CS, FLAGS */

	if (access_stack(vcpu, frame, 3, insn->opsize, false))
		return stack_fault(vcpu);
	if (frame[0] > SEGMENT_LIMIT) {
		virt->set_sysreg(vcpu, SYSREG_RSP, rsp);
		return REAL_MODE_FAULT;
	}
	virt->skip_to(vcpu, frame[0]);
	load_selector(vcpu, SEG_CS, (u16)frame[1]);
	set_flags(vcpu, insn->opsize == 2 ? FLAGS_16 : FLAGS_IRETD, frame[2]);
	ops->unblock_nmis(vcpu);
	return REAL_MODE_DONE;
}

static enum real_mode_result emulate_hlt(struct vcpu *vcpu, const struct insn *insn,
					 const struct real_mode_ops *ops)
{
	skip(vcpu, insn);
	ops->halt(vcpu);
	return REAL_MODE_DONE;
}

/* ---- Ports -------------------------------------------------------------------------------------
 */

static struct pio_access port_access(struct vcpu *vcpu, const struct insn *insn, bool in)
{
	return (struct pio_access){
		.port = insn->imm_size ? (u8)insn->imm : (u16)vcpu->regs[VCPU_RDX],
		.size = insn->opcode & 1 ? insn->opsize : 1,
		.in = in,
	};
}

static enum real_mode_result emulate_in_out(struct vcpu *vcpu, const struct insn *insn,
					    const struct real_mode_ops *ops)
{
	struct pio_access io = port_access(vcpu, insn, !(insn->opcode & 2));
	u32 value = kernel_pio(vcpu, &io, (u32)vcpu->regs[VCPU_RAX]);

	(void)ops;
	if (io.in)
		assign_register(&vcpu->regs[VCPU_RAX], io.size, value);
	return skip(vcpu, insn);
}

static enum real_mode_result emulate_ins_outs(struct vcpu *vcpu, const struct insn *insn,
					      const struct real_mode_ops *ops)
{
	struct pio_access io = port_access(vcpu, insn, !(insn->opcode & 2));
	u64 rip = virt->get_sysreg(vcpu, SYSREG_RIP);

	(void)ops;
	io.string = true;
	io.rep = insn->rep;
	/* The CPU takes interrupts between any two iterations; here, between some. */
	for (unsigned i = 0; i < ITERATIONS; i++) {
		emulate_string_pio(vcpu, &io);
		if (virt->get_sysreg(vcpu, SYSREG_RIP) != rip || vcpu->event.valid ||
		    get_flags(vcpu) & RFLAGS_TF)
			break;
	}
	return REAL_MODE_DONE;
}

/* ---- Privileged instructions -------------------------------------------------------------------
 */

static enum real_mode_result load_table(struct vcpu *vcpu, const struct insn *insn,
					enum segment_reg reg)
{
	struct segment table = {0};
	struct __packed {
		u16 limit;
		u32 base;
	} operand;
	gva_t gva;
	int r = memory_operand(vcpu, insn, sizeof(operand), &gva);

	if (r == -EINVAL)
		return REAL_MODE_FAULT;
	if (r)
		return REAL_MODE_DONE;
	read_memory(vcpu, gva, &operand, sizeof(operand));
	table.limit = operand.limit;
	table.base = operand.base & (insn->opsize == 2 ? 0xffffff : 0xffffffff);
	virt->set_segment(vcpu, reg, &table);
	return skip(vcpu, insn);
}

/* LMSW loads the low four bits of CR0, and cannot clear PE. */
static enum real_mode_result emulate_lmsw(struct vcpu *vcpu, const struct insn *insn,
					  const struct real_mode_ops *ops)
{
	u64 cr0 = virt->get_sysreg(vcpu, SYSREG_CR0);
	u16 word;

	if (read_word(vcpu, insn, &word))
		return REAL_MODE_DONE;
	return skip_or_fault(vcpu, insn, ops->write_cr(vcpu, 0, (cr0 & ~0xeull) | (word & 0xf)));
}

/* LGDT, LIDT, LMSW, INVLPG, XSETBV. Without paging no translation is to be invalidated. */
static enum real_mode_result emulate_group_7(struct vcpu *vcpu, const struct insn *insn,
					     const struct real_mode_ops *ops)
{
	if (insn->modrm == 0xd1)
		return skip_or_fault(vcpu, insn, emulate_xsetbv(vcpu));
	switch (insn->reg & 7) {
	case 2:
		return load_table(vcpu, insn, SEG_GDTR);
	case 3:
		return load_table(vcpu, insn, SEG_IDTR);
	case 6:
		return emulate_lmsw(vcpu, insn, ops);
	case 7:
		return insn->mod == 3 ? REAL_MODE_UNKNOWN : skip(vcpu, insn);
	}
	return REAL_MODE_UNKNOWN;
}

static enum real_mode_result emulate_clts(struct vcpu *vcpu, const struct insn *insn,
					  const struct real_mode_ops *ops)
{
	u64 cr0 = virt->get_sysreg(vcpu, SYSREG_CR0) & ~CR0_TS;

	return skip_or_fault(vcpu, insn, ops->write_cr(vcpu, 0, cr0));
}

/* INVD, too: see handle_invd() of vmx/exits.c. */
static enum real_mode_result emulate_wbinvd(struct vcpu *vcpu, const struct insn *insn,
					    const struct real_mode_ops *ops)
{
	(void)ops;
	wbinvd();
	return skip(vcpu, insn);
}

static enum real_mode_result emulate_mov_from_cr(struct vcpu *vcpu, const struct insn *insn,
						 const struct real_mode_ops *ops)
{
	u64 value;

	(void)ops;
	switch (insn->reg) {
	case 0:
		value = virt->get_sysreg(vcpu, SYSREG_CR0);
		break;
	case 2:
		value = read_cr2();
		break;
	case 3:
		value = virt->get_sysreg(vcpu, SYSREG_CR3);
		break;
	case 4:
		value = virt->get_sysreg(vcpu, SYSREG_CR4);
		break;
	default:
		return REAL_MODE_UNKNOWN;
	}
	set_general_register(vcpu, (enum vcpu_reg)insn->rm, (u32)value);
	return skip(vcpu, insn);
}

static enum real_mode_result emulate_mov_to_cr(struct vcpu *vcpu, const struct insn *insn,
					       const struct real_mode_ops *ops)
{
	u32 value = (u32)general_register(vcpu, (enum vcpu_reg)insn->rm);

	if (insn->reg == 2) {
		write_cr2(value);
		return skip(vcpu, insn);
	}
	if (insn->reg != 0 && insn->reg != 3 && insn->reg != 4)
		return REAL_MODE_UNKNOWN;
	return skip_or_fault(vcpu, insn, ops->write_cr(vcpu, insn->reg, value));
}

static u64 read_debug_register(struct vcpu *vcpu, unsigned n)
{
	if (n < 4)
		return debug_guest_register(vcpu, n);
	return n == 6 ? read_dr6() : virt->get_sysreg(vcpu, SYSREG_DR7);
}

static void write_debug_register(struct vcpu *vcpu, unsigned n, u32 value)
{
	static void (*const write[])(u64) = {write_dr0, write_dr1, write_dr2, write_dr3};

	if (n < 4)
		write[n](value);
	else if (n == 6)
		write_dr6(value);
	else
		virt->set_sysreg(vcpu, SYSREG_DR7, (value & DR7_VALID) | DR7_FIXED);
}

/* Not while a debugger shares the registers, nor while the guest protects them (DR7.GD). */
static enum real_mode_result emulate_mov_dr_real(struct vcpu *vcpu, const struct insn *insn,
						 const struct real_mode_ops *ops)
{
	enum vcpu_reg reg = (enum vcpu_reg)insn->rm;
	unsigned n = insn->reg & 7;

	(void)ops;
	if (vcpu->debug.on || virt->get_sysreg(vcpu, SYSREG_DR7) & DR7_GD)
		return REAL_MODE_UNKNOWN;
	if ((n & 6) == 4 && virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_DE)
		return REAL_MODE_FAULT;
	if ((n & 6) == 4)
		n += 2;
	if (insn->opcode & 2)
		write_debug_register(vcpu, n, (u32)general_register(vcpu, reg));
	else
		set_general_register(vcpu, reg, (u32)read_debug_register(vcpu, n));
	return skip(vcpu, insn);
}

static enum real_mode_result emulate_rdmsr_real(struct vcpu *vcpu, const struct insn *insn,
						const struct real_mode_ops *ops)
{
	u64 value;

	if (ops->read_msr(vcpu, (u32)vcpu->regs[VCPU_RCX], &value))
		return REAL_MODE_FAULT;
	vcpu->regs[VCPU_RAX] = (u32)value;
	vcpu->regs[VCPU_RDX] = value >> 32;
	return skip(vcpu, insn);
}

static enum real_mode_result emulate_wrmsr_real(struct vcpu *vcpu, const struct insn *insn,
						const struct real_mode_ops *ops)
{
	return skip_or_fault(vcpu, insn,
			     ops->write_msr(vcpu, (u32)vcpu->regs[VCPU_RCX], edx_eax(vcpu)));
}

/* ---- Segments larger than 64 KiB ---------------------------------------------------------------
 */

/* For insn_bus: the operand's linear address, and MOVS' source. */
struct operands {
	struct vcpu *vcpu;
	gva_t gva, source;
};

static int read_operand(void *ctx, unsigned size, u64 *value)
{
	const struct operands *o = ctx;

	*value = 0;
	return read_guest_virt(o->vcpu, o->source, value, size);
}

static int write_operand(void *ctx, unsigned size, u64 value)
{
	const struct operands *o = ctx;

	return write_guest_virt(o->vcpu, o->gva, &value, size);
}

/* An access beyond 64 KiB, in a segment that had a larger limit when the guest left protected mode
 * ("unreal mode"). */
static enum real_mode_result emulate_access(struct vcpu *vcpu, const struct insn *insn)
{
	struct operands o = {.vcpu = vcpu};
	struct insn_bus bus = {read_operand, write_operand, &o};
	struct insn_address at;
	struct insn_mem mem;
	struct segment seg;

	if (insn_memory_op(insn, &mem))
		mem = (struct insn_mem){.op = INSN_MOV};
	if (!insn->has_modrm && !insn->disp_size && mem.op < INSN_MOVS)
		return REAL_MODE_FAULT; /* it has no memory operand */
	vcpu->regs[VCPU_RSP] = virt->get_sysreg(vcpu, SYSREG_RSP);
	insn_address(insn, &mem, vcpu->regs, virt->get_sysreg(vcpu, SYSREG_RIP), &at);
	virt->get_segment(vcpu, (enum segment_reg)at.segment, &seg);
	if (insn->mod == 3 || at.offset <= SEGMENT_LIMIT + 1 - MAX(mem.size, 1) ||
	    seg.limit <= SEGMENT_LIMIT)
		return REAL_MODE_FAULT;
	if (!mem.size)
		return REAL_MODE_UNKNOWN;
	if (guest_linear(vcpu, (enum segment_reg)at.segment, at.offset, mem.size, mem.writes,
			 &o.gva))
		return REAL_MODE_DONE;
	o.source = o.gva;
	if (mem.op == INSN_MOVS &&
	    guest_linear(vcpu, (enum segment_reg)insn_segment(insn, INSN_DS),
			 insn->adsize == 2 ? (u16)vcpu->regs[VCPU_RSI] : (u32)vcpu->regs[VCPU_RSI],
			 mem.size, false, &o.source))
		return REAL_MODE_DONE;
	return emulate_insn(vcpu, insn, &mem, &bus, o.gva) ? REAL_MODE_UNKNOWN : REAL_MODE_DONE;
}

/* ---- Segment registers: #GP where the CPU is in protected mode, without a descriptor table ------
 */

static enum real_mode_result skip_with(struct vcpu *vcpu, const struct insn *insn,
				       enum segment_reg reg, u16 selector)
{
	load_selector(vcpu, reg, selector);
	return skip(vcpu, insn);
}

static enum real_mode_result emulate_mov_sreg(struct vcpu *vcpu, const struct insn *insn,
					      const struct real_mode_ops *ops)
{
	u16 selector;

	(void)ops;
	if (insn->reg > SEG_GS || insn->reg == SEG_CS)
		return REAL_MODE_FAULT;
	if (read_word(vcpu, insn, &selector))
		return REAL_MODE_DONE;
	return skip_with(vcpu, insn, (enum segment_reg)insn->reg, selector);
}

/* 07h, 17h, 1Fh; 0Fh A1h, 0Fh A9h: bits 3 to 5 are the register's number. */
static enum real_mode_result emulate_pop_sreg(struct vcpu *vcpu, const struct insn *insn,
					      const struct real_mode_ops *ops)
{
	u32 selector;

	(void)ops;
	if (pop(vcpu, insn, &selector))
		return REAL_MODE_DONE;
	return skip_with(vcpu, insn, (enum segment_reg)(insn->opcode >> 3 & 7), (u16)selector);
}

/* Read the far pointer in memory: offset, then selector. Returns 0 or what memory_operand() does.
 */
static int read_far_pointer(struct vcpu *vcpu, const struct insn *insn, u32 *offset, u16 *selector)
{
	u8 bytes[6];
	gva_t gva;
	int r = memory_operand(vcpu, insn, insn->opsize + 2u, &gva);

	if (r)
		return r;
	read_memory(vcpu, gva, bytes, insn->opsize + 2u);
	*offset = (u32)(bytes[0] | bytes[1] << 8);
	if (insn->opsize == 4)
		*offset |= (u32)bytes[2] << 16 | (u32)bytes[3] << 24;
	*selector = (u16)(bytes[insn->opsize] | bytes[insn->opsize + 1] << 8);
	return 0;
}

/* LES, LDS, LSS, LFS, LGS */
static enum real_mode_result emulate_load_far(struct vcpu *vcpu, const struct insn *insn,
					      const struct real_mode_ops *ops)
{
	enum segment_reg reg = insn->map ? (enum segment_reg)(insn->opcode & 7)
					 : (insn->opcode & 1 ? SEG_DS : SEG_ES);
	u64 value = general_register(vcpu, (enum vcpu_reg)insn->reg);
	u16 selector;
	u32 offset;

	(void)ops;
	if (read_far_pointer(vcpu, insn, &offset, &selector))
		return insn->mod == 3 ? REAL_MODE_FAULT : REAL_MODE_DONE;
	assign_register(&value, insn->opsize, offset);
	set_general_register(vcpu, (enum vcpu_reg)insn->reg, value);
	return skip_with(vcpu, insn, reg, selector);
}

static enum real_mode_result go_far(struct vcpu *vcpu, const struct insn *insn, u16 selector,
				    u32 offset, bool call)
{
	u64 next = virt->get_sysreg(vcpu, SYSREG_RIP) + insn->length;
	struct segment cs;
	u32 frame[2];

	virt->get_segment(vcpu, SEG_CS, &cs);
	if (offset > cs.limit)
		return REAL_MODE_FAULT;
	frame[0] = cs.selector;
	frame[1] = (u32)next;
	if (call && access_stack(vcpu, frame, 2, insn->opsize, true))
		return stack_fault(vcpu);
	virt->skip_to(vcpu, offset);
	load_selector(vcpu, SEG_CS, selector);
	return REAL_MODE_DONE;
}

/* JMP (EAh) and CALL (9Ah) with the pointer in the instruction */
static enum real_mode_result emulate_far(struct vcpu *vcpu, const struct insn *insn,
					 const struct real_mode_ops *ops)
{
	u32 offset = (u32)insn->imm;

	(void)ops;
	return go_far(vcpu, insn, insn->imm2, insn->opsize == 2 ? (u16)offset : offset,
		      insn->opcode == 0x9a);
}

/* FFh /3: CALL; FFh /5: JMP */
static enum real_mode_result emulate_group_5(struct vcpu *vcpu, const struct insn *insn,
					     const struct real_mode_ops *ops)
{
	u16 selector;
	u32 offset;

	(void)ops;
	if (((insn->reg & 7) != 3 && (insn->reg & 7) != 5) || insn->mod == 3)
		return emulate_access(vcpu, insn);
	if (read_far_pointer(vcpu, insn, &offset, &selector))
		return REAL_MODE_DONE;
	return go_far(vcpu, insn, selector, offset, (insn->reg & 7) == 3);
}

static enum real_mode_result emulate_retf(struct vcpu *vcpu, const struct insn *insn,
					  const struct real_mode_ops *ops)
{
	u64 rsp = virt->get_sysreg(vcpu, SYSREG_RSP);
	u32 frame[2]; /* IP, CS */

	(void)ops;
	if (access_stack(vcpu, frame, 2, insn->opsize, false))
		return stack_fault(vcpu);
	if (frame[0] > SEGMENT_LIMIT) {
		virt->set_sysreg(vcpu, SYSREG_RSP, rsp);
		return REAL_MODE_FAULT;
	}
	if (insn->opcode == 0xca) {
		rsp = virt->get_sysreg(vcpu, SYSREG_RSP);
		assign_register(&rsp, 2, rsp + (u16)insn->imm);
		virt->set_sysreg(vcpu, SYSREG_RSP, rsp);
	}
	return go_far(vcpu, insn, (u16)frame[1], frame[0], false);
}

/* By the map and the opcode; those with the same bits under the mask. */
static const struct {
	u16 opcode, mask;
	emulator *emulate;
} instructions[] = {
	{0x0007, 0xffff, emulate_pop_sreg},   {0x0017, 0xfff7, emulate_pop_sreg},
	{0x01a1, 0xfff7, emulate_pop_sreg},   {0x008e, 0xffff, emulate_mov_sreg},
	{0x00c4, 0xfffe, emulate_load_far},   {0x01b2, 0xffff, emulate_load_far},
	{0x01b4, 0xfffe, emulate_load_far},   {0x00ea, 0xffff, emulate_far},
	{0x009a, 0xffff, emulate_far},        {0x00ff, 0xffff, emulate_group_5},
	{0x00ca, 0xfffe, emulate_retf},       {0x006c, 0xfffc, emulate_ins_outs},
	{0x009c, 0xffff, emulate_pushf},      {0x009d, 0xffff, emulate_popf},
	{0x00cd, 0xffff, emulate_int},        {0x00cf, 0xffff, emulate_iret},
	{0x00e4, 0xfff4, emulate_in_out},     {0x00f4, 0xffff, emulate_hlt},
	{0x00fa, 0xffff, emulate_cli},        {0x00fb, 0xffff, emulate_sti},
	{0x0101, 0xffff, emulate_group_7},    {0x0106, 0xffff, emulate_clts},
	{0x0108, 0xfffe, emulate_wbinvd},     {0x0120, 0xffff, emulate_mov_from_cr},
	{0x0122, 0xffff, emulate_mov_to_cr},  {0x0121, 0xfffd, emulate_mov_dr_real},
	{0x0130, 0xffff, emulate_wrmsr_real}, {0x0132, 0xffff, emulate_rdmsr_real},
};

int emulate_real_mode(struct vcpu *vcpu, const struct real_mode_ops *ops)
{
	struct insn insn;
	u16 opcode;

	if (!decode_guest_insn(vcpu, &insn))
		return REAL_MODE_FAULT;
	opcode = (u16)(insn.map << 8 | insn.opcode);
	if (insn.encoding == INSN_LEGACY)
		for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++)
			if ((opcode & instructions[i].mask) == instructions[i].opcode)
				return instructions[i].emulate(vcpu, &insn, ops);
	return emulate_access(vcpu, &insn);
}
