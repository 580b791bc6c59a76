/* SPDX-License-Identifier: MIT */
/*
 * The tasks between which check_tasks() switches, in 32-bit protected mode. Each appends its state to
 * the log and switches to another task; when it is entered again, it starts over.
 */
#include "guests/arch/arch.h"

	.text
	.code32

/* Append to the log: EFLAGS.NT, TR, CR0.TS, the busy bits of TASK_MAIN and TASK_IRET. */
note:	movl log_next, %edi
	pushfl
	popl %eax
	andl $0x4000, %eax
	stosl
	xorl %eax, %eax
	str %ax
	stosl
	movl %cr0, %eax
	andl $8, %eax
	stosl
	movzbl legacy_gdt + TASK_MAIN + 5, %eax
	andl $2, %eax
	stosl
	movzbl legacy_gdt + TASK_IRET + 5, %eax
	andl $2, %eax
	stosl
	clts
	movl %edi, log_next
	ret

/* Append to the log: what is at MOVED, and CR3. */
note_moved:
	movl log_next, %edi
	movl MOVED, %eax
	stosl
	movl %cr3, %eax
	stosl
	movl %edi, log_next
	ret

	.globl task_iret, task_jmp, task_df, task_ts, task_nest, task16, task_escape, task_cr3, on_debug
task_iret:
	call note
	iret
	jmp task_iret

task_jmp:
	call note
	ljmpl $TASK_MAIN, $0
	jmp task_jmp

/* The task for #DF: log the error code, and continue after the instruction that faulted. */
task_df:
	popl %eax
	movl log_next, %edi
	stosl
	movl tss_main + 32, %eax
	subl $1f, %eax
	stosl
	movl %edi, log_next
	call note
	movl $2f, tss_main + 32
	iret
	jmp task_df

/* The task for #TS: log the error code and the task that failed, and switch to the first task. */
task_ts:
	popl %eax
	movl log_next, %edi
	stosl
	movzwl tss_ts, %eax
	stosl
	movl %edi, log_next
	call note
	ljmpl $TASK_MAIN, $0
	jmp task_ts

/* The task for #TS and #DF when the tasks that failed cannot continue: log TR, the error code and the
 * task that failed, and continue the first task after the instruction. */
task_escape:
	movl log_next, %edi
	xorl %eax, %eax
	str %ax
	stosl
	popl %eax
	stosl
	movzwl tss_ts, %eax
	orw tss_escape, %ax
	stosl
	movl %edi, log_next
	clts
	andb $~2, legacy_gdt + TASK_MAIN + 5
	andb $~2, legacy_gdt + TASK_BAD_SS + 5
	addl $2, tss_main + 32
	ljmpl $TASK_MAIN, $0
	jmp task_escape

task_nest:
	call note
	lcall $TASK_IRET, $0
	call note
	iret
	jmp task_nest

/* The task with other page tables. */
task_cr3:
	call note_moved
	ljmpl $TASK_MAIN, $0
	jmp task_cr3

/* The task with a 16-bit TSS. The base of its CS is this address. */
task16:	movl log_next, %edi
	xorl %eax, %eax
	str %ax
	stosl
	movzwl %sp, %eax
	stosl
	movzwl %bx, %eax
	stosl
	movl %edi, log_next
	ljmpl $TASK_MAIN, $0

/* The #DB of the T bit, which the new task gets. */
on_debug:
	pushl %eax
	pushl %edi
	movl log_next, %edi
	movl %dr6, %eax
	andl $0xe00f, %eax
	stosl
	movl 8(%esp), %eax
	subl $task_jmp, %eax
	stosl
	movl %edi, log_next
	xorl %eax, %eax
	movl %eax, %dr6
	popl %edi
	popl %eax
	iret

	.globl run_tasks
run_tasks:
	pushl %ebp
	movl %esp, %ebp
	lidt idt32_pointer
	movl $TASK_MAIN, %eax
	ltr %ax
	movl $0x401, %eax	/* L0, which a task switch clears */
	movl %eax, %dr7
	xorl %eax, %eax
	movl %eax, %dr6

	ljmpl $TASK_JMP, $0
	call note
	movl %dr7, %eax
	movl log_next, %edi
	stosl
	movl %edi, log_next

	lcall $TASK_IRET, $0
	call note

	lcall $TASK_NEST, $0
	call note

	int $GATE_VECTOR
	call note

	movl $0x12345678, %ebx
	ljmpl $TASK_16, $0
	movl log_next, %edi
	movl %ebx, %eax
	stosl
	movl %edi, log_next
	call note

	/* #GP, whose gate is not present, causes #NP: together #DF. */
1:	movw $0xfff8, %ax
	movw %ax, %fs
2:	call note

	ljmpl $TASK_BAD_SS, $0
	call note

	ljmpl $TASK_V86, $0
	call note
	ljmpl $TASK_RING3, $0
	call note

	ljmpl $TASK_TRAP, $0
	call note

	movl %ebp, %esp
	popl %ebp
	ret

/* Exceptions through task gates to a task that cannot be entered. */
	.globl run_faulty_tasks
run_faulty_tasks:
	pushl %ebp
	movl %esp, %ebp
	lidt idt32_pointer
	movl $TASK_MAIN, %eax
	ltr %ax
	movl $0xfff8, %eax
	movl %eax, %fs
	ud2
	/* With paging: a page fault. */
	movl %cr4, %eax
	xorl $0x30, %eax	/* PSE for PAE */
	movl %eax, %cr4
	movl $faulty_directory, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	movl $NOT_THERE, %edi
	movl (%edi), %eax
	/* To other tables and back, twice; they change meanwhile, without an INVLPG. */
	call note_moved
	ljmpl $TASK_CR3, $0
	call note_moved
	addl $0x1000, moved_tables
	addl $0x1000, moved_tables + 0x1000
	ljmpl $TASK_CR3, $0
	call note_moved
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl %cr4, %eax
	xorl $0x30, %eax
	movl %eax, %cr4
	movl %ebp, %esp
	popl %ebp
	ret

	.data
	.balign 8
	.globl idt32_pointer
idt32_pointer:
	.word 64 * 8 - 1
	.long idt32

	.section .note.GNU-stack, "", @progbits
