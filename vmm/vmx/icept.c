/* SPDX-License-Identifier: MIT */
/*
 * Interceptions on demand (vmm/icept.h). An instruction that exits is executed by the CPU after
 * all: as a step with these interceptions off, on this vCPU only. So nothing of it is emulated,
 * except HLT, which steps do themselves.
 *
 * External interrupts. One that exits is acknowledged only when the guest can take it, by a second
 * exit, so that the local APIC's state is always what the guest expects. While the guest cannot
 * take interrupts, they do not exit: the interrupt window does. SDM: "External Interrupts".
 */
#include "arch/x86/cpu.h"
#include "vmm/exception.h"
#include "vmm/icept.h"
#include "vmm/step.h"
#include "vmm/vmx/event.h"
#include "vmm/vmx/vmx.h"

/* When PAUSEs are a loop, in ticks: the longest time between two, and for how long. */
#define PAUSE_GAP    128
#define PAUSE_WINDOW 4096

/* SDM: "Primary Processor-Based VM-Execution Controls", "Secondary...". CR0 and CR4 need none. */
static const struct {
	u8 word; /* enum vmx_word */
	u64 bit;
} controls[NR_ICEPTS] = {
	[ICEPT_CR3_LOAD] = {VMX_PROC, CPU_BASED_CR3_LOAD_EXITING},
	[ICEPT_CR3_STORE] = {VMX_PROC, CPU_BASED_CR3_STORE_EXITING},
	[ICEPT_CR8_LOAD] = {VMX_PROC, CPU_BASED_CR8_LOAD_EXITING},
	[ICEPT_CR8_STORE] = {VMX_PROC, CPU_BASED_CR8_STORE_EXITING},
	[ICEPT_DR] = {VMX_PROC, CPU_BASED_MOV_DR_EXITING},
	[ICEPT_DESCRIPTOR] = {VMX_PROC2, SECONDARY_EXEC_DESC},
	[ICEPT_HLT] = {VMX_PROC, CPU_BASED_HLT_EXITING},
	[ICEPT_MONITOR] = {VMX_PROC, CPU_BASED_MONITOR_EXITING},
	[ICEPT_MWAIT] = {VMX_PROC, CPU_BASED_MWAIT_EXITING},
	[ICEPT_PAUSE] = {VMX_PROC, CPU_BASED_PAUSE_EXITING},
	[ICEPT_PAUSE_LOOP] = {VMX_PROC2, SECONDARY_EXEC_PAUSE_LOOP_EXITING},
	[ICEPT_RDTSC] = {VMX_PROC, CPU_BASED_RDTSC_EXITING},
	[ICEPT_RDPMC] = {VMX_PROC, CPU_BASED_RDPMC_EXITING},
	[ICEPT_INVLPG] = {VMX_PROC, CPU_BASED_INVLPG_EXITING},
	[ICEPT_WBINVD] = {VMX_PROC2, SECONDARY_EXEC_WBINVD_EXITING},
	[ICEPT_INTERRUPT] = {VMX_PIN, PIN_BASED_EXT_INTR_MASK},
};

bool vmx_can_intercept(enum icept what)
{
	if (what == ICEPT_INTERRUPT &&
	    !(vmx_allowed1(&vmx_capability, VMX_EXIT) & VM_EXIT_ACK_INTR_ON_EXIT))
		return false;
	return controls[what].word == VMX_ALWAYS ||
	       vmx_allowed1(&vmx_capability, (enum vmx_word)controls[what].word) &
		       controls[what].bit;
}

static void load_controls(struct vcpu_vmx *vmx)
{
	u32 set[NR_VMX_WORDS] = {0}, all[NR_VMX_WORDS] = {0}, secondary = vmx->secondary;

	set[VMX_PROC] =
		vmcs_config.cpu_based_exec_ctrl; /* with shadow page tables, some of these */
	for (unsigned i = 0; i < NR_ICEPTS; i++) {
		all[controls[i].word] |= (u32)controls[i].bit;
		if (vmx->icepts & BIT(i))
			set[controls[i].word] |= (u32)controls[i].bit;
	}
	if (vmx->vcpu.debug.on) /* see debug.c */
		set[VMX_PROC] |= CPU_BASED_MOV_DR_EXITING;
	vmx_set_cpu_based(vmx, set[VMX_PROC], all[VMX_PROC]);
	vmx->secondary = (secondary & ~all[VMX_PROC2]) | set[VMX_PROC2];
	if (vmx->secondary != secondary)
		vmwrite(SECONDARY_VM_EXEC_CONTROL, vmx->secondary);
	if (vmx->secondary & SECONDARY_EXEC_PAUSE_LOOP_EXITING) {
		vmwrite(PLE_GAP, PAUSE_GAP);
		vmwrite(PLE_WINDOW, PAUSE_WINDOW);
	}
	vmx_set_pin_based(vmx, vmx->awaits_if ? 0 : set[VMX_PIN], all[VMX_PIN]);
}

