/* SPDX-License-Identifier: MIT */
/*
 * VM 0: the VM that has the machine. Its guest-physical memory is the machine's memory, at the same
 * addresses, less what Glasshouse keeps; ports, MSRs, interrupts and devices are the machine's.
 */
#ifndef GH_VMM_VM0_VM0_H
#define GH_VMM_VM0_VM0_H

#include "drivers/acpi.h"
#include "ept/memtype.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* VM 0's own requests; see REQ_VM. */
enum vm0_request {
	REQ_LEAVE = REQ_VM << 0,         /* go on without Glasshouse */
	REQ_MACHINE_CHECK = REQ_VM << 1, /* one that hit root mode is to be delivered */
};

#define VM0_MAX_HIDDEN    3
#define VM0_SCRATCH_PAGES 8
#define VM0_MAX_WATCHED   16

/* LEAVE_BUSY, LEAVE_UNSUPPORTED: why the attempt failed. */
enum leave_state { LEAVE_NONE, LEAVE_GATHER, LEAVE_GO, LEAVE_BUSY, LEAVE_UNSUPPORTED };

/* What a vCPU of VM 0 has beside its struct vcpu. */
struct vm0_vcpu {
	bool started;             /* it has run guest code */
	u32 lapic_ldr, lapic_dfr; /* what the guest has written while the ICR is trapped */

	/* See leave.h. */
	bool leaving;     /* the next NMI in root mode is the one to leave by */
	u32 leave_icr_hi; /* the guest's, which that NMI overwrites */
	u64 leave_page;   /* see native_share() */
};

/*
 * A watched port. For each OUT or OUTS that touches it, of any width and from any port below,
 * @written is called before the access reaches the machine: @value is all that is written, @byte
 * what is written to @port.
 */
struct port_watch {
	u16 port;
	void (*written)(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 byte);
};

struct vm0 {
	struct vm vm; /* first, see create_vm() */
	struct vm0_vcpu vcpu[VM_MAX_VCPUS];

	const struct acpi_info *acpi;
	struct mtrr_state mtrr;
	bool intercept_pf; /* icept=pf */
	u32 nr_loaded;     /* vCPUs that are loaded on CPUs other than the boot CPU */
	u32 nr_failed;     /* CPUs that could not load theirs */

	/* Glasshouse's own memory: the guest reads all ones there, and its writes are dropped. */
	struct mem_range hidden[VM0_MAX_HIDDEN];
	unsigned nr_hidden;
	/* See hidden.c. */
	void *ones;
	u8 *scratch;
	gpa_t scratch_gpa[VM0_SCRATCH_PAGES];
	unsigned next_scratch;

	/* See ports.h. */
	struct port_watch watched[VM0_MAX_WATCHED];
	unsigned nr_watched;

	/* The ICR trap; see icr.h. */
	bool icr_trapped;
	bool icr_keep; /* icr=trap */
	u32 nr_started;
	u64 lapic_gpa; /* where the trapped page is */

	/* Leaving; see leave.h. */
	u32 leave; /* enum leave_state */
	u32 nr_gathered;
	struct vcpu *leave_caller;

	/* Calls to the BIOS; see bios.h. */
	u32 bios_thunk; /* guest-physical address */
	bool bios_calling;
};

static inline struct vm0 *to_vm0(struct vm *vm)
{
	return (struct vm0 *)vm;
}

static inline struct vm0_vcpu *to_vm0_vcpu(const struct vcpu *vcpu)
{
	return &to_vm0(vcpu->vm)->vcpu[vcpu->id];
}

#endif
