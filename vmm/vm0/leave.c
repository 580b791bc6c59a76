/* SPDX-License-Identifier: MIT */
/*
 * Leaving: all vCPUs gather in root mode, then each CPU loads its guest's registers. See leave.h.
 */
#include "vmm/debug_registers.h"
#include "vmm/vm0/leave.h"
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/native.h"
#include "arch/x86/paging.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/room.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/cmos.h"
#include "vmm/vm0/vm0.h"
#include "vmm/memslot.h"

#define GATHER_TICKS 100000000ull /* of the time-stamp counter: some hundredths of a second */

static int refuse(struct vcpu *vcpu, int error, const char *why)
{
	pr_warn_ratelimited("vCPU %u asked Glasshouse to leave, which was refused: %s", vcpu->id,
			    why);
	return error;
}

int vm_leave(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct vm0 *vm0 = to_vm0(vm);
	u32 none = LEAVE_NONE;
	int r;

	/* The registers are complete only after the guest's NMI handler has ended: until then this
	 * hypercall would return 0, before the result is known. */
	if (!virt->nmi_allowed(vcpu))
		return refuse(vcpu, -EBUSY, "NMIs are blocked");
	/* Leaving needs the local APIC: to kick the other vCPUs, and for send_self_nmi(). */
	if (!lapic_is_on())
		return refuse(vcpu, -EOPNOTSUPP, "its local APIC is off");
	if (!__atomic_compare_exchange_n(&vm0->leave, &none, LEAVE_GATHER, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return refuse(vcpu, -EBUSY, "another CPU has asked already");
	r = native_prepare(vm->nr_vcpus);
	if (r) {
		__atomic_store_n(&vm0->leave, LEAVE_NONE, __ATOMIC_RELEASE);
		return refuse(vcpu, r, r == -ENOMEM ? "out of memory" : "there are too many CPUs");
	}
	vm0->leave_caller = vcpu;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vcpu_make_request(vm->vcpus[i], REQ_LEAVE);
	return 0;
}

/* Change the state from LEAVE_GATHER to @next, unless another CPU has changed it already. */
static void decide(struct vm0 *vm0, u32 next)
{
	u32 gather = LEAVE_GATHER;

	__atomic_compare_exchange_n(&vm0->leave, &gather, next, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
}

/* Returns the host linear address of the guest's top-level page table, or 0 if it is not in a
 * memory slot. */
static u64 guest_top(struct vcpu *vcpu)
{
	return gfn_to_hva(vcpu->vm,
			  (virt->get_sysreg(vcpu, SYSREG_CR3) & GENMASK(51, 12)) >> PAGE_SHIFT);
}

/* Fill in the state that native_resume() loads. Returns 0, or -EOPNOTSUPP if native_resume() does
 * not support the guest's mode. */
static int read_state(struct vcpu *vcpu)
{
	struct native_state *s = native_state(vcpu->id);
	u16 *const selectors[] = {&s->es, NULL, NULL, &s->ds, &s->fs, &s->gs, &s->ldtr, &s->tr};
	struct segment seg;
	u64 top;

	s->cr0 = virt->get_sysreg(vcpu, SYSREG_CR0);
	s->cr3 = virt->get_sysreg(vcpu, SYSREG_CR3);
	s->cr4 = virt->get_sysreg(vcpu, SYSREG_CR4);
	s->efer = virt->get_sysreg(vcpu, SYSREG_EFER);
	top = guest_top(vcpu);
	if (!(s->efer & EFER_LMA) || s->cr4 & CR4_LA57 || !top || !lapic_is_on())
		return -EOPNOTSUPP;
	to_vm0_vcpu(vcpu)->leave_page = native_share((u64 *)top);
	if (!to_vm0_vcpu(vcpu)->leave_page)
		return -EOPNOTSUPP;

	memcpy(s->regs, vcpu->regs, sizeof(s->regs));
	s->rip = virt->get_sysreg(vcpu, SYSREG_RIP);
	s->rsp = virt->get_sysreg(vcpu, SYSREG_RSP);
	s->rflags = virt->get_sysreg(vcpu, SYSREG_RFLAGS);
	s->dr7 = virt->get_sysreg(vcpu, SYSREG_DR7);
	for (unsigned i = 0; i < ARRAY_SIZE(selectors); i++) {
		virt->get_segment(vcpu, (enum segment_reg)i, &seg);
		if (selectors[i])
			*selectors[i] = seg.selector;
		if (i == SEG_CS)
			s->cs = seg.selector;
		else if (i == SEG_SS)
			s->ss = seg.selector;
		else if (i == SEG_FS)
			s->fs_base = seg.base;
		else if (i == SEG_GS)
			s->gs_base = seg.base;
	}
	s->tr_base = seg.base;
	s->tr_limit = seg.limit;
	virt->get_segment(vcpu, SEG_GDTR, &seg);
	s->gdt_base = seg.base;
	s->gdt_limit = (u16)seg.limit;
	virt->get_segment(vcpu, SEG_IDTR, &seg);
	s->idt_base = seg.base;
	s->idt_limit = (u16)seg.limit;
	return 0;
}

/* NMIs must be blocked from before virtualisation is switched off until native_resume()'s IRETQ. A
 * CPU blocks them when it takes an NMI: send one to this CPU, for leave_on_nmi(). */
static void send_self_nmi(struct vcpu *vcpu) __noreturn;
static void send_self_nmi(struct vcpu *vcpu)
{
	if (!lapic_is_x2apic())
		to_vm0_vcpu(vcpu)->leave_icr_hi = lapic_read(LAPIC_ICR_HI);
	__atomic_store_n(&to_vm0_vcpu(vcpu)->leaving, true, __ATOMIC_RELEASE);
	lapic_send_nmi(vcpu->cpu->apic_id);
	for (;;)
		cpu_relax();
}

void leave_on_nmi(struct vcpu *vcpu)
{
	if (!__atomic_load_n(&to_vm0_vcpu(vcpu)->leaving, __ATOMIC_ACQUIRE))
		return;
	if (!lapic_is_x2apic()) {
		while (lapic_read(LAPIC_ICR) & ICR_BUSY)
			cpu_relax();
		lapic_write(LAPIC_ICR_HI, to_vm0_vcpu(vcpu)->leave_icr_hi);
	}
	virt->load_guest_msrs(vcpu);
	debug_unload(vcpu);
	virt->hardware_disable();
	native_resume(vcpu->id, to_vm0_vcpu(vcpu)->leave_page);
}

/* Wait until all vCPUs have gathered, or the time is up. Returns the state that was decided. */
static u32 gather(struct vm0 *vm0)
{
	u64 start = rdtsc();
	u32 state;

	if (__atomic_add_fetch(&vm0->nr_gathered, 1, __ATOMIC_ACQ_REL) == vm0->vm.nr_vcpus)
		decide(vm0, LEAVE_GO);
	while ((state = __atomic_load_n(&vm0->leave, __ATOMIC_ACQUIRE)) == LEAVE_GATHER) {
		if (rdtsc() - start > GATHER_TICKS)
			decide(vm0, LEAVE_BUSY);
		cpu_relax();
	}
	return state;
}

/* The attempt has failed. The vCPU that asked waits for the others and gets the error. */
static int abort_leave(struct vcpu *vcpu, u32 state)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	int r;

	if (to_vm0_vcpu(vcpu)->leave_page)
		paging_unshare((u64 *)guest_top(vcpu), to_vm0_vcpu(vcpu)->leave_page);
	to_vm0_vcpu(vcpu)->leave_page = 0;
	__atomic_sub_fetch(&vm0->nr_gathered, 1, __ATOMIC_ACQ_REL);
	if (vcpu != vm0->leave_caller)
		return 1;
	while (__atomic_load_n(&vm0->nr_gathered, __ATOMIC_ACQUIRE))
		cpu_relax();
	if (state == LEAVE_BUSY)
		r = refuse(vcpu, -EBUSY, "not all CPUs stopped in time");
	else
		r = refuse(
			vcpu, -EOPNOTSUPP,
			"a CPU is not in 64-bit mode with 4-level paging, uses shadow stacks, or "
			"has its local APIC off");
	vcpu->regs[VCPU_RAX] = (u64)r;
	__atomic_store_n(&vm0->leave, LEAVE_NONE, __ATOMIC_RELEASE);
	return 1;
}

/* The guest's state is not complete now: let it run until it can take an NMI, then retry. */
static int retry_later(struct vcpu *vcpu)
{
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_LEAVE, __ATOMIC_SEQ_CST);
	virt->enable_nmi_window(vcpu);
	return 1;
}

int leave_request(struct vcpu *vcpu)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	bool runs = vcpu->mp_state == MP_STATE_RUNNABLE;
	int complete = runs ? virt->registers_complete(vcpu) : 1;
	u32 state = __atomic_load_n(&vm0->leave, __ATOMIC_ACQUIRE);

	/* A vCPU that arrives after the decision takes no part, except the one that asked: its
	 * guest needs the result. */
	if (state == LEAVE_NONE || (state != LEAVE_GATHER && vcpu != vm0->leave_caller))
		return 1;
	/* Deliver pending NMIs and events to the guest first. */
	if (state == LEAVE_GATHER && runs &&
	    (!complete || vcpu->event.valid || vcpu->nmi_pending || vcpu->kicked))
		return retry_later(vcpu);
	if (runs && (complete < 0 || read_state(vcpu)))
		decide(vm0, LEAVE_UNSUPPORTED);
	state = gather(vm0);
	if (state != LEAVE_GO)
		return abort_leave(vcpu, state);
	if (vcpu == vm0->leave_caller) {
		pr_info("vCPU %u asked Glasshouse to leave: the guest's %u CPUs continue without "
			"it, virtualisation is off. Its memory stays reserved.\n",
			vcpu->id, vm0->nr_started);
		cmos_leave(vm0);
		rooms_leave();
	}
	if (!runs)
		return 0;
	send_self_nmi(vcpu);
}
