/* SPDX-License-Identifier: MIT */
/*
 * Task switches, which the CPU does not do in a guest. SDM: "Task Switching", "Treatment of Task
 * Switches".
 */
#ifndef GH_TASK_SWITCH_H
#define GH_TASK_SWITCH_H

#include "vmm/vcpu.h"

/* In the order of the exit qualification. */
enum task_switch_source { TASK_BY_CALL, TASK_BY_IRET, TASK_BY_JMP, TASK_BY_GATE /* in the IDT */ };

/*
 * Switch to the task of the TSS @selector, whose descriptor the CPU has checked. @insn_len: length
 * of the instruction that asked for it, 0 for an interrupt or exception. Uses up vcpu->event when
 * it came through the IDT. A fault on the way is queued, in the old task or the new one, as the SDM
 * says.
 */
void task_switch(struct vcpu *vcpu, u16 selector, enum task_switch_source source, u32 insn_len);

#endif
