/* SPDX-License-Identifier: MIT */
/*
 * Creation of VMs. See vm.h.
 */
#include "vmm/vm.h"
#include "arch/x86/cpu.h"
#include "lib/pages.h"
#include "vmm/steps.h"
#include "vmm/virt_ops.h"

struct vm *create_vm(const struct vm_ops *ops, size_t size)
{
	struct vm *vm;

	STEP_ONCE(create_vm);
	vm = pages_alloc(ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE);
	if (!vm)
		return NULL;
	vm->ops = ops;
	vm->phys_bits = cpu_phys_bits();
	vm->page_1g = cpuid(0x80000001, 0).edx & BIT(26);
	return virt->vm_init(vm) ? NULL : vm;
}