static bool get_bit(const u8 *bitmap, u32 bit)
{
	return bitmap[bit / 8] & BIT(bit % 8);
}

/* The bits of the MSRs, where Glasshouse itself does not need them. */
static void load_msr_bits(struct vcpu_vmx *vmx)
{
	const struct vm *vm = vmx->vcpu.vm;
	const u8 *needed = ((struct vm_vmx *)vm->arch)->bitmaps + BITMAP_MSR;
	u8 *bitmap = vmx->bitmaps + BITMAP_MSR;

	for (unsigned i = 0; i < ICEPT_MSRS; i++) {
		const struct icept_msr *m = &vm->icepts.msrs[i];
		u32 bit = msr_read_bit(m->msr);
		bool read = m->read || m->answers, write = m->write;

		if (read)
			vmx_set_bit(bitmap, bit, !vmx->icepts_off || get_bit(needed, bit));
		bit += MSR_WRITE_BIT;
		if (write)
			vmx_set_bit(bitmap, bit, !vmx->icepts_off || get_bit(needed, bit));
	}
}

/* What changes for one instruction. */
static void load_switched(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 wanted = __atomic_load_n(&vcpu->vm->icepts.on, __ATOMIC_ACQUIRE), old = vmx->icepts;
	u64 cr0 = vmx_get_cr0(vcpu), cr4 = vmx_get_cr4(vcpu);

	vmx->icepts = vmx->icepts_off ? wanted & BIT(ICEPT_INTERRUPT) : wanted;
	load_controls(vmx);
	if ((old ^ vmx->icepts) & BIT(ICEPT_CR0))
		vmx_set_cr0(vcpu, cr0);
	if ((old ^ vmx->icepts) & BIT(ICEPT_CR4))
		vmx_set_cr4(vcpu, cr4);
	load_msr_bits(vmx);
}

void vmx_load_icepts(struct vcpu *vcpu)
{
	const struct icepts *icepts = &vcpu->vm->icepts;
	unsigned nr_ports = __atomic_load_n(&icepts->nr_ports, __ATOMIC_ACQUIRE);

	if (icepts->any_msr)
		vmx_watch_msrs(true);
	load_switched(vcpu);
	for (unsigned i = 0; i < nr_ports; i++)
		vmx_set_bit(to_vmx(vcpu)->bitmaps + BITMAP_IO_A, icepts->ports[i], true);
	intercept_exceptions(vcpu, EXCEPTIONS_ICEPT, icepts->exceptions);
	filter_page_faults(vcpu, icepts->pf_mask, icepts->pf_match);
}

static void switch_on(struct vcpu *vcpu)
{
	to_vmx(vcpu)->icepts_off = false;
	load_switched(vcpu);
}

/* Before an instruction that exits no single step is pending, except after MOV SS: but Bochs says
 * so if TF is set. SDM: "Saving Non-Register State". */
