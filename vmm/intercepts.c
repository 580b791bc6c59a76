/* SPDX-License-Identifier: MIT */
/*
 * Intercepts that change while vCPUs run. See intercepts.h.
 */
#include "vmm/intercepts.h"
#include "arch/x86/cpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

/* Not a time: in system-management mode all CPUs stand still, but the time-stamp counter does not.
 * A PAUSE takes from 10 to 140 cycles. */
#define MAX_POLLS 100000

/* Can @vcpu execute guest code before it loads the changes? Read the request before the state:
 * handle_requests() changes the state to runnable, then loads them. */
static bool has_old_intercepts(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & REQ_INTERCEPTS &&
	       __atomic_load_n(&vcpu->mp_state, __ATOMIC_ACQUIRE) == MP_STATE_RUNNABLE;
}

void enforce_intercepts(struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	unsigned polls = 0;

	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		if (has_old_intercepts(vm->vcpus[i]))
			vcpu_kick(vm->vcpus[i]);
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		while (has_old_intercepts(vm->vcpus[i]) && polls++ < MAX_POLLS) {
			virt->load_intercepts(vcpu); /* another CPU may wait for this one */
			cpu_relax();
		}
}
