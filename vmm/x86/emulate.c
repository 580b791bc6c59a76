/* SPDX-License-Identifier: MIT */
/*
 * Decode the instruction at RIP and carry out its memory access.
 */
#include "vmm/x86/emulate.h"
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "arch/x86/paging.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/string.h"
#include "vmm/x86/breakpoint.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/vm0/icr.h"
#include "vmm/x86/insn.h"
#include "vmm/x86/unknown.h"
#include "vmm/virt_ops.h"

#define NR_SINKS 8 /* more than the pages that one instruction writes to */

void emulate_skip(struct vcpu *vcpu, const struct insn *insn, bool again)
{
	u64 rip = virt->get_sysreg(vcpu, SYSREG_RIP) + (again ? 0 : insn->length);

	virt->skip_to(vcpu, insn->mode == INSN_64 ? rip : (u32)rip);
	/* A breakpoint on the instruction has been met. */
	if (again)
		virt->set_sysreg(vcpu, SYSREG_RFLAGS,
				 virt->get_sysreg(vcpu, SYSREG_RFLAGS) | RFLAGS_RF);
}

int emulate_insn(struct vcpu *vcpu, const struct insn *insn, const struct insn_mem *mem,
		 const struct insn_bus *bus, gva_t gva)
{
	u64 rflags = virt->get_sysreg(vcpu, SYSREG_RFLAGS), old = rflags;
	int r;

	vcpu->regs[VCPU_RSP] = virt->get_sysreg(vcpu, SYSREG_RSP);
	r = insn_emulate_mem(insn, mem, vcpu->regs, &rflags, bus);
	if (r < 0)
		return r;
	virt->set_sysreg(vcpu, SYSREG_RSP, vcpu->regs[VCPU_RSP]);
	if (rflags != old)
		virt->set_sysreg(vcpu, SYSREG_RFLAGS, rflags);
	breakpoint_access(vcpu, mem->writes ? BREAKPOINT_WRITE : BREAKPOINT_READ, gva, mem->size);
	emulate_skip(vcpu, insn, r);
	return 0;
}

struct lapic_access {
	struct vcpu *vcpu;
	const struct page_fault *fault;
};

static int lapic_bus_read(void *ctx, unsigned size, u64 *value)
{
	struct lapic_access *a = ctx;

	if (size != 4)
		return -EINVAL;
	*value = lapic_is_x2apic() ? ~0ull : lapic_read((u32)(a->fault->address & 0xff0));
	return 0;
}

static int lapic_bus_write(void *ctx, unsigned size, u64 value)
{
	struct lapic_access *a = ctx;

	if (size != 4)
		return -EINVAL;
	icr_write_mmio(a->vcpu, (u32)(a->fault->address & 0xff0), (u32)value);
	return 0;
}

int emulate_lapic_write(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct insn insn;
	struct insn_mem mem;
	struct lapic_access access = {vcpu, fault};
	struct insn_bus bus = {lapic_bus_read, lapic_bus_write, &access};

	if (fault->final && !vcpu->event.valid && decode_guest_insn(vcpu, &insn) &&
	    !insn_memory_op(&insn, &mem) && mem.op != INSN_MOVS &&
	    !emulate_insn(vcpu, &insn, &mem, &bus, fault->gva))
		return 1;
	return handle_unknown(vcpu, "local APIC written by an instruction that is not understood");
}

int map_ones(struct ept *ept, gpa_t gpa)
{
	static void *ones;

	if (!ones) {
		ones = page_alloc();
		if (!ones)
			return -ENOMEM;
		memset(ones, 0xff, PAGE_SIZE);
	}
	return ept_map(ept, ALIGN_DOWN(gpa, PAGE_SIZE), virt_to_phys(ones), PAGE_SIZE,
		       EPT_R | EPT_X, MEMTYPE_WB);
}

/*
 * Writes that are not carried out here (PUSH, CALL, x87, the delivery of an event) get a page
 * to write to. Of those there are a few; the one used longest ago becomes part of the void again.
 * Another CPU that still knows it as writable writes to a page that does not matter. No entry ever
 * becomes empty, so no table falls out of use, of which the guest could cause any number.
 */
static int map_sink(struct vcpu *vcpu, gpa_t gpa)
{
	static u8 *sinks;
	static gpa_t at[NR_SINKS];
	static unsigned next;
	struct ept *ept = &vcpu->vm->ept;
	u8 *sink;
	int r = 0;

	if (!sinks)
		sinks = pages_alloc(NR_SINKS);
	if (!sinks)
		return -ENOMEM;
	sink = sinks + next * PAGE_SIZE;
	if (at[next])
		r = map_ones(ept, at[next]);
	memset(sink, 0xff, PAGE_SIZE);
	at[next] = ALIGN_DOWN(gpa, PAGE_SIZE);
	if (!r)
		r = ept_map(ept, at[next], virt_to_phys(sink), PAGE_SIZE, EPT_RWX, MEMTYPE_WB);
	next = (next + 1) % NR_SINKS;
	virt->flush_tlb(vcpu);
	return r;
}

static int map_void(struct vcpu *vcpu, const struct page_fault *fault)
{
	static spinlock_t lock;
	struct ept_mapping map;
	int r = 0;

	spin_lock(&lock);
	if (fault->write)
		r = map_sink(vcpu, fault->address);
	else if (!ept_walk(&vcpu->vm->ept, fault->address, &map))
		r = map_ones(&vcpu->vm->ept, fault->address);
	spin_unlock(&lock);
	return r;
}

int emulate_hidden_access(struct vcpu *vcpu, const struct page_fault *fault)
{
	/* An entry of ones has reserved bits set, which the CPU finds by itself. Its flags are set
	 * already. */
	bool table = !fault->final && fault->gva_valid, write = fault->write && !table;

	pr_warn_ratelimited("vCPU %u: guest at RIP %lx %s %lx, which is Glasshouse's: %s", vcpu->id,
			    virt->get_sysreg(vcpu, SYSREG_RIP),
			    write   ? "writes to"
			    : table ? "has a page table at"
				    : "reads",
			    fault->address, write ? "ignored" : "all ones");
	if (write && emulate_hidden_write(vcpu, fault))
		return 1;
	if (map_void(vcpu, fault))
		queue_exception_e(vcpu, GP_VECTOR, 0);
	return 1;
}
