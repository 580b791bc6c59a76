/* SPDX-License-Identifier: MIT */
/*
 * The controls of the loaded VMCS that change while the vCPU runs.
 */
#include "vmm/vmx/event.h"

void vmx_set_cpu_based(struct vcpu_vmx *vmx, u32 set, u32 clear)
{
	vmx->cpu_based = (vmx->cpu_based & ~clear) | set;
	vmwrite(CPU_BASED_VM_EXEC_CONTROL, vmx->cpu_based);
}

/* An NMI may request an exit at once at any time: then the timer is to stay on. */
void vmx_set_pin_based(struct vcpu_vmx *vmx, u32 set, u32 clear)
{
	u32 timer;

	vmx->pin_based = (vmx->pin_based & ~clear) | set;
	do {
		timer = READ_ONCE(vmx->timer);
		vmwrite(PIN_BASED_VM_EXEC_CONTROL, vmx->pin_based | timer);
	} while (timer != READ_ONCE(vmx->timer));
}

void vmx_set_exit_controls(struct vcpu_vmx *vmx, u32 set, u32 clear)
{
	u32 controls = (vmx->exit_ctrl & ~clear) | set;

	if (controls != vmx->exit_ctrl)
		vmwrite(VM_EXIT_CONTROLS, controls);
	vmx->exit_ctrl = controls;
}

/* Start the VMX-preemption timer with 0, so that it expires at the VM entry. Without the timer,
 * exit as soon as the guest can take an NMI. SDM: "VMX-Preemption Timer". */
void vmx_request_immediate_exit(struct vcpu *vcpu)
{
	if (!to_vmx(vcpu)->loaded)
		return;
	if (!vmcs_config.has_preemption_timer) {
		vmx_enable_nmi_window(vcpu);
		return;
	}
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
	__atomic_store_n(&to_vmx(vcpu)->timer, (u32)PIN_BASED_VMX_PREEMPTION_TIMER,
			 __ATOMIC_RELAXED);
	vmx_set_pin_based(to_vmx(vcpu), 0, 0);
}
