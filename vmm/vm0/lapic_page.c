/* SPDX-License-Identifier: MIT */
/*
 * Stores of the guest to the page of its local APIC. See lapic_page.h.
 */
#include "vmm/vm0/lapic_page.h"
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/icr.h"
#include "vmm/x86/breakpoint.h"
#include "vmm/x86/emulate.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/x86/insn_fpu.h"
#include "vmm/x86/unknown.h"

struct lapic_access {
	struct vcpu *vcpu;
	const struct insn *insn;
	const struct insn_mem *mem;
	gva_t gva;
	/* The part on another page, which is memory: 0 bytes if the operand is on one page. */
	gva_t other;
	unsigned other_size;
};

static u32 register_offset(const struct lapic_access *a)
{
	return a->gva & ~PAGE_MASK;
}

/* The part of @value, which is the operand's, that is on the other page. */
static void *other_part(const struct lapic_access *a, u64 *value)
{
	return (u8 *)value + (a->other - a->gva);
}

static bool is_register(u32 offset, unsigned size)
{
	return size == 4 && IS_ALIGNED(offset, 16);
}

/* Read the source operand of MOVS. The CPU has read it before the write exited, so it is readable;
 * but a device, which is in no slot, may not be read once more. */
static int read_source(const struct lapic_access *a, unsigned size, u64 *value)
{
	struct segment seg;
	gva_t gva = a->vcpu->regs[VCPU_RSI];

	if (a->insn->adsize < 8)
		gva &= BIT(8 * a->insn->adsize) - 1;
	guest_segment(a->vcpu, (enum segment_reg)insn_segment(a->insn, INSN_DS), &seg);
	gva += seg.base;
	if (a->insn->mode != INSN_64)
		gva = (u32)gva;
	*value = 0;
	if (!read_guest_virt(a->vcpu, gva, value, size))
		return 0;
	pr_warn_ratelimited("vCPU %u: MOVS at RIP %lx copies from linear address %lx, which is not "
			    "memory, to the local APIC: ignored",
			    a->vcpu->id, virt->get_sysreg(a->vcpu, SYSREG_RIP), gva);
	return -EFAULT;
}

static int lapic_bus_read(void *ctx, unsigned size, u64 *value)
{
	const struct lapic_access *a = ctx;

	if (a->mem->op == INSN_MOVS)
		return read_source(a, size, value);
	*value = ~0ull;
	if (a->other_size)
		return read_guest_virt(a->vcpu, a->other, other_part(a, value), a->other_size);
	if (is_register(register_offset(a), size) && lapic_is_on() && !lapic_is_x2apic())
		*value = lapic_read(register_offset(a));
	return 0;
}

static int lapic_bus_write(void *ctx, unsigned size, u64 value)
{
	const struct lapic_access *a = ctx;

	if (a->other_size)
		write_guest_virt(a->vcpu, a->other, other_part(a, &value), a->other_size);
	else if (is_register(register_offset(a), size))
		icr_write_mmio(a->vcpu, register_offset(a), (u32)value);
	return 0;
}

/* Is linear @gva in the page of @fault, by the guest's page tables? */
static bool maps_page(struct vcpu *vcpu, const struct page_fault *fault, gva_t gva)
{
	gpa_t gpa;

	return !guest_physical(vcpu, gva, &gpa) &&
	       ALIGN_DOWN(gpa, PAGE_SIZE) == ALIGN_DOWN(fault->address, PAGE_SIZE);
}

/* Is linear @gva in the page of @fault? The walk of the guest's page tables is most of the cost, so
 * the CPU's own word is taken where it has one: a wrong one names a register of the same page. */
static bool in_page(struct vcpu *vcpu, const struct page_fault *fault, gva_t gva)
{
	return ALIGN_DOWN(gva, PAGE_SIZE) == ALIGN_DOWN(fault->gva_hint, PAGE_SIZE) ||
	       maps_page(vcpu, fault, gva);
}

/*
 * Find where @size bytes from access->gva on are. Returns false if none is in the page of @fault.
 * If only a part is, the CPU may not have checked yet that the other part can be written: false,
 * with #PF queued, if it cannot.
 */
