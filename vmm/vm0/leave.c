/* SPDX-License-Identifier: MIT */
/*
 * Leaving: all vCPUs meet in root mode; then each CPU gets its guest's registers as its own.
 */
#include "vmm/vm0/leave.h"
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/native.h"
#include "arch/x86/paging.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/vm0.h"
#include "vmm/memslot.h"

#define GATHER_TICKS 100000000ull /* of the time-stamp counter: some hundredths of a second */

static int refuse(struct vcpu *vcpu, int error, const char *why)
{
	pr_warn_ratelimited("vCPU %u asked Glasshouse to leave, which it cannot now: %s", vcpu->id,
			    why);
	return error;
}

int vm_leave(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct vm0 *vm0 = to_vm0(vm);
	u32 none = LEAVE_NONE;

	/* The handler of an NMI would have its answer before there is one. */
	if (!virt->nmi_allowed(vcpu))
		return refuse(vcpu, -EBUSY, "NMIs are blocked");
	if (!lapic_is_on())
		return refuse(vcpu, -EOPNOTSUPP, "its local APIC is off");
	if (!__atomic_compare_exchange_n(&vm0->leave, &none, LEAVE_GATHER, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return refuse(vcpu, -EBUSY, "another CPU has asked already");
	if (native_prepare(vm->nr_vcpus)) {
		__atomic_store_n(&vm0->leave, LEAVE_NONE, __ATOMIC_RELEASE);
		return refuse(vcpu, -ENOMEM, "there is no memory for it");
	}
	vm0->leave_caller = vcpu;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vcpu_make_request(vm->vcpus[i], REQ_LEAVE);
	return 0;
}

/* From "gather" to @next, unless somebody was faster. */
static void decide(struct vm0 *vm0, u32 next)
{
	u32 gather = LEAVE_GATHER;

	__atomic_compare_exchange_n(&vm0->leave, &gather, next, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
}

/* Where the guest's top-level page table is; 0 where we cannot reach it. */
static u64 guest_top(struct vcpu *vcpu)
{
	return gfn_to_hva(vcpu->vm,
			  (virt->get_sysreg(vcpu, SYSREG_CR3) & GENMASK(51, 12)) >> PAGE_SHIFT);
}

/* All that native_resume() wants to know; -EOPNOTSUPP when the guest is in a mode that it does not
 * know. */
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

/* NMIs must be blocked from before VMX is off until the guest's own IRETQ or ours: the CPU does so
 * when it takes one. */
static void take_own_nmi(struct vcpu *vcpu) __noreturn;
static void take_own_nmi(struct vcpu *vcpu)
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
	virt->hardware_disable();
	native_resume(vcpu->id, to_vm0_vcpu(vcpu)->leave_page);
}

/* Wait for the decision. Returns it. */
static u32 meet(struct vm0 *vm0)
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

/* It did not come to leaving. Who asked waits for the others, and is told. */
static int go_on(struct vcpu *vcpu, u32 state)
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
		r = refuse(vcpu, -EBUSY, "not every CPU came in time");
	else
		r = refuse(
			vcpu, -EOPNOTSUPP,
			"a CPU is not in 64-bit mode with 4-level paging, uses shadow stacks, or "
			"has its local APIC off");
	vcpu->regs[VCPU_RAX] = (u64)r;
	__atomic_store_n(&vm0->leave, LEAVE_NONE, __ATOMIC_RELEASE);
	return 1;
}

/* The guest cannot be left just now: let it run to where nothing is blocked, then try again. */
static int run_on(struct vcpu *vcpu)
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

	/* A vCPU that arrives after the decision takes no part; the one that asked must answer. */
	if (state == LEAVE_NONE || (state != LEAVE_GATHER && vcpu != vm0->leave_caller))
		return 1;
	/* An NMI on its way, or an event that is half delivered: the guest gets it first. */
	if (state == LEAVE_GATHER && runs &&
	    (!complete || vcpu->event.valid || vcpu->nmi_pending || vcpu->kicked))
		return run_on(vcpu);
	if (runs && (complete < 0 || read_state(vcpu)))
		decide(vm0, LEAVE_UNSUPPORTED);
	state = meet(vm0);
	if (state != LEAVE_GO)
		return go_on(vcpu, state);
	if (vcpu == vm0->leave_caller)
		pr_info("vCPU %u asked Glasshouse to leave: the guest's %u CPUs go on without it, "
			"virtualisation is off. Its memory stays reserved.\n",
			vcpu->id, vm0->nr_started);
	if (!runs)
		return 0;
	take_own_nmi(vcpu);
}
