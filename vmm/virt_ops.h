/* SPDX-License-Identifier: MIT */
/*
 * The operations of a vendor's virtualisation (KVM: kvm_x86_ops). The callers do not depend on the
 * vendor. The implementation for VT-x is vmm/vmx/.
 */
#ifndef GH_VMM_VIRT_OPS_H
#define GH_VMM_VIRT_OPS_H

#include "bits.h"

/* Guest registers that the control structure holds while the vCPU is loaded, not struct vcpu. */
enum sysreg {
	SYSREG_RIP,
	SYSREG_RSP,
	SYSREG_RFLAGS,
	SYSREG_CR0,
	SYSREG_CR3,
	SYSREG_CR4,
	SYSREG_EFER,
	SYSREG_DR7,
	SYSREG_DEBUGCTL,
	SYSREG_DEBUG_TRAPS, /* bits 0 to 3: B0 to B3 of a pending #DB; setting only adds bits */
	SYSREG_PKRS,        /* 0 where the CPU has none; read-only */
	/* CET's: IA32_S_CET, SSP and IA32_INTERRUPT_SSP_TABLE_ADDR, which can only be set, and only
	 * where VM entries load them: elsewhere the CPU's own stay. */
	SYSREG_S_CET,
	SYSREG_SSP,
	SYSREG_SSP_TABLE,
};

/* Interceptions on demand: see icept.h. */
enum icept {
	ICEPT_CR0, /* writes that change it */
	ICEPT_CR4,
	ICEPT_CR3_LOAD,
	ICEPT_CR3_STORE,
	ICEPT_CR8_LOAD,
	ICEPT_CR8_STORE,
	ICEPT_DR,         /* accesses to debug registers */
	ICEPT_DESCRIPTOR, /* LGDT, SGDT, LIDT, SIDT, LLDT, SLDT, LTR, STR */
	ICEPT_HLT,
	ICEPT_MONITOR,
	ICEPT_MWAIT,
	ICEPT_PAUSE,
	ICEPT_PAUSE_LOOP, /* many PAUSEs in a row, at CPL 0 */
	ICEPT_RDTSC,      /* RDTSC and RDTSCP */
	ICEPT_RDPMC,
	ICEPT_INVLPG,
	ICEPT_WBINVD,
	ICEPT_INTERRUPT, /* external interrupts */
	NR_ICEPTS
};

/* SEG_ES to SEG_GS are numbered as in instruction encodings. */
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

/* Of GDTR and IDTR, only base and limit are used. */
struct segment {
	u64 base;  /* linear address */
	u32 limit; /* the offset of the last byte, in bytes also if G is 1 */
	u16 selector;
	u16 ar;        /* access rights: bits 8 to 23 of a descriptor's high half */
	bool unusable; /* a null selector was loaded */
};

/* What an exit was about. */
enum subject_kind {
	SUBJECT_NONE,
	SUBJECT_PORT,
	SUBJECT_LINEAR,         /* a page fault by the guest's page tables: its address */
	SUBJECT_GUEST_PHYSICAL, /* one by the second-level tables */
};
struct exit_subject {
	enum subject_kind kind;
	u64 value;
};

struct cpu;
struct exit_record;
struct vcpu;
struct vm;

/* A field of the control structure: the name of its group, its own, its value, and this in words,
 * "" if it is a number. */
typedef void emit_field(const char *group, const char *name, u64 value, const char *words,
			bool changed);
/* A control: the name of its group, its own, how Glasshouse uses it, and whether the CPU has it. */
typedef void emit_capability(const char *group, const char *name, const char *use, bool has);

/* An exit has been handled: see watch_exit. */
typedef void exit_hook(struct vcpu *vcpu);

struct virt_ops {
	/* On the boot CPU: read its capabilities, print them, and compute the configuration for all
	 * CPUs; @second_level: with the CPU's second-level tables, else with shadow page tables.
	 * Returns 0, or -ENODEV if it cannot run a guest, which is logged. */
	int (*hardware_setup)(bool second_level);
	/* On another CPU, number @cpu: check that it can run the boot CPU's configuration. Returns
	 * 0, or -ENODEV, which is logged. */
	int (*check_processor_compat)(unsigned cpu);
	/* Switch virtualisation on, on this CPU. Returns 0, -ENOMEM, or -EINVAL or -EIO if the CPU
	 * refuses, which is logged. */
	int (*hardware_enable)(void);
	/* Switch virtualisation off, on this CPU, if it is on. The state of its vCPU is lost. */
	void (*hardware_disable)(void);

	/* Does the CPU translate by the second-level tables? If not, vm->shadow_ops must be set
	 * before a vCPU of the VM runs. */
	bool (*uses_second_level)(void);
	/* Can a guest be in the wait-for-SIPI state, so that a SIPI causes an exit? */
	bool (*can_wait_for_sipi)(void);
	/* Put the guest into that state, from the next VM entry on. */
	void (*wait_for_sipi)(struct vcpu *vcpu);

