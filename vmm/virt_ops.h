/* SPDX-License-Identifier: MIT */
/*
 * What a vendor's virtualisation offers (KVM: kvm_x86_ops). Everything above this table is free of
 * VMCS words. SDM, for VT-x behind it: "Virtual Machine Control Structures".
 */
#ifndef GH_VIRT_OPS_H
#define GH_VIRT_OPS_H

#include "bits.h"

/* Registers that live with the CPU while a guest is loaded, not in struct vcpu. */
enum sysreg {
	SYSREG_RIP,
	SYSREG_RSP,
	SYSREG_RFLAGS,
	SYSREG_CR0,
	SYSREG_CR3,
	SYSREG_CR4,
	SYSREG_EFER,
	SYSREG_DR7,
	SYSREG_DEBUG_TRAPS, /* DR6's B0 to B3 that a #DB is pending for; set: these, too */
};

/* Those of general segments in the order of their numbers in instructions. */
enum segment_reg {
	SEG_ES,
	SEG_CS,
	SEG_SS,
	SEG_DS,
	SEG_FS,
	SEG_GS,
	SEG_LDTR,
	SEG_TR,
	SEG_GDTR,
	SEG_IDTR
};

/* SDM: "Segment Descriptors". */
#define SEG_AR_RW     BIT(1) /* data: writable; code: readable */
#define SEG_AR_DOWN   BIT(2) /* data: expand-down */
#define SEG_AR_CODE   BIT(3)
#define SEG_AR_DPL(x) ((x) >> 5 & 3)
#define SEG_AR_L      BIT(13)
#define SEG_AR_DB     BIT(14)

/* GDTR and IDTR have base and limit only. */
struct segment {
	u64 base;  /* linear address */
	u32 limit; /* the last byte's offset, in bytes whatever the granularity */
	u16 selector;
	u16 ar;        /* access rights: bits 8 to 23 of a descriptor */
	bool unusable; /* a null selector was loaded */
};

struct cpu;
struct vcpu;
struct vm;

struct virt_ops {
	/* The boot CPU: find out what there is, report it, compute what all CPUs will use. 0, or
	 * -ENODEV, said in words. */
	int (*hardware_setup)(void);
	/* Another CPU: can it do the same? 0, or -ENODEV, said in words. */
	int (*check_processor_compat)(unsigned cpu);
	/* This CPU: virtualisation on, off. On: 0, -ENOMEM, or, said in words, -EINVAL or -EIO when
	 * the CPU refuses. Off: also where it is off; the vCPU's state is lost. */
	int (*hardware_enable)(void);
	void (*hardware_disable)(void);

	/* Can a guest run in real mode, and in protected mode without paging? (KVM:
	 * enable_unrestricted_guest) */
	bool (*has_unrestricted_guest)(void);
	/* Can a CPU wait for a startup IPI by itself, in its guest's stead? And do so, from the
	 * next entry on. */
	bool (*can_wait_for_sipi)(void);
	void (*wait_for_sipi)(struct vcpu *vcpu);

	/* Get what a new @vm needs: an empty EPT, vm->arch, and vm->cpuid, in which what no guest
	 * on this CPU can have is hidden. 0 or -ENOMEM. */
	int (*vm_init)(struct vm *vm);
	/* A vCPU of @vm that runs on @cpu, for create_vcpu(), which knows its number. Any CPU may
	 * call this. NULL: out of memory. */
	struct vcpu *(*vcpu_create)(struct vm *vm, struct cpu *cpu);
	/* Make @vcpu, which runs on this CPU, its current one, with all that stays from exit to
	 * exit set; after hardware_enable. 0; -EINVAL or -EIO, said in words. */
	int (*vcpu_load)(struct vcpu *vcpu);
	/* Registers as after power-up, or after INIT (SDM: "Processor State After Reset"). Loaded
	 * vCPU only, as all below. */
	void (*vcpu_reset)(struct vcpu *vcpu, bool init);

	/*
	 * Enter the guest; back at its exit. The hot path, so it is assembly with its own
	 * convention: the vCPU in RDI, there and back; no other register but RSP is kept. Called by
	 * run_guest() in vcpu.c only.
	 */
	void (*run)(void);
	/* What to do about the exit: 1 go on, 0 leave the loop, negative: cannot go on. */
	int (*handle_exit)(struct vcpu *vcpu);

	/* Arm vcpu->event for the next entry. */
	void (*inject_event)(struct vcpu *vcpu);
	/* Can the guest take an NMI right now? */
	bool (*nmi_allowed)(struct vcpu *vcpu);
	/* Exit as soon as the guest can take an NMI. */
	void (*enable_nmi_window)(struct vcpu *vcpu);
	/* The next entry exits before it runs any of the guest. From an NMI handler, too: the
	 * interrupted code may be anywhere. */
	void (*request_immediate_exit)(struct vcpu *vcpu);

	/* Registers as the guest sees them; a set value must be one that the CPU can have. Of GDTR
	 * and IDTR only base and limit count. */
	u64 (*get_sysreg)(struct vcpu *vcpu, enum sysreg reg);
	void (*set_sysreg)(struct vcpu *vcpu, enum sysreg reg, u64 value);
	void (*get_segment)(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg);
	void (*set_segment)(struct vcpu *vcpu, enum segment_reg reg, const struct segment *seg);

	/*
	 * Can the guest's whole state be taken as registers now? 1; 0: not at this instruction (it
	 * is in an interrupt shadow, say); -EOPNOTSUPP: it uses state that this table cannot read.
	 */
	int (*registers_complete)(struct vcpu *vcpu);
	/* The CPU's MSRs become what the guest has in them, for good. */
	void (*load_guest_msrs)(struct vcpu *vcpu);

	/* The instruction that exited is done: go on behind it, as the CPU would. */
	void (*skip_emulated_instruction)(struct vcpu *vcpu);
	/* After an instruction of unknown length: @rip is the next one's. */
	void (*skip_to)(struct vcpu *vcpu, u64 rip);

	/* Accesses to an MSR (0 to 1fffh, c0000000h to c0001fffh) exit or do not: on each CPU from
	 * its next exit on. */
	void (*set_msr_intercept)(struct vm *vm, u32 msr, bool read, bool write);
	/* That next exit (REQ_INTERCEPTS): the vCPU takes over what has been set. */
	void (*load_intercepts)(struct vcpu *vcpu);
	/* Accesses to @length ports from @port on exit or do not. Before any vCPU runs. */
	void (*set_io_intercept)(struct vm *vm, u16 port, unsigned length, bool on);
	/* Page faults of the guest exit or do not. */
	void (*set_pf_intercept)(struct vcpu *vcpu, bool on);

	/* This CPU forgets what it cached of the VM's EPT. */
	void (*flush_tlb)(struct vcpu *vcpu);

	/* For a panic: everything that is known of the guest, at error level. */
	void (*dump)(struct vcpu *vcpu);
	/* The vendor's name for an exit reason, as the flight recorder keeps it. Never NULL. */
	const char *(*exit_name)(u32 reason);
};

/* The table in use: a copy of a vendor's, which the boot makes before hardware_setup. A copy, so
 * that a call loads no pointer to it first. */
extern struct virt_ops virt_ops;
static const struct virt_ops *const virt = &virt_ops;

#endif
