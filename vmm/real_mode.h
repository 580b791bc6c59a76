/* SPDX-License-Identifier: MIT */
/*
 * Real mode on a CPU that runs it as virtual-8086 mode: the instructions that fault there and do
 * not in real mode, and the delivery of interrupts through the vector table. SDM: "8086 Emulation".
 */
#ifndef GH_VMM_REAL_MODE_H
#define GH_VMM_REAL_MODE_H

#include "vmm/vcpu.h"

/* What these instructions change, and only the vendor's code can. Those that return an int: 0; or
 * -EINVAL for #GP(0). */
struct real_mode_ops {
	int (*write_cr)(struct vcpu *vcpu, unsigned cr, u64 value); /* CR0, CR3, CR4 */
	int (*read_msr)(struct vcpu *vcpu, u32 msr, u64 *value);
	int (*write_msr)(struct vcpu *vcpu, u32 msr, u64 value);
	void (*halt)(struct vcpu *vcpu);         /* RIP is after the HLT */
	void (*unblock_nmis)(struct vcpu *vcpu); /* IRET */
};

enum real_mode_result {
	REAL_MODE_DONE,    /* it has been emulated, or another exception of it is queued */
	REAL_MODE_FAULT,   /* it is #GP in real mode, too */
	REAL_MODE_UNKNOWN, /* it would work in real mode, but is not emulated */
};

/* For shadow/attach.c; others call them by struct shadow_ops. */
int emulate_real_mode(struct vcpu *vcpu, const struct real_mode_ops *ops);
int deliver_real_mode(struct vcpu *vcpu, u8 vector, u16 ip);

#endif
