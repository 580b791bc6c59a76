/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine: its operations, its memory, its vCPUs.
 */
#ifndef GH_VMM_VM_H
#define GH_VMM_VM_H

#include "ept/ept.h"
#include "lib/memmap.h"
#include "vmm/vm_ops.h"

#define VM_MAX_VCPUS 1024
#define VM_MAX_SLOTS 256

struct vcpu;
struct cpuid_policy; /* vmm/x86/cpuid.h */

/* Guest memory that is host memory; see memslot.h. */
struct memory_slot {
	gfn_t base_gfn;
	u64 npages;
	u64 userspace_addr; /* host linear address of the first page, in the direct map; the name
			       is KVM's */
};

/* A VM's slots, which do not overlap. */
struct memory_slots {
	struct memory_slot slot[VM_MAX_SLOTS];
	unsigned nr;
	unsigned last; /* the one that was found last: where the next search begins */
};

/* What exits on demand: see icept.h. */
#define ICEPT_MSRS  16
#define ICEPT_PORTS 16

struct icepts {
	u32 on;         /* bits of enum icept */
	u32 exceptions; /* bit n: vector n */
	u32 pf_mask, pf_match;
	struct icept_msr {
		u32 msr;
		bool read, write, answers; /* all false: none */
		u64 value;                 /* what RDMSR answers */
	} msrs[ICEPT_MSRS];
	bool any_msr; /* some of them is in use, or was */
	u16 ports[ICEPT_PORTS];
	unsigned nr_ports;
};

struct vm {
	const struct vm_ops *ops;
	struct ept ept;
	struct view *view; /* watched and patched pages: see view.c */
	const struct view_ops *view_ops;
	struct shadow *shadow; /* shadow page tables, where the CPU does not use ept: shadow/ */
	const struct shadow_ops *shadow_ops; /* NULL: the CPU uses ept */
	struct memory_slots slots;
	struct memmap memmap; /* the memory map that the guest gets */
	u8 phys_bits;         /* width of the guest's physical addresses, in bits */
	bool page_1g;         /* the guest's own page tables may have 1-GiB pages */
	struct vcpu *vcpus[VM_MAX_VCPUS];
	unsigned nr_vcpus;
	struct cpuid_policy *cpuid; /* the features that CPUID hides from the guest */
	struct icepts icepts;
	void *arch; /* the vendor's data, such as intercept bitmaps */
};

/*
 * Create a VM with the operations @ops, without memory and vCPUs. @size: the size in bytes of the
 * caller's structure, whose first member is the struct vm; it is zeroed. Returns NULL if out of
 * memory.
 */
struct vm *create_vm(const struct vm_ops *ops, size_t size);

#endif
