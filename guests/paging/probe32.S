/* SPDX-License-Identifier: MIT */
/*
 * Accesses whose outcome is recorded, in protected mode with paging: batch32_code() is called without
 * paging (legacy_call), does what struct batch32 says, and returns without paging.
 */
#include "guests/paging/paging.h"

#define DATA  0x18
#define CODE  0x20
#define PAE   0x20
#define FIXED 2		/* RFLAGS */

	.text
	.code32
	.globl batch32_code
batch32_code:
	movl %esp, saved_esp
	movl %cr0, %eax
	movl %eax, saved_cr0
	movl %cr4, %eax
	movl %eax, saved_cr4
	lidt idt_pointer
	movl $TSS32, %eax
	ltr %ax
	movl batch_cr4, %eax
	movl %eax, %cr4
	movl batch_cr3, %eax
	movl %eax, %cr3
	movl batch_cr0, %eax
	movl %eax, %cr0
	jmp 1f
1:	movl batch_probes, %ebp

next:
	decl batch_count
	js done
	xorl %edx, %edx
2:	movl batch_entries(, %edx, 4), %edi
	testl %edi, %edi
	jz 3f
	movl (%ebp, %edx, 8), %eax
	movl %eax, (%edi)
	testl $PAE, batch_cr4
	jz 3f
	movl 4(%ebp, %edx, 8), %eax
	movl %eax, 4(%edi)
3:	incl %edx
	cmpl $3, %edx
	jb 2b
	movl %cr3, %eax
	movl %eax, %cr3		/* loads PDPTEs */
	movl batch_va, %esi
	invlpg (%esi)

	movl PROBE_KIND(%ebp), %edi
	movl %edi, %ecx
	andl $3, %ecx
	testl $KIND_USER, %edi
	jnz 1f
	testl $KIND_AC, %edi
	jz 2f
	pushfl
	orl $0x40000, (%esp)
	popfl
2:	jmp *kernel_access(, %ecx, 4)

1:	shll $4, %ecx
	addl $USER_STUB32, %ecx
	movl %edi, %eax
	andl $KIND_AC, %eax
	shll $15, %eax
	orl $FIXED, %eax
	movl $USER_DATA32, %edx
	movl %edx, %ds
	pushl %edx
	pushl $0
	pushl %eax
	pushl $USER_CODE32
	pushl %ecx
	iret

kernel_read:
	movzbl (%esi), %eax
	int3
kernel_write:
	movb $MARK, (%esi)
	int3
kernel_fetch:
	jmp *%esi

	.globl probe32_user, probe32_user_end
probe32_user:
	movzbl (%esi), %eax
	int3
	.org probe32_user + 16
	movb $MARK, (%esi)
	int3
	.org probe32_user + 32
	jmp *%esi
probe32_user_end:

	.globl probe32_stubs
	.balign 16
probe32_stubs:
#include "guests/paging/stubs.inc"

probe_end:
	popl %ecx		/* vector */
	popl %ebx		/* error code */
	popl %edi		/* EIP */
	movl $DATA, %edx
	movl %edx, %ds
	movl %edx, %es
	movl %edx, %ss
	movl saved_esp, %esp
	pushl $FIXED
	popfl
	movl %ecx, PROBE_VECTOR(%ebp)
	movl %ebx, PROBE_ERROR(%ebp)
	movl %eax, PROBE_DATA(%ebp)
	movl %edi, PROBE_RIP(%ebp)
	movl %cr2, %eax
	movl %eax, PROBE_CR2(%ebp)

	xorl %edx, %edx
2:	movl batch_entries(, %edx, 4), %edi
	testl %edi, %edi
	jz 3f
	movl (%edi), %eax
	movl %eax, PROBE_AFTER(%ebp, %edx, 8)
	testl $PAE, batch_cr4
	jz 3f
	movl 4(%edi), %eax
	movl %eax, PROBE_AFTER + 4(%ebp, %edx, 8)
3:	incl %edx
	cmpl $3, %edx
	jb 2b
	addl $PROBE_SIZE, %ebp
	jmp next

done:
	movl saved_cr0, %eax
	movl %eax, %cr0
	jmp 1f
1:	movl saved_cr4, %eax
	movl %eax, %cr4
	ret

	.section .rodata
	.balign 8
kernel_access:
	.long kernel_read, kernel_write, kernel_fetch

	.data
	.balign 8
/* struct batch32, and the address of the probes. */
	.globl batch32, batch32_probes, probe32_idt_pointer
batch32:
batch_cr0:
	.long 0
batch_cr3:
	.long 0
batch_cr4:
	.long 0
batch_va:
	.long 0
batch_entries:
	.long 0, 0, 0
batch_count:
	.long 0
batch32_probes:
batch_probes:
	.long 0
saved_esp:
	.long 0
saved_cr0:
	.long 0
saved_cr4:
	.long 0
	.balign 8
probe32_idt_pointer:
idt_pointer:
	.word 32 * 8 - 1
	.long idt32

	.bss
	.balign 8
	.globl idt32
idt32:
	.fill 32 * 8

	.section .note.GNU-stack, "", @progbits