static bool locate(struct lapic_access *access, const struct page_fault *fault, unsigned size)
{
	gva_t gva = access->gva;
	unsigned first = (unsigned)(PAGE_SIZE - (gva & ~PAGE_MASK));
	bool begins, ends;

	if (first >= size)
		return in_page(access->vcpu, fault, gva);
	begins = maps_page(access->vcpu, fault, gva);
	ends = maps_page(access->vcpu, fault, gva + first);
	if (begins == ends)
		return begins;
	access->other = begins ? gva + first : gva;
	access->other_size = begins ? size - first : first;
	return !probe_guest_virt(access->vcpu, access->other, access->other_size,
				 PF_ERROR_W | (guest_cpl(access->vcpu) == 3 ? PF_ERROR_U : 0));
}

static bool emulate_store(struct vcpu *vcpu, const struct page_fault *fault,
			  const struct insn *insn)
{
	struct insn_mem mem;
	struct lapic_access access = {.vcpu = vcpu, .insn = insn, .mem = &mem};
	struct insn_bus bus = {lapic_bus_read, lapic_bus_write, &access};

	if (insn_memory_op(insn, &mem))
		return false;
	/* Compute the register from the operand: if Glasshouse runs nested in KVM, the exit may
	 * have only the page of the access, and the linear address of an earlier one. */
	access.gva = guest_operand(vcpu, insn, &mem);
	if (!locate(&access, fault, mem.size))
		return vcpu->event.valid;
	return !emulate_insn(vcpu, insn, &mem, &bus, access.gva);
}

/* What the x87 store @insn leaves in the FPU's pointers. */
static struct fpu_pointers fpu_pointers(struct vcpu *vcpu, const struct insn *insn,
					const struct insn_mem *mem)
{
	struct fpu_pointers p = {
		.wide = insn->mode == INSN_64,
		.ip = virt->get_sysreg(vcpu, SYSREG_RIP),
		.opcode = (u16)((insn->opcode & 7) << 8 | insn->modrm),
	};
	struct insn_address at;
	struct segment cs, data;

	insn_address(insn, mem, vcpu->regs, p.ip, &at);
	p.dp = at.offset;
	if (!p.wide) {
		virt->get_segment(vcpu, SEG_CS, &cs);
		virt->get_segment(vcpu, (enum segment_reg)at.segment, &data);
		p.ip = (u32)p.ip | (u64)cs.selector << 32;
		p.dp = (u32)p.dp | (u64)data.selector << 32;
	}
	return p;
}

/* Emulate a store of an FPU register. The CPU holds the guest's FPU registers, so execute the
 * store, into a variable. */
static bool emulate_fpu_store(struct vcpu *vcpu, const struct page_fault *fault,
			      const struct insn *insn)
{
	static const struct insn_mem plain_store = {.op = INSN_MOV};
	struct insn_fpu store;
	struct lapic_access access = {.vcpu = vcpu};
	struct fpu_pointers pointers;
	enum fpu_stored stored;
	u32 value;

	if (!insn_fpu_store(insn, &store))
		return false;
	access.gva = guest_operand(vcpu, insn, &plain_store);
	if (!locate(&access, fault, sizeof(value)))
		return vcpu->event.valid;
	/* The guest may have changed the instruction since the CPU executed it. One that the CPU
	 * would not have executed is not executed here either: the guest tries again. */
	if (virt->get_sysreg(vcpu, SYSREG_CR0) & (CR0_TS | CR0_EM))
		return true;
	pointers = fpu_pointers(vcpu, insn, &plain_store);
	stored = fpu_store(store.kind, store.reg, store.quarter, &pointers, &value);
	if (stored == FPU_REFUSED)
		return true;
	if (stored == FPU_STORED) {
		lapic_bus_write(&access, sizeof(value), value);
		breakpoint_access(vcpu, BREAKPOINT_WRITE, access.gva, sizeof(value));
	}
	emulate_skip(vcpu, insn, false);
	return true;
}

int emulate_lapic_write(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct insn insn;

	if (!vcpu->event.valid && decode_guest_insn(vcpu, &insn)) {
		if (emulate_store(vcpu, fault, &insn) || emulate_fpu_store(vcpu, fault, &insn))
			return 1;
		if (emulate_without_write(vcpu, fault->address, NULL))
			return 1;
	}
	return handle_unknown(vcpu, "local APIC written by an instruction that is not understood");
}
