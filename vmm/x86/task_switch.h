/* SPDX-License-Identifier: MIT */
/*
 * Emulate task switches, which the CPU does not perform in VMX non-root operation. SDM: "Task
 * Switching", "Treatment of Task Switches".
 */
#ifndef GH_TASK_SWITCH_H
#define GH_TASK_SWITCH_H

#include "vmm/vcpu.h"

/* The encoding of the exit qualification. */
enum task_switch_source { TASK_BY_CALL, TASK_BY_IRET, TASK_BY_JMP, TASK_BY_GATE /* in the IDT */ };

/*
 * Switch @vcpu to the task of TSS @selector. The CPU has checked its descriptor, which is checked
 * again: another CPU may have changed it. @insn_len: length in bytes of the instruction that caused
 * the switch, 0 for an interrupt or exception. With TASK_BY_GATE, vcpu->event is the event being
 * delivered; the switch completes its delivery. A fault is queued, in the old or the new task as
 * the SDM defines.
 */
void task_switch(struct vcpu *vcpu, u16 selector, enum task_switch_source source, u32 insn_len);

#endif
