/* SPDX-License-Identifier: MIT */
/*
 * A boot sector that prints on COM1 its initial registers, the BIOS's answers about memory, and that timer
 * interrupts arrive; then it switches the machine off. In real mode it runs at any address, from its first byte.
 * At 10000h, its byte 180h is an entry in 32-bit or 64-bit mode, which prints the mode.
 */
#define COM1_DATA	0x3f8
#define COM1_STATUS	0x3fd
#define THR_EMPTY	0x20
#define PM1A_CONTROL	0xb004	/* Bochs' power management */
#define SLP_EN		0x2000
#define FLAT_ADDRESS	0x10000
#define SMAP		0x534d4150

	.text
	.code16
	.globl start
start:
	pushfw
	pushw %dx
	pushw %cs
	call 1f
1:	popw %bp		/* the address of this code */
	subw $1b, %bp
	pushw %bp
	/* DS: the segment in which the sector begins at offset 0. */
	movw %cs, %ax
	movw %bp, %bx
	shrw $4, %bx
	addw %bx, %ax
	movw %ax, %ds
	xorw %ax, %ax
	movw %ax, %es
	cld

	movw $text_start, %si	/* IP, CS, DX, FLAGS: from the stack */
	call puts
	movw $4, %cx
2:	popw %ax
	call put_word
	loop 2b

	movw $text_sizes, %si	/* INT 12h; 88h; E801h's AX, BX, CX, DX */
	call puts
	int $0x12
	call put_word
	stc			/* cleared by success only */
	movb $0x88, %ah
	int $0x15
	jc 5f
	call put_word
	stc
	movw $0xe801, %ax
	int $0x15
	jc 5f
	call put_word
	movw %bx, %ax
	call put_word
	movw %cx, %ax
	call put_word
	movw %dx, %ax
	call put_word

	xorl %ebx, %ebx
3:	movl $0xe820, %eax
	movl $20, %ecx
	movl $SMAP, %edx
	movw $0x600, %di
	stc
	int $0x15
	jc 5f
	movw $text_e820, %si	/* base, size, type: highest word first */
	call puts
	movw $0x612, %di
4:	movw %es:(%di), %ax
	call put_word
	subw $2, %di
	cmpw $0x600, %di
	jae 4b
	testl %ebx, %ebx
	jnz 3b
5:
	movw $text_ticks, %si
	movw %es:0x46c, %ax	/* the BIOS counts timer interrupts there */
6:	hlt
	cmpw %es:0x46c, %ax
	je 6b
	call puts
	movw $PM1A_CONTROL, %dx
	movw $SLP_EN, %ax
	outw %ax, %dx
7:	hlt
	jmp 7b

put_word:
	pushw %cx
	pushw %dx
	pushw %ax
	movb $' ', %al
	call putc
	popw %dx
	movw $4, %cx
8:	rolw $4, %dx
	movb %dl, %al
	andb $15, %al
	cmpb $10, %al
	sbbb $0x69, %al		/* a digit in hexadecimal */
	das
	call putc
	loop 8b
	popw %dx
	popw %cx
	ret

puts:	lodsb
	call putc
	cmpb $0, (%si)
	jne puts
	ret

putc:	pushw %dx
	pushw %ax
	movw $COM1_STATUS, %dx
9:	inb %dx, %al
	testb $THR_EMPTY, %al
	jz 9b
	popw %ax
	movw $COM1_DATA, %dx
	outb %al, %dx
	popw %dx
	ret

text_start: .asciz "\n# start"
text_sizes: .asciz "\n# sizes"
text_e820: .asciz "\n# e820"
text_ticks: .asciz "\n1..1\nok 1 - timer interrupts come\n"

	/* The same bytes run in both modes: 48h is DEC EAX in 32-bit mode, a REX prefix in 64-bit mode. */
	.org 0x180
	.code32
flat:
	movl $FLAT_ADDRESS + text_64, %esi
	xorl %eax, %eax
	.byte 0x48		/* 32-bit: decrement EAX */
	nop
	testl %eax, %eax
	jz 1f
	movl $FLAT_ADDRESS + text_32, %esi
1:	movw $COM1_STATUS, %dx
2:	inb %dx, %al
	testb $THR_EMPTY, %al
	jz 2b
	lodsb
	movw $COM1_DATA, %dx
	outb %al, %dx
	cmpb $0, (%esi)
	jne 1b
	movw $PM1A_CONTROL, %dx
	movw $SLP_EN, %ax
	outw %ax, %dx
3:	hlt
	jmp 3b
text_32: .asciz "\n1..1\nok 1 - 32-bit\n"
text_64: .asciz "\n1..1\nok 1 - 64-bit\n"

	.org 510
	.word 0xaa55
