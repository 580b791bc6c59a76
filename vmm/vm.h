/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine: its memory, its vCPUs, and what of its hardware is not passed through.
 */
#ifndef GH_VM_H
#define GH_VM_H

#include "drivers/acpi.h"
#include "ept/ept.h"
#include "ept/memtype.h"
#include "lib/memmap.h"
#include "vmm/vcpu.h"

#define VM_MAX_VCPUS 256
#define VM_MAX_SLOTS 256
#define VM_MAX_PIO   16

/* Guest memory that is host memory: gfn -> hva -> pfn. Slots do not overlap. */
struct memory_slot {
	gfn_t base_gfn;
	u64 npages;
	u64 userspace_addr; /* KVM's name for it: the linear address of the first page, in our
			       direct map */
};

struct pio_access;

/*
 * A port of the machine's that is watched. Whatever OUT or OUTS touches it, of any width and from
 * any port below: @written gets the @byte that it is about to write there, and all of it. When
 * @written returns, the access is carried out.
 */
struct pio_device {
	u16 port;
	void (*written)(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 byte);
};

/* LEAVE_BUSY, LEAVE_UNSUPPORTED: why it did not come to it. */
enum leave_state { LEAVE_NONE, LEAVE_GATHER, LEAVE_GO, LEAVE_BUSY, LEAVE_UNSUPPORTED };

struct vm {
	struct ept ept;
	struct mtrr_state mtrr;
	struct memory_slot slots[VM_MAX_SLOTS];
	unsigned nr_slots;
	struct vcpu *vcpus[VM_MAX_VCPUS];
	unsigned nr_vcpus;
	struct pio_device pio[VM_MAX_PIO];
	unsigned nr_pio;

	/* Ours: the guest finds all ones there. */
	struct mem_range hidden[3];
	unsigned nr_hidden;

	const struct acpi_info *acpi;
	struct memmap memmap; /* what the guest is told of memory */

	/* The ICR trap; see vmm/vm0/icr.h. */
	bool icr_trapped;
	bool icr_keep; /* icr=trap */
	u32 nr_started;
	u64 lapic_gpa; /* where the trapped page is */

	/* Leaving; see vmm/vm0/leave.h. */
	u32 leave; /* enum leave_state */
	u32 nr_gathered;
	struct vcpu *leave_caller;

	void *arch; /* the vendor's: bitmaps and the like */
};

/* Make an empty VM. Returns NULL when out of memory. */
struct vm *create_vm(void);

/*
 * Give the VM @npages of memory at @base_gfn, backed by what lies at the linear address @hva of
 * ours. That is for our own accesses; the EPT is mapped by mmu_map_machine(). Returns 0, -EEXIST
 * when it overlaps a slot, -ENOSPC.
 */
int set_memory_region(struct vm *vm, gfn_t base_gfn, u64 npages, u64 hva);

/* Make vCPU number vm->nr_vcpus, to run on @cpu. Returns NULL when out of memory. */
struct vcpu *create_vcpu(struct vm *vm, struct cpu *cpu);

/* Watch a port: accesses to it exit from now on. Returns 0 or -ENOSPC. */
int register_pio(struct vm *vm, const struct pio_device *device);

/* Where guest frame @gfn is in our address space; 0 when it is in no slot. */
u64 gfn_to_hva(struct vm *vm, gfn_t gfn);

/* Is [@gpa, @gpa+@size) or a part of it ours? */
bool vm_is_hidden(const struct vm *vm, gpa_t gpa, u64 size);

#endif
