/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and NMIs that hit us in root mode. SDM: "Interrupt and Exception Handling".
 */
#ifndef GH_TRAP_H
#define GH_TRAP_H

#include "bits.h"

/* What trap_entry.S has pushed; the last five are the CPU's. Lowest address first. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector;
	u64 error_code;
	u64 rip, cs, rflags, rsp, ss;
};

/*
 * What to do when an NMI hits this CPU in root mode; NULL at first, when it is lost. Runs
 * on the NMI's own stack; must not print or lock.
 */
extern void (*nmi_handler)(struct trap_frame *frame);

/* The same for #MC; NULL: it is fatal. */
extern void (*mc_handler)(struct trap_frame *frame);

/* Shows a fatal exception in all detail and never returns. Set by whoever can tell most. */
extern void (*trap_report)(struct trap_frame *frame);

/* "#GP general protection" and so on; "interrupt" above the exceptions. Never NULL. */
const char *exception_name(unsigned vector);

/* Fill the IDT, once, for all CPUs. */
void idt_init(void);

/* Load it on this CPU. */
void idt_load(void);

/*
 * Sleep (HLT) until *@flag is not 0. Who sets it sends an NMI after it. There is no gap between the
 * test and the sleep in which that NMI would be lost: the NMI's return is moved past the HLT.
 */
void halt_until(const volatile u32 *flag);

#endif