	/* Initialise @vm: empty second-level tables, vm->arch, and vm->cpuid, which hides the
	 * features that no guest on this CPU can have. Returns 0 or -ENOMEM. */
	int (*vm_init)(struct vm *vm);
	/* For create_vcpu(): allocate a vCPU of @vm that will run on @cpu. From any CPU. Returns
	 * NULL if out of memory. */
	struct vcpu *(*vcpu_create)(struct vm *vm, struct cpu *cpu);
	/* Make @vcpu the current vCPU of this CPU, which is vcpu->cpu, and initialise the state
	 * that exits do not change. After hardware_enable. Returns 0, or -EINVAL or -EIO, which is
	 * logged. */
	int (*vcpu_load)(struct vcpu *vcpu);

	/* All operations on a vCPU below need it to be loaded, and run on its own CPU. */

	/* Set the registers to their values after power-up, or with @init after INIT. SDM:
	 * "Processor State After Reset". */
	void (*vcpu_reset)(struct vcpu *vcpu, bool init);

	/*
	 * Enter the guest, and return after its exit. On the hot path: assembly with its own
	 * calling convention, which only run_guest() in vcpu.c uses. RDI holds the vCPU, before and
	 * after the call; all other registers except RSP are clobbered.
	 */
	void (*run)(void);
	/* Handle the exit. Returns 1 to enter the guest again, 0 to leave the run loop, or a
	 * negative error if the guest cannot continue. */
	int (*handle_exit)(struct vcpu *vcpu);

	/* Inject vcpu->event at the next VM entry. */
	void (*inject_event)(struct vcpu *vcpu);
	/* Can the guest take an NMI now? */
	bool (*nmi_allowed)(struct vcpu *vcpu);
	/* Can the guest have these RFLAGS now? Not if it must have IF or TF as they are: in the
	 * shadow of STI or MOV SS, in HLT, or before an interrupt that is being delivered. */
	bool (*rflags_allowed)(struct vcpu *vcpu, u64 rflags);
	/* Exit as soon as the guest can take an NMI. */
	void (*enable_nmi_window)(struct vcpu *vcpu);
	/* Make the next VM entry exit before the guest executes an instruction. May be called from
	 * an NMI handler, which can interrupt any code, and for a vCPU that is not loaded. */
	void (*request_immediate_exit)(struct vcpu *vcpu);

	/*
	 * Make @vcpu exit each @ticks of the time-stamp counter while its guest runs, also while it
	 * is halted, and call @beat at each of these exits, also at one in vcpu_run_once() that
	 * @beat itself has called; 0: no more. For one vCPU at a time, on its CPU. Returns 0; or
	 * -EOPNOTSUPP if the CPU has no timer for it.
	 */
	int (*start_heartbeat)(struct vcpu *vcpu, u64 ticks, void beat(struct vcpu *vcpu));

	/* Read and write registers as the guest sees them. A value that is set must be valid for
	 * the CPU. */
	u64 (*get_sysreg)(struct vcpu *vcpu, enum sysreg reg);
	void (*set_sysreg)(struct vcpu *vcpu, enum sysreg reg, u64 value);
	void (*get_segment)(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg);
	void (*set_segment)(struct vcpu *vcpu, enum segment_reg reg, const struct segment *seg);

	/*
	 * Can the guest's whole state be taken as registers now? Returns 1; 0 if not at this
	 * instruction, for example in an interrupt shadow; -EOPNOTSUPP if the guest uses state that
	 * these operations cannot read.
	 */
	int (*registers_complete)(struct vcpu *vcpu);
	/* Load the guest's values into the CPU's own MSRs. For leaving the guest for good. */
	void (*load_guest_msrs)(struct vcpu *vcpu);

	/* The instruction that exited has been emulated: continue after it, as the CPU would. */
	void (*skip_emulated_instruction)(struct vcpu *vcpu);
	/* The same for an instruction of unknown length: continue at @rip. */
	void (*skip_to)(struct vcpu *vcpu, u64 rip);

	/* Choose whether reads and writes of @msr (0 to 1fffh, c0000000h to c0001fffh) exit: on
	 * each CPU from its next exit on. */
	void (*set_msr_intercept)(struct vm *vm, u32 msr, bool read, bool write);
	/* Let accesses to @port exit, in the same way. */
	void (*set_io_intercept)(struct vm *vm, u16 port);
	/* Handle REQ_INTERCEPTS, if it is posted: apply to @vcpu what these have chosen. On its
	 * CPU, in root mode. */
	void (*load_intercepts)(struct vcpu *vcpu);
	/* Have accesses to @port exit too, but only on vCPUs for which use_rare_intercepts was last
	 * called with @on. The first before any vCPU runs; at most 4 ports. The second on the
	 * vCPU's CPU, in root mode. */
	void (*add_rare_io_intercept)(struct vm *vm, u16 port);
	void (*use_rare_intercepts)(struct vcpu *vcpu, bool on);
	/* Can the CPU let @what (enum icept) exit? load_intercepts applies vm->icepts, too. */
	bool (*can_intercept)(enum icept what);
	/* Apply vcpu->exceptions and the filter of page faults: which exceptions exit. */
	void (*load_exceptions)(struct vcpu *vcpu);

