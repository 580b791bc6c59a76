/* SPDX-License-Identifier: MIT */
/*
 * What the files of the VT-x back end share.
 */
#ifndef GH_VMM_VMX_VMX_H
#define GH_VMM_VMX_VMX_H

#include "arch/x86/cpu.h"
#include "arch/x86/vmx_insn.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"
#include "vmm/vmx/capability.h"
#include "vmm/vmx/vmcs.h"

struct vcpu_vmx {
	struct vcpu vcpu; /* first, so that one pointer serves */
	void *vmcs;
	bool loaded;   /* it is the current VMCS of its CPU */
	u32 cpu_based; /* primary controls as they are in the VMCS */
	u32 exception_bitmap;
	u32 sti_seen; /* by vmx_registers_complete() */
	u16 vpid;
};

struct vm_vmx {
	u8 *msr_bitmap; /* 4 KiB. SDM: "MSR-Bitmap Address" */
	u8 *io_bitmap;  /* A and B, 8 KiB */
};

/* What the present exit is. */
static inline u32 exit_reason(const struct vcpu *vcpu)
{
	return (u32)vcpu->recorder.now->reason;
}

/* Read when a handler asks for it, since many exits have none and a VMREAD is slow. The flight
 * recorder keeps it. */
static inline u64 exit_qualification(struct vcpu *vcpu)
{
	u64 qualification = vmread(EXIT_QUALIFICATION);

	vcpu->recorder.now->qualification = qualification;
	return qualification;
}

static inline u64 exit_rip(const struct vcpu *vcpu)
{
	return vcpu->recorder.now->rip;
}

/* event.c, the rest of vmx_skip_to(): @rflags and @interruptibility are the guest's, before. */
void vmx_end_instruction(u64 rflags, u64 interruptibility);

/* The instruction is done, go on at @rip: RF goes, shadows of STI and MOV SS go, single-step traps.
 */
static inline void vmx_skip_to(u64 rip)
{
	u64 rflags = vmread(GUEST_RFLAGS), interruptibility = vmread(GUEST_INTERRUPTIBILITY_INFO);

	vmwrite(GUEST_RIP, rip);
	if (unlikely(interruptibility & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)))
		vmx_end_instruction(rflags, interruptibility);
	else if (unlikely(rflags & (RFLAGS_RF | RFLAGS_TF)))
		vmx_end_instruction(rflags, interruptibility);
}

/* The instruction that exited is done. Outside of 64-bit code EIP has 32 bits. */
static inline void vmx_skip_instruction(struct vcpu *vcpu)
{
	u64 length = vmread(VM_EXIT_INSTRUCTION_LEN), rip = exit_rip(vcpu) + length;

	if (unlikely((u32)rip < (u32)length) && !(vmread(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK))
		rip = (u32)rip;
	vmx_skip_to(rip);
}

extern struct vmx_capability vmx_capability; /* the boot CPU's */
extern struct vmcs_config vmcs_config;       /* what all CPUs run with */

static inline struct vcpu_vmx *to_vmx(struct vcpu *vcpu)
{
	return (struct vcpu_vmx *)vcpu;
}

/* vmx_run.S: enter the guest; see virt->run. */
void vmx_vcpu_run(void);
extern const char vmx_return[]; /* HOST_RIP */

/* exits.c: what to do about each basic exit reason. */
int vmx_handle_exit(struct vcpu *vcpu);
/* The instruction that exited is done; or, with an @error, it is #GP(0). Returns 1: to the guest.
 */
int vmx_skip_or_fault(struct vcpu *vcpu, int error);

/* cr.c: the exit handler for accesses to control registers. */
int handle_cr(struct vcpu *vcpu);

/* cr.c: this CPU forgets what it has cached of the guest's own paging. */
void vmx_flush_guest_tlb(struct vcpu *vcpu);

/*
 * cr.c: the loaded guest's control registers, as it sees them; bits that VMX fixes are added
 * without it noticing. A new CR3 also loads the PDPTEs, where PAE paging is on.
 */
u64 vmx_get_cr0(void);
u64 vmx_get_cr4(void);
void vmx_set_cr0(struct vcpu *vcpu, u64 cr0);
void vmx_set_cr4(struct vcpu *vcpu, u64 cr4);
void vmx_set_cr3(struct vcpu *vcpu, u64 cr3);

/* dump.c, for virt->dump */
void vmx_dump(struct vcpu *vcpu);

/* event.c: set and clear bits of the loaded VMCS's primary processor-based controls. */
void vmx_set_cpu_based(struct vcpu_vmx *vmx, u32 set, u32 clear);

/*
 * event.c: if the exit came while an event was being delivered, deliver that event again. SDM:
 * "IDT-Vectoring Information". Not for exits that an instruction causes: those have delivered
 * nothing. An exception that is queued later is combined with it.
 */
void vmx_complete_event(struct vcpu *vcpu);

/* event.c: the entry failed before it delivered the event that was injected: deliver it again. */
void vmx_cancel_injection(struct vcpu *vcpu);

/* For struct virt_ops, by file; see virt_ops.h. setup.c: */
int vmx_hardware_setup(void);
int vmx_check_processor_compat(unsigned cpu);
int vmx_hardware_enable(void);
void vmx_hardware_disable(void);
int vmx_vm_init(struct vm *vm);
struct vcpu *vmx_create_vcpu(struct vm *vm, struct cpu *cpu);
int vmx_vcpu_load(struct vcpu *vcpu);
/* state.c: */
void vmx_vcpu_reset(struct vcpu *vcpu, bool init);
u64 vmx_get_sysreg(struct vcpu *vcpu, enum sysreg reg);
void vmx_set_sysreg(struct vcpu *vcpu, enum sysreg reg, u64 value);
void vmx_get_segment(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg);
void vmx_set_segment(struct vcpu *vcpu, enum segment_reg reg, const struct segment *seg);
int vmx_registers_complete(struct vcpu *vcpu);
void vmx_load_guest_msrs(struct vcpu *vcpu);
/* event.c: */
void vmx_inject_event(struct vcpu *vcpu);
bool vmx_nmi_allowed(struct vcpu *vcpu);
void vmx_enable_nmi_window(struct vcpu *vcpu);
void vmx_request_immediate_exit(struct vcpu *vcpu);

/* Prints which rule of VM entry the current VMCS breaks. Set by report_init() (report/); NULL: only
 * the CPU's own number is printed. */
extern void (*vmx_entry_failure_report)(void);

/*
 * entry_failure.c: the CPU refused to enter the guest: print why. The first is for VMRESUME and
 * VMLAUNCH that failed, and panics; the second for an exit whose reason says so.
 */
void vmx_entry_failed(struct vcpu *vcpu) __noreturn;
void vmx_explain_entry_failure(struct vcpu *vcpu);

#endif
