/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU and its run loop: vcpu_run -> vcpu_enter_guest -> virt->run -> virt->handle_exit.
 * This file depends neither on the CPU's vendor (see virt_ops.h) nor on the kind of VM (see
 * vm_ops.h).
 */
#ifndef GH_VMM_VCPU_H
#define GH_VMM_VCPU_H

#include "arch/x86/percpu.h"
#include "types.h"
#include "vmm/debug_state.h"
#include "vmm/recorder.h"

struct vm;

/* Numbered as in instruction encodings. */
enum vcpu_reg {
	VCPU_RAX,
	VCPU_RCX,
	VCPU_RDX,
	VCPU_RBX,
	VCPU_RSP, /* not in regs[], but SYSREG_RSP */
	VCPU_RBP,
	VCPU_RSI,
	VCPU_RDI,
	VCPU_R8,
	VCPU_R15 = 15,
	VCPU_NR_REGS
};

/* Requests that the run loop handles before the next VM entry. */
enum vcpu_request {
	REQ_INIT = 1 << 0,          /* reset the vCPU as by INIT */
	REQ_SIPI = 1 << 1,          /* start at sipi_vector */
	REQ_STOP = 1 << 2,          /* leave the run loop */
	REQ_TRIPLE_FAULT = 1 << 3,  /* an exception during the delivery of #DF */
	REQ_EVENT = 1 << 4,         /* deliver the event or a pending NMI */
	REQ_BLOCK = 1 << 5,         /* MP_STATE_INIT_RECEIVED: set until the vCPU is runnable */
	REQ_INTERCEPTS = 1 << 6,    /* load the intercepts again; see intercepts.h */
	REQ_MACHINE_CHECK = 1 << 7, /* a machine check that hit root mode is to be delivered */
	REQ_CALL = 1 << 8,          /* vcpu_call() has posted a function */
	REQ_PAUSE = 1 << 9,         /* stay out of the guest: set until vcpu_resume() */
	REQ_STEP = 1 << 10,         /* somebody steps the vCPU: see step.h */
	REQ_VIEW = 1 << 11,         /* the VM's second-level tables have changed: see view_ops.h */
	REQ_SHADOW = 1 << 12,       /* load the shadow tables anew: see shadow_ops.h */
	REQ_VM = 1 << 16,           /* this bit and higher ones: for vm_ops.request */
};

enum mp_state {
	MP_STATE_RUNNABLE,
	MP_STATE_INIT_RECEIVED, /* waits for a SIPI, in root mode */
	MP_STATE_WAIT_FOR_SIPI, /* waits for a SIPI, as a guest in the CPU's wait-for-SIPI state */
};

enum event_type {
	EVENT_EXT_INTR,
	EVENT_NMI,
	EVENT_EXCEPTION,
	EVENT_SOFT_INTR,
	EVENT_SOFT_EXCEPTION,
	EVENT_PRIV_EXCEPTION
};

/* An event to deliver to the guest at the next VM entry. */
struct vcpu_event {
	bool valid;
	u8 type; /* enum event_type */
	u8 vector;
	bool has_error_code;
	u32 error_code;
	u32 insn_len; /* bytes; for INT n, INT3, INTO and INT1 */
};

/* Who lets the vCPU make single steps: see step.h. */
enum step_user {
	STEP_MONITOR,
	STEP_GDB,
	STEP_VIEW,   /* other second-level tables for one instruction */
	STEP_ICEPT,  /* an intercept that is off for one instruction */
	STEP_FPU,    /* see vmx/ignne.c */
	STEP_SHADOW, /* a shadow entry for one instruction */
	STEP_LOG,    /* a write to Glasshouse's log, which goes elsewhere: see vm0/hidden.c */
	NR_STEP_USERS
};

/* Who wants exceptions to exit. In this order they are asked whether they keep one. */
enum exception_user {
	EXCEPTIONS_STEP,      /* while a step needs all of them */
	EXCEPTIONS_SHADOW,    /* page faults, while shadow page tables are in use */
	EXCEPTIONS_FPU,       /* x87 errors: see vmx/ignne.c */
	EXCEPTIONS_REAL_MODE, /* all, in real mode without "unrestricted guest" */
	EXCEPTIONS_GDB,       /* breakpoints and single steps of a debugger */
	EXCEPTIONS_CYCLE,     /* the monitor's command cycle pf */
	EXCEPTIONS_ICEPT,     /* the option icept=, the monitor's command icept */
	NR_EXCEPTION_USERS
};

/* What has been done about a #PF that exits. */
enum mmu_outcome {
	MMU_FIXED,     /* a shadow entry was missing, or allowed too little */
	MMU_REFLECTED, /* it is the guest's own */
	MMU_EMULATED,  /* the second-level tables do not allow the access: vm_ops.page_fault */
	MMU_SPURIOUS,  /* nothing is missing any more: another CPU was faster */
	NR_MMU_OUTCOMES
};

struct page_fault; /* mmu.h */
struct shadow_vcpu;

struct vcpu {
	u64 regs[VCPU_NR_REGS]; /* must be first: virt->run uses the offsets */
	u64 host_rsp;           /* the host RSP that the control structure has now */
	u32 requests;           /* bits of enum vcpu_request; any CPU sets them, atomically */
	u32 wake;               /* 1: a blocked vCPU wakes up */
	u32 kicked;             /* not 0: the next NMI on this CPU is a kick; see kicker() */
	u32 cpuid_plain;        /* bit n: CPUID leaf n is passed through unchanged */
	struct vcpu_event event;

