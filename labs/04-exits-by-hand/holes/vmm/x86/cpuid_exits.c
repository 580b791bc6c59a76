/* SPDX-License-Identifier: MIT */
/*
 * Lab 4, hole 8: a leaf of CPUID that no CPU has. Your file takes the place of
 * vmm/x86/cpuid_exits.c.
 */
#include "lib/log.h"
#include "vmm/vm.h"
#include "vmm/x86/cpuid.h"

/*
 * Hole 8. The guest executes CPUID with EAX 40000002h, and an exit reason in ECX: @reason (the
 * SDM's "Basic Exit Reasons", so 10 is CPUID). Answer in @regs (enum cpuid_reg) how many exits
 * there were for it: the sum over all vCPUs of @vm, vm->vcpus[0] to [vm->nr_vcpus - 1], of
 * recorder.count[reason], in 64 bits: EAX the lower half, EBX the upper one. ECX is the number of
 * vCPUs, EDX 0. The guest may ask for any @reason: from RECORDER_REASONS on, the sum is 0.
 */
void cpuid_exits(const struct vm *vm, u32 reason, u32 regs[4])
{
	(void)vm, (void)reason, (void)regs;
	pr_warn_ratelimited("Lab 4: cpuid_exits() is yours to write.");
}