	/*
	 * A step (step.h). begin_step, after inject_event, instead of the last things before run:
	 * make the entry exit at the guest's next instruction boundary. Returns false if that has
	 * been reached without an entry. Otherwise end_step is to be called after run, instead of
	 * handle_exit: it calls that, and returns what it returns; *@done: the boundary has been
	 * reached, else the step goes on with the next entry.
	 */
	bool (*begin_step)(struct vcpu *vcpu);
	int (*end_step)(struct vcpu *vcpu, bool *done);

	/* Apply vcpu->debug (debug_registers.h): the CPU's DR7, and whether MOV DR exits. */
	void (*load_debug)(struct vcpu *vcpu);
	/* Have interrupts that are pending, or come meanwhile, wait for one instruction of the
	 * guest, as after STI, where that is possible. Before a step. */
	void (*delay_interrupts)(struct vcpu *vcpu);

	/* Execute x87 instructions although an error is pending, until the guest has cleared it, as
	 * a CPU does while its input IGNNE# is asserted; for a guest whose CR0.NE is 0. */
	void (*ignore_fpu_error)(struct vcpu *vcpu);

	/* Invalidate this CPU's cached translations of the VM's second-level tables. With shadow
	 * page tables: drop all of these. */
	void (*flush_tlb)(struct vcpu *vcpu);
	/* Shadow page tables: translate by those that @cr3 names, from the next VM entry on. Of
	 * what this CPU has cached of any, nothing is used any more. */
	void (*use_shadow)(struct vcpu *vcpu, u64 cr3);
	/* Invalidate what this CPU has cached of them. */
	void (*flush_guest_tlb)(struct vcpu *vcpu);
	/* Translate by the second-level tables with the EPT pointer @pointer (ept_pointer(),
	 * ept_view_pointer()), from the next VM entry on. @flush: first invalidate what this CPU
	 * has cached of them. */
	void (*use_tables)(struct vcpu *vcpu, u64 pointer, bool flush);
	/* Use the sub-page permission table with @pointer (sppt_pointer()), from the next VM entry
	 * on. The CPU has ept_caps.subpage. */
	void (*use_subpages)(struct vcpu *vcpu, u64 pointer);

	/* For monitor/tracer.c: have exits of @vcpu set TF before their first instruction, and
	 * store DR6 in struct cpu; or no more. */
	void (*trace_exits)(struct vcpu *vcpu, bool on);
	/* What the exit that is being handled, of @record, was about. */
	struct exit_subject (*exit_subject)(const struct exit_record *record);

	/* For a panic, and for people: print the guest's state, at error level; all of it, or if
	 * @part is not NULL, the group or the registers of that name; "check": what of it a VM
	 * entry would refuse. @mark: mark what has changed since the last call with @mark, or of
	 * each_field. Returns false if there are none, or @vcpu is not loaded on this CPU. */
	bool (*dump)(struct vcpu *vcpu, const char *part, bool mark);
	/* Print again what hardware_setup printed about the CPU. */
	void (*print_capabilities)(void);
	/*
	 * The same two, for programs: call @emit with each field of the choice that @part makes
	 * (not "check"), and with each control that the vendor's manual names; the strings are
	 * valid until it returns. @changed: what dump would mark. each_field with an @emit of NULL
	 * only has dump mark what changes from now on.
	 */
	bool (*each_field)(struct vcpu *vcpu, const char *part, emit_field *emit);
	void (*each_capability)(emit_capability *emit);
	/*
	 * Once, after the next exit of any vCPU for the basic reason @reason has been handled: call
	 * @hook for that vCPU, on its CPU. Other exits cost nothing more. A second call takes the
	 * first back; a @hook of NULL only does that.
	 */
	void (*watch_exit)(u32 reason, exit_hook *hook);
	/* Returns the vendor's name of the exit reason @reason (exit_record.reason). Never NULL. */
	const char *(*exit_name)(u32 reason);
	/* What the exit of this exit_record was about: returns "port" or "MSR", and which one in
	 * *@number; or NULL, if neither. */
	const char *(*exit_about)(u32 reason, u64 qualification, u64 *number);
};

/* The operations in use: a copy of the vendor's table, which the boot makes before it calls
 * hardware_setup. It is a copy so that a call need not load a pointer to the table first. */
extern struct virt_ops virt_ops;
static const struct virt_ops *const virt = &virt_ops;

#endif
