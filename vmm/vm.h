/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine: its kind, its memory, its vCPUs.
 */
#ifndef GH_VM_H
#define GH_VM_H

#include "ept/ept.h"
#include "lib/memmap.h"
#include "vmm/memslot.h"
#include "vmm/vcpu.h"
#include "vmm/vm_ops.h"

#define VM_MAX_VCPUS 256

struct cpuid_policy; /* vmm/x86/cpuid.h */

struct vm {
	const struct vm_ops *ops;
	struct ept ept;
	struct memory_slots slots;
	struct memmap memmap; /* what the guest is told about memory */
	u8 phys_bits;         /* width of the guest's physical addresses */
	struct vcpu *vcpus[VM_MAX_VCPUS];
	unsigned nr_vcpus;
	struct cpuid_policy *cpuid; /* what CPUID hides from the guest */
	void *arch;                 /* the vendor's: bitmaps and the like */
};

/*
 * Make a VM of the kind @ops, without memory and vCPUs. @size: bytes of the caller's structure,
 * whose first member is the struct vm; all of it is zeroed. Returns NULL when out of memory.
 */
struct vm *create_vm(const struct vm_ops *ops, size_t size);

/* Make vCPU number vm->nr_vcpus, to run on @cpu. Returns NULL when out of memory or of
 * VM_MAX_VCPUS. */
struct vcpu *create_vcpu(struct vm *vm, struct cpu *cpu);

#endif
