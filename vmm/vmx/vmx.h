/* SPDX-License-Identifier: MIT */
/*
 * What the files of the VT-x back end share.
 */
#ifndef GH_VMM_VMX_H
#define GH_VMM_VMX_H

#include "arch/x86/vmx_insn.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"
#include "vmm/vmx/vmcs.h"

struct vcpu_vmx {
	struct vcpu vcpu; /* first, so that one pointer serves */
	void *vmcs;
	bool loaded;     /* it is the current VMCS of its CPU */
	u32 exit_reason; /* of the last exit, whole */
	u64 exit_qualification;
	u64 exit_rip;
	u32 cpu_based; /* primary controls as they are in the VMCS */
	u32 exception_bitmap;
};

struct vm_vmx {
	u8 *msr_bitmap; /* 4 KiB. SDM: "MSR-Bitmap Address" */
	u8 *io_bitmap;  /* A and B, 8 KiB */
};

extern struct vmx_capability vmx_capability; /* the boot CPU's */
extern struct vmcs_config vmcs_config;

static inline struct vcpu_vmx *to_vmx(struct vcpu *vcpu)
{
	return (struct vcpu_vmx *)vcpu;
}

/* vmx_run.S: enter the guest. Returns 0 at its exit, 1 when the CPU refused to enter. */
int vmx_vcpu_run(struct vcpu *vcpu);
extern const char vmx_return[]; /* HOST_RIP */

/* exits.c: what to do about each basic exit reason. */
int vmx_handle_exit(struct vcpu *vcpu, int failed);
extern int (*const vmx_exit_handlers[])(struct vcpu *vcpu);

/* cr.c: accesses to control registers; the state behind them. */
int handle_cr(struct vcpu *vcpu);
u64 vmx_get_cr0(void);
u64 vmx_get_cr4(void);
void vmx_set_cr0(struct vcpu *vcpu, u64 cr0);
void vmx_set_cr4(struct vcpu *vcpu, u64 cr4);

/* vmx.c */
void vmx_skip_emulated_instruction(struct vcpu *vcpu);
void vmx_set_cpu_based(struct vcpu_vmx *vmx, u32 set, u32 clear);

/* entry_failure.c: say, in words, why the CPU refused to enter. */
void vmx_explain_entry_failure(struct vcpu *vcpu);

#endif
