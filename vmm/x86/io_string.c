/* SPDX-License-Identifier: MIT */
/*
 * Emulate INS and OUTS, with the segment checks that they need.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "errno.h"
#include "vmm/steps.h"
#include "vmm/event.h"
#include "vmm/x86/breakpoint.h"
#include "vmm/x86/emulate.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/x86/io_string.h"
#include "vmm/x86/unknown.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

/* Opcodes; 1 more where the operand is not a byte. */
#define INS  0x6c
#define OUTS 0x6e

/* In 64-bit mode there are no limits, but all addresses must be canonical. */
static bool segment_allows(struct vcpu *vcpu, const struct segment *seg, u64 offset, u32 len,
			   bool write)
{
	u64 last = offset + len - 1, top = seg->ar & SEG_AR_DB ? 0xffffffff : 0xffff;

	if (guest_mode(vcpu) == INSN_64)
		return is_canonical(vcpu, guest_untag(vcpu, seg->base + offset)) &&
		       is_canonical(vcpu, guest_untag(vcpu, seg->base + last));
	if (seg->unusable || (seg->ar & SEG_AR_CODE && (write || !(seg->ar & SEG_AR_RW))) ||
	    (write && !(seg->ar & SEG_AR_RW)))
		return false;
	if (seg->ar & SEG_AR_DOWN && !(seg->ar & SEG_AR_CODE))
		return offset > seg->limit && last <= top;
	return last <= seg->limit;
}

/* May the guest access @gva, whose bit 63 says whether it is the supervisor's? SDM: "Linear-Address
 * Space Separation (LASS)". */
static bool lass_allows(struct vcpu *vcpu, gva_t gva)
{
	u64 cr4 = virt->get_sysreg(vcpu, SYSREG_CR4);

	if (!(cr4 & CR4_LASS) || !(virt->get_sysreg(vcpu, SYSREG_EFER) & EFER_LMA))
		return true;
	if (guest_cpl(vcpu) == 3)
		return !(gva & BIT(63));
	return gva & BIT(63) || !(cr4 & CR4_SMAP) ||
	       virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_AC;
}

int guest_linear(struct vcpu *vcpu, enum segment_reg reg, u64 offset, u32 len, bool write,
		 gva_t *gva)
{
	bool long_mode = guest_mode(vcpu) == INSN_64;
	struct segment seg;

	guest_segment(vcpu, reg, &seg);
	*gva = seg.base + offset;
	*gva = long_mode ? guest_untag(vcpu, *gva) : (u32)*gva;
	/* The last byte, too: an access may wrap from the supervisor's half to the user's. */
	if (!segment_allows(vcpu, &seg, offset, len, write) || !lass_allows(vcpu, *gva) ||
	    !lass_allows(vcpu, *gva + len - 1)) {
		queue_exception_e(vcpu, reg == SEG_SS ? SS_VECTOR : GP_VECTOR, 0);
		return -EFAULT;
	}
	return 0;
}

/*
 * Compute the linear address of the memory operand: ES:rDI for INS, DS:rSI (or the override's
 * segment) for OUTS. Returns 0; or -EFAULT, with the fault queued.
 */
static int find_operand(struct vcpu *vcpu, const struct pio_access *io, const struct insn *insn,
			gva_t *gva)
{
	enum segment_reg seg = io->in ? SEG_ES : insn_segment(insn, INSN_DS);
	u64 offset = vcpu->regs[io->in ? VCPU_RDI : VCPU_RSI];
	u32 access = io->in ? PF_ERROR_W : 0;

	if (insn->adsize < 8)
		offset &= BIT(8 * insn->adsize) - 1;
	if (guest_linear(vcpu, seg, offset, io->size, io->in, gva))
		return -EFAULT;
	if (guest_cpl(vcpu) == 3)
		access |= PF_ERROR_U;
	return probe_guest_virt(vcpu, *gva, io->size, access);
}

/* Is @insn the INS or OUTS that the CPU exited for? SDM: "INS/INSB/INSW/INSD—Input from Port to
 * String". */
static bool is_string_pio(const struct insn *insn, const struct pio_access *io)
{
	unsigned size = insn->opcode & 1 ? MIN(insn->opsize, 4) : 1;

	return insn->encoding == INSN_LEGACY && insn->map == 0 &&
	       (insn->opcode & 0xfe) == (io->in ? INS : OUTS) && size == io->size &&
	       !insn->rep == !io->rep;
}

int emulate_string_pio(struct vcpu *vcpu, const struct pio_access *io)
{
	u64 *index = &vcpu->regs[io->in ? VCPU_RDI : VCPU_RSI], *count = &vcpu->regs[VCPU_RCX];
	u64 step = virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_DF ? -(u64)io->size : io->size;
	u64 left = *count;
	struct insn insn;
	u32 value = ~0u;
	gva_t gva;

	STEP(emulate_string_pio);
	if (!decode_guest_insn(vcpu, &insn))
		return handle_unknown(vcpu, "string I/O by an instruction that cannot be decoded");
	/* Another CPU has changed the instruction: let the CPU execute what is there now. */
	if (!is_string_pio(&insn, io))
		return 1;
	if (insn.adsize < 8)
		left &= BIT(8 * insn.adsize) - 1;
	if (io->rep && !left) {
		emulate_skip(vcpu, &insn, false);
		return 1;
	}
	if (find_operand(vcpu, io, &insn, &gva))
		return 1;
	/* Addresses outside of memory read as all ones; writes to them are dropped. */
	if (!io->in)
		read_guest_virt(vcpu, gva, &value, io->size);
	value = kernel_pio(vcpu, io, value);
	if (io->in)
		write_guest_virt(vcpu, gva, &value, io->size);
	assign_register(index, insn.adsize, *index + step);
	if (io->rep)
		assign_register(count, insn.adsize, left - 1);
	breakpoint_access(vcpu, io->in ? BREAKPOINT_WRITE : BREAKPOINT_READ, gva, io->size);
	emulate_skip(vcpu, &insn, io->rep && left > 1);
	return 1;
}
