/* SPDX-License-Identifier: MIT */
/*
 * Declarations shared by the files of the VT-x implementation.
 */
#ifndef GH_VMM_VMX_VMX_H
#define GH_VMM_VMX_VMX_H

#include "arch/x86/cpu.h"
#include "arch/x86/vmx_insn.h"
#include "vmm/vcpu.h"
#include "vmm/icept.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"
#include "vmm/vmx/capability.h"
#include "vmm/vmx/vmcs.h"

/* A step that has begun. See step.c. */
struct vmx_step {
	bool event;     /* the entry delivers an event */
	bool mtf, tf;   /* the monitor trap flag, the guest's RFLAGS.TF are set for it */
	bool btf;       /* IA32_DEBUGCTL.BTF was 1 */
	bool trapped;   /* the exit is the step's own #DB */
	bool completed; /* the instruction has been executed */
	u8 effects;     /* of the instruction: see step.c */
	u8 length;      /* of the instruction, in bytes; 0: unknown */
	u32 pin_based, exit_ctrl;
	u64 rip, rcx, rflags; /* of the guest, before the step */
	u64 shadow;           /* interruptibility that was taken away */
	u64 pending;          /* pending debug exceptions that were taken away */
};

/* The guest's state in real mode without "unrestricted guest": see real_mode.c. */
struct vmx_real_mode {
	bool active;
	bool halted;                    /* waits for an event */
	bool ring0;                     /* in protected mode, not in virtual-8086 mode */
	struct segment seg[SEG_GS + 1]; /* unless the CPU has another selector than loaded[] */
	u16 loaded[SEG_GS + 1];
	struct segment tr, gdtr, idtr;
	u64 iopl; /* as in RFLAGS; in virtual-8086 mode */
};

struct vcpu_vmx {
	struct vcpu vcpu; /* must be first: see to_vmx() */
	void *vmcs;
	u8 *bitmaps;   /* those in the VMCS; see vmx_load_intercepts() */
	bool rare;     /* the VM's rare ports exit */
	bool loaded;   /* vmcs is the current VMCS of its CPU */
	u32 cpu_based; /* the primary controls in the VMCS */
	u32 pin_based; /* the pin-based ones, to which timer is added... */
	u32 timer; /* ...PIN_BASED_VMX_PREEMPTION_TIMER while an exit at once is requested, else 0
		    */
	u32 exit_ctrl; /* the VM-exit controls */
	u32 exception_bitmap;
	bool shadow_faults; /* page faults exit for shadow page tables, and for nobody else */
	struct vmx_step step;
	u32 secondary; /* the secondary controls in the VMCS; 0 where there are none */
	u64 efer;      /* without EPT: the guest's IA32_EFER, which differs from the CPU's */
	struct vmx_real_mode real;
	/* See icept.c. */
	u32 icepts;      /* what exits now: bits of enum icept */
	bool icepts_off; /* for one instruction */
	bool awaits_if;  /* interrupts do not exit until the guest can take one */
	u64 held; /* a vector that has been acknowledged meanwhile, with INTR_INFO_VALID_MASK */
	/* See ignne.c. */
	bool ignne;      /* x87 instructions execute although an error is pending */
	bool fpu_step;   /* the guest executes one of them, as a step */
	bool fpu_masked; /* with all errors masked; fcw is the guest's control word */
	u16 fcw;
	u32 heartbeat; /* what the preemption timer counts down from; 0: it is not in use */
	u32 sti_seen;  /* calls of vmx_registers_complete() in a row in the shadow of an STI */
	u16 vpid;
	/* With shadow page tables, what the guest has set; see shadow.c. */
	u64 cr3;
	u64 cr4;   /* of the bits that are host-owned then; else 0 */
	u64 *seen; /* see dump.c */
};

/* Offsets in an intercept bitmap: MSRs; ports below 8000h, and the others. SDM: "MSR-Bitmap
 * Address", "I/O-Bitmap Addresses". */
#define BITMAP_MSR  0
#define BITMAP_IO_A PAGE_SIZE
#define BITMAP_IO_B (2 * PAGE_SIZE)
#define BITMAP_SIZE (3 * PAGE_SIZE)

