/* SPDX-License-Identifier: MIT */
/*
 * The leaf of CPUID that counts exits. See cpuid.h.
 */
#include "vmm/vm.h"
#include "vmm/x86/cpuid.h"

void cpuid_exits(const struct vm *vm, u32 reason, u32 regs[4])
{
	u64 exits = 0;

	for (unsigned i = 0; i < vm->nr_vcpus && reason < RECORDER_REASONS; i++)
		exits += READ_ONCE(vm->vcpus[i]->recorder.count[reason]);
	regs[CPUID_EAX] = (u32)exits;
	regs[CPUID_EBX] = (u32)(exits >> 32);
	regs[CPUID_ECX] = vm->nr_vcpus;
	regs[CPUID_EDX] = 0;
}
