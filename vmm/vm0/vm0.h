/* SPDX-License-Identifier: MIT */
/*
 * VM 0: the VM that owns the machine. Its guest-physical memory is the machine's memory at the same
 * addresses, except Glasshouse's own memory. Its I/O ports, MSRs, interrupts and devices are the
 * machine's.
 */
#ifndef GH_VMM_VM0_VM0_H
#define GH_VMM_VM0_VM0_H

#include "drivers/acpi.h"
#include "ept/memtype.h"
#include "lib/spinlock.h"
#include "log_ring.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"
#include "vmm/vm0/cmos_memory.h"
#include "vmm/vm0/pic.h"

/* VM 0's own requests; see REQ_VM. */
enum vm0_request {
	REQ_LEAVE = REQ_VM << 0, /* take part in leaving, see leave.h */
};

#define VM0_MAX_HIDDEN    5
#define VM0_SCRATCH_PAGES 8
#define VM0_MAX_WATCHED   32

/* The state of an attempt to leave. LEAVE_BUSY, LEAVE_UNSUPPORTED: it failed, for this reason. */
enum leave_state { LEAVE_NONE, LEAVE_GATHER, LEAVE_GO, LEAVE_BUSY, LEAVE_UNSUPPORTED };

/* The data of a vCPU of VM 0, beside its struct vcpu. */
struct vm0_vcpu {
	bool started;             /* it runs guest code; see icr_vcpu_started() */
	u32 lapic_ldr, lapic_dfr; /* the values that the guest wrote while the ICR is trapped */

	/* See leave.c. */
	bool leaving;     /* the next NMI in root mode is that of send_self_nmi() */
	u32 leave_icr_hi; /* the guest's ICR, high half, which sending that NMI overwrites */
	u64 leave_page;   /* the result of native_share() */
};

/*
 * A watched port. @written is called for each byte that OUT or OUTS writes to it, whatever the
 * width of the access and the port at which it begins: @value is the whole value, *@byte the
 * byte for this port. Returns true to write *@byte, which it may change, to the machine; false to
 * write nothing. @read, if not NULL, reads the machine's @port if it must, and returns what the
 * guest reads. @later: accesses exit from watch_later() on. @rare: on vCPUs
 * with virt->use_rare_intercepts.
 */
struct port_watch {
	u16 port;
	bool later, rare;
	bool (*written)(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte);
	u8 (*read)(struct vcpu *vcpu, u16 port);
};

/* See cmos.h. */
struct cmos {
	spinlock_t lock;
	u8 index;                     /* what the guest has written to the index port */
	u8 machine[CMOS_REGISTERS];   /* see cmos_memory.h */
	bool written[CMOS_REGISTERS]; /* by the guest, while the data ports exit */
	u8 shutdown;                  /* the guest's shutdown byte; the machine's is 0 */
	bool watched;                 /* the guest is not UEFI firmware: all of this is in use */
};

/* See ferr.h. */
struct ferr {
	spinlock_t lock;
	struct pic master, slave;
	u8 base;          /* the slave's first vector */
	bool awaits_base; /* the guest initialises it */

	bool raised;  /* IRQ 13 */
	bool pending; /* and the guest has not got the interrupt yet */
	bool told;    /* the log says why it waits */
};

struct vm0 {
	struct vm vm; /* first, see create_vm() */
	struct vm0_vcpu vcpu[VM_MAX_VCPUS];

	const struct acpi_info *acpi;
	struct mtrr_state mtrr;
	/* From here on, above all RAM, memory has one type by the MTRRs: no look-up is needed. */
	u64 plain_from;
	unsigned plain_type;
	u64 microcode_room; /* bytes; see microcode.h */
	void *microcode_copy;
	u32 nr_loaded; /* vCPUs that are loaded, without the boot CPU's */
	u32 nr_failed; /* vCPUs that could not be loaded */

	/* Glasshouse's own memory: for the guest it reads as all ones, and writes are dropped. */
	struct mem_range hidden[VM0_MAX_HIDDEN];
	unsigned nr_hidden;
	u16 own_ports, nr_own_ports;      /* see hide_ports() */
	struct mem_range logs[LOG_RINGS]; /* parts of it that the guest may read */
	struct trace_ring *rings;         /* the exits of its vCPUs, one of these parts */
	u32 trace_records;                /* in each of them */
	u64 keyid_mask;                   /* KeyID bits, ignored in comparisons; see wall.h */
	/* See hidden.c. */
	void *ones;                           /* a page of all ones */
	u8 *scratch;                          /* VM0_SCRATCH_PAGES writable pages */
	gpa_t scratch_gpa[VM0_SCRATCH_PAGES]; /* where these are mapped; 0: not mapped */
	unsigned next_scratch;                /* the scratch page to map next */

	/* See ports.h. */
	struct port_watch watched[VM0_MAX_WATCHED];
	unsigned nr_watched;
	bool kbc_awaits_port; /* see kbc.c */
	struct cmos cmos;
	struct ferr ferr;

	/* The ICR trap; see icr.h. */
	spinlock_t icr_lock; /* of the three that follow, and of emulating INIT and SIPI */
	bool icr_trapped;
	u32 nr_started;   /* vCPUs with vm0_vcpu.started */
	bool icr_keep;    /* never lift the trap */
	bool in_firmware; /* the guest is the machine's firmware, which may start CPUs for itself */
	u64 lapic_gpa;    /* the trapped page */

	/* Leaving; see leave.h. */
	u32 leave;                 /* enum leave_state */
	u32 nr_gathered;           /* vCPUs that wait for the decision */
	struct vcpu *leave_caller; /* the vCPU that asked */

	/* Calls to the BIOS; see bios.h. */
	bool bios;                      /* there may be one */
	u32 bios_thunk;                 /* guest-physical address */
	struct mem_range bios_resident; /* the segment that holds it: not the guest's */
	bool bios_calling;
};

/* The struct vm0 of @vm, which must be VM 0. */
extern const struct vm_ops vm0_ops; /* create.c */

/* For code that gets any VM. */
static inline bool is_vm0(const struct vm *vm)
{
	return vm->ops == &vm0_ops;
}

static inline struct vm0 *to_vm0(struct vm *vm)
{
	return (struct vm0 *)vm;
}

/* The VM 0 data of @vcpu, which must be a vCPU of VM 0. */
static inline struct vm0_vcpu *to_vm0_vcpu(const struct vcpu *vcpu)
{
	return &to_vm0(vcpu->vm)->vcpu[vcpu->id];
}

#endif
