/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU and its run loop: vcpu_run -> vcpu_enter_guest -> virt->run -> virt->handle_exit.
 * Nothing here knows what kind of CPU runs the guest (virt_ops.h) or what kind of VM it belongs to
 * (vm_ops.h).
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

/* Reasons for a vCPU to look up from its run loop. */
enum vcpu_request {
	REQ_INIT = 1 << 0,         /* become as after INIT */
	REQ_SIPI = 1 << 1,         /* start at sipi_vector */
	REQ_STOP = 1 << 2,         /* leave the loop */
	REQ_TRIPLE_FAULT = 1 << 3, /* an exception met a double fault */
	REQ_EVENT = 1 << 4,        /* an event or an NMI is to be delivered */
	REQ_BLOCK = 1 << 5,        /* not runnable: stays set until SIPI */
	REQ_INTERCEPTS = 1 << 6,   /* other MSRs exit; can wait for the next exit: no kick */
	REQ_VM = 1 << 16,          /* this bit and those above are the VM's own: vm_ops.request */
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
	u32 cpuid_plain;        /* basic leaves that the guest gets as the CPU answers them */
	struct vcpu_event event;

	struct vm *vm;
	struct cpu *cpu; /* the one it runs on, for good */
	u32 id;
	enum mp_state mp_state;
	u8 sipi_vector;
	u32 nmi_pending; /* NMIs that the guest has yet to get, 2 at most */

	struct recorder recorder;
};

/* Make vCPU number vm->nr_vcpus of @vm, to run on @cpu. It waits for a SIPI. Returns NULL when out
 * of memory or of VM_MAX_VCPUS. */
struct vcpu *create_vcpu(struct vm *vm, struct cpu *cpu);

/*
 * Run the guest until something asks to stop. Called on the vCPU's CPU.
 * Returns 0 when asked to stop, or a negative error: the guest cannot go on.
 */
int vcpu_run(struct vcpu *vcpu);

/* Post @request to a vCPU of any CPU, and kick it so that it looks. */
void vcpu_make_request(struct vcpu *vcpu, u32 request);

/*
 * Make a vCPU leave its guest or its sleep, by an NMI. Any CPU. A vCPU in MP_STATE_WAIT_FOR_SIPI
 * does not notice before the SIPI comes: the CPU blocks NMIs in that state.
 */
void vcpu_kick(struct vcpu *vcpu);

/* Runnable or not. On the vCPU's own CPU, or before it runs. */
void vcpu_set_mp_state(struct vcpu *vcpu, enum mp_state state);

/*
 * An NMI has hit this CPU: a kick, or one for the VM (vm_ops.nmi). vcpu_root_nmi() is what
 * nmi_handler (arch/x86/trap.h) is set to; vcpu_nmi() is for the exit that an NMI causes.
 */
struct trap_frame;
void vcpu_root_nmi(struct trap_frame *frame);
void vcpu_nmi(struct vcpu *vcpu);

/* An INIT or a startup IPI for this vCPU. Any CPU. */
void vcpu_deliver_init(struct vcpu *vcpu);
void vcpu_deliver_sipi(struct vcpu *vcpu, u8 vector);

#endif