	struct vm *vm;
	struct cpu *cpu; /* the CPU that runs it; never changes */
	u32 id;
	enum mp_state mp_state;
	u8 sipi_vector;
	u32 nmi_pending; /* NMIs to deliver to the guest, 0 to 2 */
	u32 kicked_by;   /* who has kicked in root mode, for the recorder; or 0 */
	u32 call_state;  /* see vcpu_call() */
	void (*call)(struct vcpu *vcpu);
	struct view_vcpu *view;                            /* see view.c */
	void (*stepped[NR_STEP_USERS])(struct vcpu *vcpu); /* see step.h; NULL: no step */
	u32 exceptions[NR_EXCEPTION_USERS]; /* the vectors that each user intercepts: exception.h */
	u64 exception_exits[32];            /* how often each vector has exited */
	u32 pf_mask, pf_match;              /* see filter_page_faults() */
	struct debug_state debug;
	/* What mmu_page_fault() does about a #PF that exits, in the current paging mode. */
	int (*page_fault)(struct vcpu *vcpu, const struct page_fault *fault);
	u64 mmu_outcomes[NR_MMU_OUTCOMES]; /* how often which; with shadow page tables */
	struct shadow_vcpu *shadow;        /* see shadow/; NULL: there are none */
	u64 pdpte[4]; /* then: the PDPTEs of PAE paging, as MOV to CR3 loads them */

	struct recorder recorder;
};

/*
 * Create vCPU number vm->nr_vcpus of @vm, to run on @cpu, in MP_STATE_INIT_RECEIVED. Returns NULL
 * if out of memory, or if the VM has VM_MAX_VCPUS vCPUs.
 */
struct vcpu *create_vcpu(struct vm *vm, struct cpu *cpu);

/*
 * Run the guest. On the vCPU's own CPU. Returns 0 after REQ_STOP or when an exit handler or an
 * operation of the VM stops the vCPU, or a negative error if the guest cannot continue.
 */
int vcpu_run(struct vcpu *vcpu);

/* Enter the guest and handle one exit, and return, while a function of start_heartbeat or of
 * vcpu_call() runs for @vcpu. If the guest cannot continue, it ends when that function has
 * returned.
 */
void vcpu_run_once(struct vcpu *vcpu);

/* Post @request (bits of enum vcpu_request) to @vcpu, and kick it. From any CPU. */
void vcpu_make_request(struct vcpu *vcpu, u32 request);

/*
 * Make @vcpu exit from its guest, or wake up, so that it handles its requests. From any CPU, by an
 * NMI to the vCPU's CPU. A vCPU in MP_STATE_WAIT_FOR_SIPI only reacts after its SIPI: the CPU
 * blocks NMIs in that state.
 */
void vcpu_kick(struct vcpu *vcpu);

/*
 * This CPU takes NMIs again, after a time in which it dropped them: it has got its SIPI. Or it is
 * to drop those of kicks: its local APIC will be off. The NMI of a kick was dropped, or is still on
 * its way. Let that arrive: it must not be taken for the guest's. If it was dropped, the next NMI
 * is no kick, and the next entry exits at once, for the kick's request. On the vCPU's own CPU.
 */
void vcpu_end_kick(struct vcpu *vcpu);

/*
 * Have @vcpu's own CPU call @function, between an exit and an entry, and wait until it has
 * returned. One caller at a time. @ticks of the time-stamp counter: the longest wait for the call
 * to begin. Returns 0; or -EBUSY if it has not begun by then, which it will not do later either.
 */
int vcpu_call(struct vcpu *vcpu, void (*function)(struct vcpu *vcpu), u64 ticks);

/*
 * The same without waiting: @function is called before the next entry. It may post steps and events
 * of @vcpu. If a call is posted or runs, nothing happens; so nobody else may call this vCPU: for
 * that of a CPU which calls the others.
 */
void vcpu_post_call(struct vcpu *vcpu, void (*function)(struct vcpu *vcpu));

/* Keep @vcpu, another CPU's, out of its guest: it handles requests, but enters no more. Does not
 * wait; vcpu_call() afterwards does. vcpu_resume() ends that. */
void vcpu_pause(struct vcpu *vcpu);
void vcpu_resume(struct vcpu *vcpu);

/* Set vcpu->mp_state, and REQ_BLOCK to match. On the vCPU's own CPU, or before it runs. */
void vcpu_set_mp_state(struct vcpu *vcpu, enum mp_state state);

/*
 * Handle an NMI on this CPU: a kick, or an NMI for the VM (vm_ops.nmi). vcpu_root_nmi() is the
 * nmi_handler (arch/x86/trap.h), for NMIs in root mode; vcpu_nmi() is for NMI exits.
 */
struct trap_frame;
void vcpu_root_nmi(struct trap_frame *frame);
void vcpu_nmi(struct vcpu *vcpu);

/*
 * Deliver an INIT or a startup IPI with @vector to @vcpu. From any CPU. A SIPI is dropped unless
 * the vCPU waits for one.
 */
void vcpu_deliver_init(struct vcpu *vcpu);
void vcpu_deliver_sipi(struct vcpu *vcpu, u8 vector);

/*
 * Parts of the run loop, before a VM entry. init_sipi.c: REQ_INIT and REQ_SIPI, which the two above
 * have posted, or an exit by INIT: change the vCPU's state. nmi.c: an NMI is pending: move it into
 * vcpu->event, or request an exit for when the guest can take one.
 */
void handle_init(struct vcpu *vcpu);
void handle_sipi(struct vcpu *vcpu);
void deliver_nmi(struct vcpu *vcpu);

#endif