/* The bit of @msr for reads in the bitmap of the MSRs: reads of low MSRs, of high ones, writes of
 * low ones, of high ones, 1 KiB each. */
static inline u32 msr_read_bit(u32 msr)
{
	return (msr & 0x1fff) + (msr >= 0xc0000000 ? 1024 * 8 : 0);
}
#define MSR_WRITE_BIT (2048u * 8)

struct vm_vmx {
	u8 *bitmaps; /* for the vCPUs to copy */
	u16 rare[4]; /* ports, see vmx_use_rare_intercepts() */
	unsigned nr_rare;
};

/* The exit reason of the current exit. */
static inline u32 exit_reason(const struct vcpu *vcpu)
{
	return (u32)vcpu->recorder.now->reason;
}

/* Read the exit qualification of the current exit, and record it. Only handlers that need it call
 * this, because many exits have none and VMREAD is slow. */
static inline u64 exit_qualification(struct vcpu *vcpu)
{
	u64 qualification = vmread(EXIT_QUALIFICATION);

	vcpu->recorder.now->qualification = qualification;
	return qualification;
}

/* The guest's RIP at the current exit. */
static inline u64 exit_rip(const struct vcpu *vcpu)
{
	return vcpu->recorder.now->rip;
}

extern struct vmx_capability vmx_capability; /* the boot CPU's */
extern struct vmcs_config vmcs_config;       /* the configuration that all CPUs use */

static inline struct vcpu_vmx *to_vmx(struct vcpu *vcpu)
{
	return (struct vcpu_vmx *)vcpu;
}

/* vmx_run.S: enter the guest; see virt->run. */
void vmx_vcpu_run(void);
extern const char vmx_return[];        /* HOST_RIP */
extern const char vmx_return_traced[]; /* the same after virt_ops.trace_exits */

/*
 * operation.c: cpu_vmxon(): set the bits of CR0 and CR4 that VMX operation fixes (vmx_capability),
 * and enter it; @vmxon_pointer: the physical address of the VMXON region, which begins with the
 * revision. vmcs_load(): VMCLEAR and VMPTRLD of the VMCS at the physical address @pa. Both return 0
 * or the error of the instruction that failed (vmx_insn.h). cpu_vmxoff(): VMCLEAR of the VMCS at
 * @pa, which makes the CPU write it to memory (0: there is none), VMXOFF, and CR4.VMXE is 0.
 * SDM: "Enabling and Entering VMX Operation", "Software Use of Virtual-Machine Control Structures".
 */
int cpu_vmxon(u64 vmxon_pointer);
int vmcs_load(u64 pa);
void cpu_vmxoff(u64 pa);

/* exits.c: handle the exit; see virt_ops.handle_exit. */
int vmx_handle_exit(struct vcpu *vcpu);
/* exits.c: skip the instruction that exited, or inject #GP(0) if @error is not 0. Returns 1: enter
 * the guest again. */
int vmx_skip_or_fault(struct vcpu *vcpu, int error);

/* hidden_features.c: take from @vm, which has no vCPUs yet, what hidden_features.def names. */
void vmx_hide_features(struct vm *vm);

/*
 * shadow.c: while shadow page tables are in use. vmx_handle_cr3(): the exit for an access to CR3.
 * MOV to CR3 and CR4: return false for #GP. RDMSR and WRMSR: return true if the MSR is IA32_EFER,
 * which has been handled. vmx_reload_shadow(): what translations depend on has changed.
 * vmx_use_shadow(): see virt_ops.use_shadow.
 */
int vmx_handle_cr3(struct vcpu *vcpu, u64 qual);
bool vmx_mov_to_cr3(struct vcpu *vcpu, u64 cr3);
bool vmx_mov_to_cr4(struct vcpu *vcpu, u64 cr4);
bool vmx_rdmsr_shadow(struct vcpu *vcpu);
bool vmx_wrmsr_shadow(struct vcpu *vcpu);
void vmx_reload_shadow(struct vcpu *vcpu);
void vmx_use_shadow(struct vcpu *vcpu, u64 cr3);
int handle_invlpg(struct vcpu *vcpu);
int handle_invpcid(struct vcpu *vcpu);

