/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and NMIs in root mode. SDM: "Interrupt and Exception Handling".
 */
#ifndef GH_TRAP_H
#define GH_TRAP_H

#include "bits.h"

/*
 * The stack frame, lowest address first. The CPU pushes the last five fields and, for some vectors,
 * the error code; trap_entry.S pushes the others.
 */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector;
	u64 error_code;
	u64 rip, cs, rflags, rsp, ss;
};

/*
 * The handler for NMIs in root mode. NULL (the initial value): NMIs are ignored. It runs on the
 * NMI's interrupt stack, and must not log or take locks.
 */
extern void (*nmi_handler)(struct trap_frame *frame);

/* The handler for #MC in root mode. NULL: #MC is fatal. */
extern void (*mc_handler)(struct trap_frame *frame);

/* The handler for #DB in root mode. Returns false if the #DB is a defect. NULL: all are. */
extern bool (*debug_handler)(struct trap_frame *frame);

/* Reports a fatal exception and never returns. NULL: panic() with the exception's name and RIP. */
extern void (*trap_report)(struct trap_frame *frame);

/* The name of an exception, as "#GP general protection"; "interrupt" for other vectors (0 to 255).
 */
const char *exception_name(unsigned vector);

/* Fill the IDT, which all CPUs share. Called once. */
void idt_init(void);

/* Load the IDT on this CPU. */
void idt_load(void);

/*
 * Halt (HLT) until *@flag is not 0. The CPU that sets it must send an NMI afterwards. No NMI is
 * lost between the test and the HLT: the handler moves the return address past the HLT.
 */
void halt_until(const volatile u32 *flag);

#endif
