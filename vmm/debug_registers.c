/* SPDX-License-Identifier: MIT */
/*
 * Debug registers for the guest and a debugger. See debug_registers.h.
 */
#include "vmm/debug_registers.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "vmm/event.h"
#include "vmm/exception.h"
#include "vmm/registers.h"

#define DR7_FIXED    BIT(10) /* is always 1 */
#define DR7_RESERVED (BIT(12) | BIT(14) | BIT(15) | GENMASK(63, 32))

static void write_registers(const u64 dr[DEBUG_REGISTERS])
{
	write_dr0(dr[0]);
	write_dr1(dr[1]);
	write_dr2(dr[2]);
	write_dr3(dr[3]);
}

static const struct debug_point *loaded; /* of the debugger */

static void merge_and_write(struct vcpu *vcpu)
{
	debug_merge(&vcpu->debug, loaded);
	write_registers(vcpu->debug.dr);
	virt->load_debug(vcpu);
}

void debug_load(struct vcpu *vcpu, const struct debug_point points[DEBUG_REGISTERS])
{
	struct debug_state *state = &vcpu->debug;
	bool on = false;

	for (unsigned i = 0; i < DEBUG_REGISTERS; i++)
		on |= points[i].used;
	if (on && !state->on) {
		for (unsigned n = 0; n < DEBUG_REGISTERS; n++)
			state->guest[n] = debug_guest_register(vcpu, n);
		state->guest_dr7 = virt->get_sysreg(vcpu, SYSREG_DR7);
	}
	loaded = points;
	if (on || state->on) {
		state->on = on;
		merge_and_write(vcpu);
	}
}

void debug_unload(struct vcpu *vcpu)
{
	static const struct debug_point none[DEBUG_REGISTERS];

	debug_load(vcpu, none);
}

u64 debug_guest_register(struct vcpu *vcpu, unsigned n)
{
	if (vcpu->debug.on)
		return vcpu->debug.guest[n];
	switch (n) {
	case 0:
		return read_dr0();
	case 1:
		return read_dr1();
	case 2:
		return read_dr2();
	default:
		return read_dr3();
	}
}

void debug_set_guest_dr7(struct vcpu *vcpu, u64 dr7)
{
	vcpu->debug.guest_dr7 = dr7;
	merge_and_write(vcpu);
}

void debug_reset(struct vcpu *vcpu)
{
	static const u64 zeros[DEBUG_REGISTERS];

	for (unsigned n = 0; n < DEBUG_REGISTERS; n++)
		vcpu->debug.guest[n] = 0;
	vcpu->debug.owed = 0;
	if (!vcpu->debug.on)
		write_registers(zeros);
}

static bool in_64_bit_code(struct vcpu *vcpu)
{
	struct segment cs;

	virt->get_segment(vcpu, SEG_CS, &cs);
	return cs.ar & SEG_AR_L && virt->get_sysreg(vcpu, SYSREG_EFER) & EFER_LMA;
}

static u64 read_debug(struct vcpu *vcpu, unsigned n)
{
	if (n < DEBUG_REGISTERS)
		return vcpu->debug.guest[n];
	return n == 6 ? read_dr6() : vcpu->debug.guest_dr7;
}

/* Returns false for #GP: DR6 and DR7 have 32 bits. */
static bool write_debug(struct vcpu *vcpu, unsigned n, u64 value)
{
	if (n >= DEBUG_REGISTERS && value >> 32)
		return false;
	if (n == 6) {
		write_dr6(value);
		return true;
	}
	if (n < DEBUG_REGISTERS)
		vcpu->debug.guest[n] = value;
	else
		vcpu->debug.guest_dr7 = (value & ~DR7_RESERVED) | DR7_FIXED;
	merge_and_write(vcpu);
	return true;
}

/* The faults before the access. Returns true if there is one. */
static bool faults(struct vcpu *vcpu, unsigned n)
{
	struct segment ss;

	virt->get_segment(vcpu, SEG_SS, &ss);
	if (SEG_AR_DPL(ss.ar)) {
		queue_exception_e(vcpu, GP_VECTOR, 0);
		return true;
	}
	if ((n == 4 || n == 5) && virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_DE) {
		queue_exception(vcpu, UD_VECTOR);
		return true;
	}
	if (vcpu->debug.guest_dr7 & DR7_GD) {
		reflect_exception(vcpu, &(struct exception){.vector = DB_VECTOR,
							    .type = EVENT_EXCEPTION,
							    .payload = DR6_BD});
		return true;
	}
	return false;
}

void emulate_mov_dr(struct vcpu *vcpu, unsigned n, unsigned reg, bool write)
{
	u64 mask = in_64_bit_code(vcpu) ? ~0ull : 0xffffffff;

	if (faults(vcpu, n))
		return;
	if (n == 4 || n == 5)
		n += 2;
	if (!write) {
		set_general_register(vcpu, (enum vcpu_reg)reg, read_debug(vcpu, n) & mask);
	} else if (!write_debug(vcpu, n, general_register(vcpu, (enum vcpu_reg)reg) & mask)) {
		queue_exception_e(vcpu, GP_VECTOR, 0);
		return;
	}
	virt->skip_emulated_instruction(vcpu);
}