/* cr.c: the exit handler for accesses to control registers. */
int handle_cr(struct vcpu *vcpu);

/*
 * ignne.c: x87 errors while the guest's CR0.NE is 0. vmx_handle_fpu(): the exception @vector has
 * exited; returns true if it is #MF or #NM, and not the guest's. vmx_recheck_fpu_error(): when NE
 * has become 0: the guest may have cleared an ignored error meanwhile. vmx_end_fpu_step(): before
 * the registers are reset.
 */
bool vmx_handle_fpu(struct vcpu *vcpu, u8 vector);
void vmx_recheck_fpu_error(struct vcpu *vcpu);
void vmx_end_fpu_step(struct vcpu *vcpu);

/* intercepts.c: set or clear a bit of a bitmap that is in no VMCS in use, or of a vCPU in root
 * mode. */
void vmx_set_bit(u8 *bitmap, u32 bit, bool on);

/*
 * icept.c: interceptions on demand. vmx_load_icepts(): what exits, by vm->icepts; the bitmaps have
 * been renewed. vmx_handle_icept(): an exit that one of these may cause. Returns true when it has
 * been handled.
 */
bool vmx_can_intercept(enum icept what);
void vmx_load_icepts(struct vcpu *vcpu);
bool vmx_handle_icept(struct vcpu *vcpu);
/* The same for RDMSR or WRMSR of @msr. RDMSR reads into the register *@into; NULL: into EDX:EAX.
 */
bool vmx_handle_icept_msr(struct vcpu *vcpu, u32 msr, bool write, const enum vcpu_reg *into);
/* exits.c: have exits of RDMSR and WRMSR ask it, and without EPT be those of IA32_EFER. */
void vmx_watch_msrs(bool watch);
/* exits.c: see virt_ops.watch_exit. */
void vmx_watch_exit(u32 reason, exit_hook *hook);
/* The exit handler for interrupts; and what is to be done when the guest can take them. */
int handle_external_interrupt(struct vcpu *vcpu);
void vmx_interrupt_window(struct vcpu *vcpu);

/* step.c: see virt_ops.begin_step. */
bool vmx_begin_step(struct vcpu *vcpu);
int vmx_end_step(struct vcpu *vcpu, bool *done);

/*
 * tlb.c: invalidate what this CPU has cached: of all guests, if it has the all-context types; of
 * the VM's EPT; of the guest's own page tables.
 */
void vmx_flush_all(void);
void vmx_flush_tlb(struct vcpu *vcpu);
/* See virt_ops.use_tables. */
void vmx_use_tables(struct vcpu *vcpu, u64 pointer, bool flush);
void vmx_use_subpages(struct vcpu *vcpu, u64 pointer);
void vmx_flush_guest_tlb(struct vcpu *vcpu);

/*
 * cr.c: read and write the loaded guest's control registers, as the guest sees them. In the VMCS,
 * bits that VMX operation fixes are set in addition. vmx_set_cr3() also loads the PDPTEs, with PAE
 * paging, and flushes the TLB.
 */
u64 vmx_get_cr0(const struct vcpu *vcpu);
u64 vmx_get_cr4(struct vcpu *vcpu);
void vmx_set_cr0(struct vcpu *vcpu, u64 cr0);
void vmx_set_cr4(struct vcpu *vcpu, u64 cr4);
void vmx_set_cr3(struct vcpu *vcpu, u64 cr3);
/* Load the PDPTEs from the guest's memory at @cr3. Returns false, for #GP, if a reserved bit of a
 * present one is set. SDM: "Loading PDPTEs". */
bool vmx_load_pdptes(struct vcpu *vcpu, u64 cr3);
/*
 * efer.c: the guest's IA32_EFER, as the guest sees it. Without EPT the CPU runs with another value,
 * and RDMSR and WRMSR exit: vmx_write_efer() emulates WRMSR; returns -EINVAL for #GP.
 */
