/* SPDX-License-Identifier: MIT */
/*
 * The jumps of check_race(), in 32-bit protected mode.
 */
#include "guests/arch/arch.h"

	.text
	.code32
	.globl run_race, race_task, race_fault
run_race:
	pushl %ebp
	movl %esp, %ebp
	lidt idt32_pointer
	movl $TASK_FIRST, %eax
	ltr %ax
1:	incl race_jumps
	ljmpl $TASK_OTHER, $0
2:	clts
	cmpl $RACE_JUMPS, race_jumps
	jb 1b
	movl %ebp, %esp
	popl %ebp
	ret

race_task:
	clts
	ljmpl $TASK_FIRST, $0
	jmp race_task

/* #TS, #NP or #GP of the jump: go on after it. */
race_fault:
	cmpl $TASK_OTHER, (%esp)
	je 3f
	incl race_strange
3:	addl $4, %esp
	movl $2b, (%esp)
	incl race_faults
	iret

	.section .note.GNU-stack, "", @progbits
