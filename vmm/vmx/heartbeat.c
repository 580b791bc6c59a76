/* SPDX-License-Identifier: MIT */
/*
 * The VMX-preemption timer: an exit at once (vmx_request_immediate_exit() in event.c), and the
 * heartbeat, an exit at regular intervals. SDM: "VMX-Preemption Timer".
 *
 * Each VM entry starts the timer with the value in the VMCS. At other exits the CPU saves what is
 * left of it there, so the heartbeat costs those exits nothing. A CPU that cannot save it starts
 * again at each entry: there the heartbeat is late while the guest exits more often than it beats.
 * The timer counts while the guest is halted, but not in sleep states deeper than C2.
 */
#include "errno.h"
#include "vmm/steps.h"
#include "vmm/vmx/event.h"
#include "vmm/vmx/vmx.h"

static void (*heartbeat)(struct vcpu *vcpu);

int vmx_start_heartbeat(struct vcpu *vcpu, u64 ticks, void (*beat)(struct vcpu *vcpu))
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!vmcs_config.has_preemption_timer)
		return -EOPNOTSUPP;
	heartbeat = beat;
	vmx->heartbeat = ticks ? vmx_timer_value(&vmx_capability, ticks) : 0;
	if (!ticks) {
		vmx_set_exit_controls(vmx, 0, VM_EXIT_SAVE_VMX_PREEMPTION_TIMER);
		vmx_set_pin_based(vmx, 0, PIN_BASED_VMX_PREEMPTION_TIMER);
		return 0;
	}
	if (vmx_allowed1(&vmx_capability, VMX_EXIT) & VM_EXIT_SAVE_VMX_PREEMPTION_TIMER)
		vmx_set_exit_controls(vmx, VM_EXIT_SAVE_VMX_PREEMPTION_TIMER, 0);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, vmx->heartbeat);
	vmx_set_pin_based(vmx, PIN_BASED_VMX_PREEMPTION_TIMER, 0);
	return 0;
}

/*
 * Either vmx_request_immediate_exit() requested this exit, and the run loop handles the requests;
 * or it is the heartbeat. With a heartbeat both beat. An NMI that requests an exit meanwhile needs
 * none: the run loop checks the requests after this.
 */
int handle_preemption_timer(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	STEP(handle_preemption_timer);
	__atomic_store_n(&vmx->timer, 0, __ATOMIC_RELAXED);
	if (!vmx->heartbeat) {
		vmx_set_pin_based(vmx, 0, 0);
		return 1;
	}
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, vmx->heartbeat);
	recorder_beat(&vcpu->recorder);
	heartbeat(vcpu);
	return 1;
}
