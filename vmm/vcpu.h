/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU and its main execution cycle: vcpu_run -> vcpu_enter_guest -> virt->run ->
 * virt->handle_exit. Nothing here knows whose CPU it is: that is behind struct virt_ops.
 */
#ifndef GH_VCPU_H
#define GH_VCPU_H

#include "arch/x86/percpu.h"
#include "bits.h"
#include "vmm/recorder.h"

struct vm;

/* In the order of their numbers in instructions. */
enum vcpu_reg {
	VCPU_RAX,
	VCPU_RCX,
	VCPU_RDX,
	VCPU_RBX,
	VCPU_RSP, /* not kept in regs[]: the CPU does, see SYSREG_RSP */
	VCPU_RBP,
	VCPU_RSI,
	VCPU_RDI,
	VCPU_R8,
	VCPU_R15 = 15,
	VCPU_NR_REGS
};

/* Reasons for a vCPU to look up from its loop. */
enum vcpu_request {
	REQ_INIT = 1 << 0,          /* become as after INIT */
	REQ_SIPI = 1 << 1,          /* start at sipi_vector */
	REQ_STOP = 1 << 2,          /* leave the loop, switch the virtualisation of this CPU off */
	REQ_TRIPLE_FAULT = 1 << 4,  /* an exception met a double fault */
	REQ_EVENT = 1 << 5,         /* an event or an NMI is to be delivered */
	REQ_BLOCK = 1 << 6,         /* not runnable: stays set until SIPI */
	REQ_LEAVE = 1 << 7,         /* go on without Glasshouse */
	REQ_MACHINE_CHECK = 1 << 8, /* one that hit root mode is to be delivered */
};

enum mp_state {
	MP_STATE_RUNNABLE,
	MP_STATE_INIT_RECEIVED, /* waits for SIPI, in root mode */
	MP_STATE_WAIT_FOR_SIPI, /* waits for SIPI, in the CPU's own state for that */
};

enum event_type {
	EVENT_EXT_INTR,
	EVENT_NMI,
	EVENT_EXCEPTION,
	EVENT_SOFT_INTR,
	EVENT_SOFT_EXCEPTION,
	EVENT_PRIV_EXCEPTION
};

/* Something to deliver to the guest at the next entry. */
struct vcpu_event {
	bool valid;
	u8 type; /* enum event_type */
	u8 vector;
	bool has_error_code;
	u32 error_code;
	u32 insn_len; /* of INT n, INT3, INTO, INT1 */
};

struct vcpu {
	u64 regs[VCPU_NR_REGS]; /* first: assembly knows the offsets */
	u64 host_rsp;           /* our stack pointer at entry, as the CPU was last told */
	u32 requests;           /* bits of enum vcpu_request; set by others, atomically */
	u32 wake;               /* what a blocked vCPU sleeps on */
	u32 kicked;             /* an NMI that hits this CPU is a kick, not the guest's */
	struct vcpu_event event;

	struct vm *vm;
	struct cpu *cpu; /* the one it runs on, for good */
	u32 id;
	enum mp_state mp_state;
	bool started; /* it has run guest code */
	u8 sipi_vector;
	u32 nmi_pending;          /* NMIs that the guest has yet to get, 2 at most */
	u32 lapic_ldr, lapic_dfr; /* what the guest has written while the ICR is trapped */

	bool leaving;     /* the next NMI in root mode is the one to leave by */
	u32 leave_icr_hi; /* the guest's, which that NMI overwrites */
	u64 leave_page;   /* see native_share() */

	struct recorder recorder;
};

/*
 * Run the guest until something asks to stop. Called on the vCPU's CPU.
 * Returns 0 when asked to stop, or a negative error: the guest cannot go on.
 */
int vcpu_run(struct vcpu *vcpu);

/* Post @request to a vCPU of any CPU, and see to it that it looks. */
void vcpu_make_request(struct vcpu *vcpu, u32 request);

/* Make a vCPU leave its guest or its sleep, by an NMI. Any CPU. One that waits for a SIPI in the
 * CPU's own state for that is deaf to it until the SIPI comes. */
void vcpu_kick(struct vcpu *vcpu);

/* Runnable or not. On the vCPU's own CPU, or before it runs. */
void vcpu_set_mp_state(struct vcpu *vcpu, enum mp_state state);

/*
 * Deliver an exception at the next entry. One that meets another that is being delivered becomes
 * what SDM "Interrupt 8—Double Fault Exception (#DF)" says.
 */
void queue_exception(struct vcpu *vcpu, u8 vector);
void queue_exception_e(struct vcpu *vcpu, u8 vector, u32 error_code);

/* The guest is to get an NMI. On the vCPU's own CPU. */
void queue_nmi(struct vcpu *vcpu);

/* What nmi_handler (arch/x86/trap.h) is set to. */
struct trap_frame;
void vcpu_root_nmi(struct trap_frame *frame);

/*
 * What mc_handler (arch/x86/trap.h) is set to: the guest gets a machine check that hit root mode,
 * by REQ_MACHINE_CHECK. If the CPU cannot go on, or the guest takes none, that is the end, with the
 * banks in words. The second is the first with MCG_STATUS given; the third, for the vCPU's loop.
 */
void machine_check(struct trap_frame *frame);
void machine_check_with(u64 status);
void deliver_machine_check(struct vcpu *vcpu);

/* An INIT or a startup IPI for this vCPU, from another. */
void vcpu_deliver_init(struct vcpu *vcpu);
void vcpu_deliver_sipi(struct vcpu *vcpu, u8 vector);

#endif