static void execute(struct vcpu *vcpu)
{
	if (!(vmread(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_MOV_SS))
		vmwrite(GUEST_PENDING_DBG_EXCEPTIONS,
			vmread(GUEST_PENDING_DBG_EXCEPTIONS) & ~PENDING_DBG_BS);
	to_vmx(vcpu)->icepts_off = true;
	load_switched(vcpu);
	vmx_delay_interrupts(vcpu); /* or a guest with many of them would come no further */
	vcpu_step(vcpu, STEP_ICEPT, switch_on);
}

/* SDM: "Exit Qualification for Control-Register Accesses". */
static u32 cr_access(u64 qual)
{
	bool load = CONTROL_REG_ACCESS_TYPE(qual) == CR_TYPE_MOV_TO_CR;

	switch (CONTROL_REG_ACCESS_NUM(qual)) {
	case 0: /* MOV, CLTS, LMSW */
		return BIT(ICEPT_CR0);
	case 3:
		return load ? BIT(ICEPT_CR3_LOAD) : BIT(ICEPT_CR3_STORE);
	case 4:
		return BIT(ICEPT_CR4);
	case 8:
		return load ? BIT(ICEPT_CR8_LOAD) : BIT(ICEPT_CR8_STORE);
	}
	return 0;
}

/* Which interceptions cause the exit: bits of enum icept. */
static u32 causes(u32 reason, u64 qual)
{
	switch (reason) {
	case EXIT_REASON_CR_ACCESS:
		return cr_access(qual);
	case EXIT_REASON_DR_ACCESS:
		return BIT(ICEPT_DR);
	case EXIT_REASON_GDTR_IDTR:
	case EXIT_REASON_LDTR_TR:
		return BIT(ICEPT_DESCRIPTOR);
	case EXIT_REASON_HLT:
		return BIT(ICEPT_HLT);
	case EXIT_REASON_MONITOR_INSTRUCTION:
		return BIT(ICEPT_MONITOR);
	case EXIT_REASON_MWAIT_INSTRUCTION:
		return BIT(ICEPT_MWAIT);
	case EXIT_REASON_PAUSE_INSTRUCTION:
		return BIT(ICEPT_PAUSE) | BIT(ICEPT_PAUSE_LOOP);
	case EXIT_REASON_RDTSC:
	case EXIT_REASON_RDTSCP:
		return BIT(ICEPT_RDTSC);
	case EXIT_REASON_RDPMC:
		return BIT(ICEPT_RDPMC);
	case EXIT_REASON_INVLPG:
	case EXIT_REASON_INVPCID:
		return BIT(ICEPT_INVLPG);
	case EXIT_REASON_WBINVD:
		return BIT(ICEPT_WBINVD);
	}
	return 0;
}

bool vmx_handle_icept(struct vcpu *vcpu)
{
	if (!(to_vmx(vcpu)->icepts & causes(exit_reason(vcpu), exit_qualification(vcpu))))
		return false;
	execute(vcpu);
	return true;
}

bool vmx_handle_icept_msr(struct vcpu *vcpu, u32 msr, bool write, const enum vcpu_reg *into)
{
	const u8 *needed = ((struct vm_vmx *)vcpu->vm->arch)->bitmaps + BITMAP_MSR;

	if (!write && icept_give_answer(vcpu, msr, into)) {
		vmx_skip_instruction(vcpu);
		return true;
	}
	/* Glasshouse itself, or the CPU, which has no bit for it, wants it to exit. */
	if ((msr > 0x1fff && msr < 0xc0000000) || msr > 0xc0001fff ||
	    get_bit(needed, msr_read_bit(msr) + (write ? MSR_WRITE_BIT : 0)))
		return false;
	execute(vcpu);
	return true;
}

/* ---- External interrupts ----------------------------------------------------------------------
 */

static bool takes_interrupts(void)
{
	return vmread(GUEST_RFLAGS) & RFLAGS_IF &&
	       !(vmread(GUEST_INTERRUPTIBILITY_INFO) &
		 (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
}

static void await_window(struct vcpu_vmx *vmx)
{
	vmx->awaits_if = true;
	vmx_set_pin_based(vmx, 0, PIN_BASED_EXT_INTR_MASK);
	vmx_set_cpu_based(vmx, CPU_BASED_INTR_WINDOW_EXITING, 0);
}

/* The interrupt may have gone before the exit in which it is acknowledged; and another one, which
 * comes in its stead, may meet a guest that cannot take it. */
int handle_external_interrupt(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 info = vmread(VM_EXIT_INTR_INFO);

	if (!(info & INTR_INFO_VALID_MASK) && takes_interrupts()) {
		vmx_set_exit_controls(vmx, VM_EXIT_ACK_INTR_ON_EXIT, 0);
		return 1;
	}
	vmx_set_exit_controls(vmx, 0, VM_EXIT_ACK_INTR_ON_EXIT);
	if (info & INTR_INFO_VALID_MASK && takes_interrupts()) {
		vmx_queue_interrupt(vcpu, info);
		return 1;
	}
	if (info & INTR_INFO_VALID_MASK)
		vmx->held = info;
	await_window(vmx);
	return 1;
}

/* A window has opened, perhaps the one for NMIs. */
void vmx_interrupt_window(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!vmx->awaits_if)
		return;
	if (!takes_interrupts()) {
		await_window(vmx);
		return;
	}
	vmx->awaits_if = false;
	if (vmx->icepts & BIT(ICEPT_INTERRUPT))
		vmx_set_pin_based(vmx, PIN_BASED_EXT_INTR_MASK, 0);
	if (vmx->held)
		vmx_queue_interrupt(vcpu, vmx->held);
	else if (vmx->icepts & BIT(ICEPT_INTERRUPT))
		vmx_set_exit_controls(vmx, VM_EXIT_ACK_INTR_ON_EXIT, 0);
	vmx->held = 0;
}