u64 vmx_get_efer(const struct vcpu *vcpu);
void vmx_set_efer(struct vcpu *vcpu, u64 efer);
int vmx_write_efer(struct vcpu *vcpu, u64 value);

/*
 * Emulate MOV of @value to CR0, CR3 or CR4 (@cr), as the guest's instruction would change it.
 * Returns 0; or -EINVAL for #GP(0).
 */
int vmx_write_cr(struct vcpu *vcpu, unsigned cr, u64 value);

/*
 * real_mode.c: real mode without "unrestricted guest". vmx_real_mode_init(): replace operations of
 * virt_ops. vmx_real_mode_update(): the guest's CR0.PE may have changed. vmx_real_mode_reset(): the
 * registers are about to be reset, after which vmx_real_mode_update() is called.
 */
void vmx_real_mode_init(void);
void vmx_real_mode_update(struct vcpu *vcpu);
void vmx_real_mode_reset(struct vcpu *vcpu);

/* dump.c: see virt_ops.dump. */
bool vmx_dump(struct vcpu *vcpu, const char *part, bool mark);
bool vmx_each_field(struct vcpu *vcpu, const char *part, emit_field *emit);

/* debug.c: the exit handler for MOV to and from debug registers. */
int handle_dr(struct vcpu *vcpu);

/* heartbeat.c: the exit handler for the preemption timer. */
int handle_preemption_timer(struct vcpu *vcpu);

/* The operations of struct virt_ops, by file; see virt_ops.h. heartbeat.c: */
int vmx_start_heartbeat(struct vcpu *vcpu, u64 ticks, void (*beat)(struct vcpu *vcpu));
/* setup.c: */
int vmx_hardware_setup(bool second_level);
void vmx_print_capabilities(void);
void vmx_each_capability(emit_capability *emit);
int vmx_check_processor_compat(unsigned cpu);
int vmx_hardware_enable(void);
void vmx_hardware_disable(void);
int vmx_vm_init(struct vm *vm);
struct vcpu *vmx_create_vcpu(struct vm *vm, struct cpu *cpu);
int vmx_vcpu_load(struct vcpu *vcpu);
/* state.c: */
void vmx_vcpu_reset(struct vcpu *vcpu, bool init);
u64 vmx_get_sysreg(struct vcpu *vcpu, enum sysreg reg);
void vmx_set_sysreg(struct vcpu *vcpu, enum sysreg reg, u64 value);
void vmx_get_segment(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg);
void vmx_set_segment(struct vcpu *vcpu, enum segment_reg reg, const struct segment *seg);
int vmx_registers_complete(struct vcpu *vcpu);
void vmx_load_guest_msrs(struct vcpu *vcpu);
/* debug.c: */
void vmx_load_debug(struct vcpu *vcpu);
void vmx_delay_interrupts(struct vcpu *vcpu);
/* intercepts.c: */
void vmx_set_msr_intercept(struct vm *vm, u32 msr, bool read, bool write);
void vmx_load_intercepts(struct vcpu *vcpu);
void vmx_set_io_intercept(struct vm *vm, u16 port);
void vmx_add_rare_io_intercept(struct vm *vm, u16 port);
void vmx_use_rare_intercepts(struct vcpu *vcpu, bool on);
/* ignne.c: */
void vmx_ignore_fpu_error(struct vcpu *vcpu);

/* Prints the rules of VM entry that the current VMCS breaks. Set by report_init() (report/). NULL:
 * only the CPU's error number is printed. */
extern void (*vmx_entry_failure_report)(void);

/*
 * entry_failure.c: print why a VM entry failed. vmx_entry_failed(): VMRESUME and VMLAUNCH have
 * failed, for controls or host state, which are Glasshouse's; panics. vmx_entry_refused(): the exit
 * reason reports the failure. A guest state that the CPU refuses is the guest's end: returns what
 * vm_ops.invalid_state does. Otherwise -EIO.
 */
void vmx_entry_failed(struct vcpu *vcpu) __noreturn;
int vmx_entry_refused(struct vcpu *vcpu);

#endif
