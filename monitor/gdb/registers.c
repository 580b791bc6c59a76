/* SPDX-License-Identifier: MIT */
/*
 * The registers for gdb. See registers.h.
 */
#include "monitor/gdb/registers.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "lib/string.h"
#include "vmm/registers.h"
#include "vmm/x86/guest_mem.h"

/* CF, PF, AF, ZF, SF, DF, OF. */
#define FLAGS_ARITHMETIC 0xcd5ull

/* The general registers have other numbers in instructions. */
static const u8 general[] = {VCPU_RAX, VCPU_RBX, VCPU_RCX, VCPU_RDX,
			     VCPU_RSI, VCPU_RDI, VCPU_RBP, VCPU_RSP};

static const u8 segments[] = {SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS};

static u64 read_cr8(void)
{
	u64 value;

	asm volatile("mov %%cr8, %0" : "=r"(value));
	return value;
}

static enum vcpu_reg general_number(unsigned n)
{
	return (enum vcpu_reg)(n < ARRAY_SIZE(general) ? general[n] : n);
}

/* Tags: 0 a number, 1 zero, 2 special, 3 empty. */
static unsigned tag_of(const u8 *st)
{
	u16 exponent;
	u64 mantissa;

	memcpy(&mantissa, st, sizeof(mantissa));
	memcpy(&exponent, st + sizeof(mantissa), sizeof(exponent));
	exponent &= 0x7fff;
	if (!exponent)
		return mantissa ? 2 : 1;
	return exponent == 0x7fff || !(mantissa & BIT(63)) ? 2 : 0;
}

u16 full_tag_word(const struct fxsave *fpu)
{
	unsigned top = fpu->fsw >> 11 & 7;
	u16 tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned tag = fpu->ftw & BIT(i) ? tag_of(fpu->st[(i - top) & 7]) : 3;

		tags |= (u16)(tag << 2 * i);
	}
	return tags;
}

static void read_fpu(struct vcpu *vcpu, struct registers *registers)
{
	bool wide = guest_mode(vcpu) == INSN_64;
	struct fxsave *fpu = &registers->fpu;
	u64 *value = registers->value;

	fpu_save(fpu, wide);
	value[GDB_fctrl] = fpu->fcw;
	value[GDB_fstat] = fpu->fsw;
	value[GDB_ftag] = full_tag_word(fpu);
	value[GDB_fiseg] = fpu->ip >> 32 & 0xffff;
	value[GDB_fioff] = (u32)fpu->ip;
	value[GDB_foseg] = fpu->dp >> 32 & 0xffff;
	value[GDB_fooff] = (u32)fpu->dp;
	value[GDB_fop] = fpu->opcode;
	value[GDB_mxcsr] = fpu->mxcsr;
}

void registers_read(struct vcpu *vcpu, struct registers *registers)
{
	u64 *value = registers->value;
	struct segment seg;

	registers->own = false;
	for (unsigned i = GDB_rax; i <= GDB_r15; i++)
		value[i] = general_register(vcpu, general_number(i));
	value[GDB_rip] = virt->get_sysreg(vcpu, SYSREG_RIP);
	value[GDB_eflags] = virt->get_sysreg(vcpu, SYSREG_RFLAGS);
	for (unsigned i = 0; i < ARRAY_SIZE(segments); i++) {
		virt->get_segment(vcpu, (enum segment_reg)segments[i], &seg);
		value[GDB_cs + i] = seg.selector;
		if (segments[i] == SEG_FS)
			value[GDB_fs_base] = seg.base;
		if (segments[i] == SEG_GS)
			value[GDB_gs_base] = seg.base;
	}
	value[GDB_k_gs_base] = rdmsr(MSR_KERNEL_GS_BASE);
	value[GDB_cr0] = virt->get_sysreg(vcpu, SYSREG_CR0);
	value[GDB_cr2] = read_cr2();
	value[GDB_cr3] = virt->get_sysreg(vcpu, SYSREG_CR3);
	value[GDB_cr4] = virt->get_sysreg(vcpu, SYSREG_CR4);
	value[GDB_cr8] = read_cr8();
	value[GDB_efer] = virt->get_sysreg(vcpu, SYSREG_EFER);
	read_fpu(vcpu, registers);
}

bool registers_write(struct vcpu *vcpu, enum gdb_register n, u64 value)
{
	u64 rflags = virt->get_sysreg(vcpu, SYSREG_RFLAGS);

	if (n <= GDB_r15) {
		set_general_register(vcpu, general_number(n), value);
	} else if (n == GDB_rip && rip_is_valid(vcpu, value)) {
		virt->set_sysreg(vcpu, SYSREG_RIP, value);
	} else if (n == GDB_eflags && !((value ^ rflags) & ~FLAGS_ARITHMETIC)) {
		virt->set_sysreg(vcpu, SYSREG_RFLAGS, value);
	} else {
		return false;
	}
	return true;
}
