/* SPDX-License-Identifier: MIT */
/*
 * Creating VMs and vCPUs.
 */
#include "vmm/vm.h"
#include "arch/x86/cpu.h"
#include "lib/pages.h"
#include "vmm/virt_ops.h"

struct vm *create_vm(const struct vm_ops *ops, size_t size)
{
	struct vm *vm = pages_alloc(ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE);

	if (!vm)
		return NULL;
	vm->ops = ops;
	vm->phys_bits = cpu_phys_bits();
	return virt->vm_init(vm) ? NULL : vm;
}

struct vcpu *create_vcpu(struct vm *vm, struct cpu *cpu)
{
	struct vcpu *vcpu = vm->nr_vcpus < VM_MAX_VCPUS ? virt->vcpu_create(vm, cpu) : NULL;

	if (!vcpu)
		return NULL;
	vcpu->id = vm->nr_vcpus;
	vcpu_set_mp_state(vcpu, MP_STATE_INIT_RECEIVED);
	vm->vcpus[vm->nr_vcpus++] = vcpu;
	return vcpu;
}
