/* SPDX-License-Identifier: MIT */
/*
 * Real-mode code that switches A20 off and resets the CPU, in all the ways of a PC. It is loaded at 7C00h with CS =
 * 7C0h, and prints on COM1:
 *   a20:    for each way to switch A20 off, 1 if 10:0500 wraps to 0:0500 afterwards, 2 if not
 *   resets: for each way to reset the CPU, its letter, and after the BIOS has come back by the vector at 40:67: R, u
 *           under Glasshouse or n without it, and the shutdown byte, which the BIOS clears
 *   last:   a CPU-only reset by CF9h, which ends Glasshouse
 */
#define SEGMENT	0x7c0
#define COM1	0x3f8
#define THR_EMPTY 0x20
#define RETURN	0x0a		/* the shutdown code: jump by the vector at 40:67 */
#define GLAS	0x73616c47	/* CPUID 40000000h: "Glasshouse" */
#define LOW	0x500

	.text
	.code16
	.globl start
start:	call setup
	movw $text_a20, %si
	call puts
	movw $a20_ways, %di
1:	movb $0x22, %es:LOW+0x10
	movb $0x11, %ss:LOW
	call *(%di)
	movl $1, %eax
	cpuid			/* exits */
	movb %es:LOW+0x10, %al
	shrb $4, %al
	call put_digit
	inb $0x92, %al
	shrb $1, %al
	andb $1, %al
	call put_digit
	movb $' ', %al
	call putc
	addw $2, %di
	cmpw $reset_ways, %di
	jb 1b
	movw $text_resets, %si
	call puts
	jmp next

/* The BIOS comes back here; only CS:IP is defined. */
resume:	call setup
	movb $'R', %al
	call putc
	movl $0x40000000, %eax
	cpuid
	movb $'u', %al
	cmpl $GLAS, %ebx
	je 2f
	movb $'n', %al
2:	call putc
	call read_shutdown
	call put_digit
	movb $' ', %al
	call putc
	addw $2, way
next:	movw $SEGMENT, %ss:0x469
	movw $resume, %ss:0x467
	movb $0x8f, %al
	outb %al, $0x70
	movb $RETURN, %al
	outb %al, $0x71
	movw way, %di
	movw %di, %ax
	subw $reset_ways, %ax
	shrw $1, %ax
	addb $'A', %al
	call putc
	call read_shutdown	/* what was written */
	call put_digit
	movb $':', %al
	call putc
	cmpw $cf9, (%di)
	jne 3f
	movw $text_last, %si
	call puts
3:	call *(%di)
	xorw %cx, %cx
4:	inb $0x80, %al
	loop 4b
	movb $'-', %al		/* nothing has happened */
	call putc
5:	hlt
	jmp 5b

way:	.word reset_ways
a20_ways:
	.word off_92, off_dd, off_d1, off_wide, off_pulse
reset_ways:
	.word kbc, kbc_port, port92, port92_wide, triple, cf9

off_92:	inb $0x92, %al
	andb $0xfc, %al
	outb %al, $0x92
	ret
off_dd:	movb $0xdd, %al
	jmp command
off_d1:	movb $0xd1, %al
	call command
	call kbc_ready
	movb $0xdd, %al
	outb %al, $0x60
	jmp kbc_ready
off_wide:
	inb $0x92, %al
	movb %al, %ah
	andb $0xfc, %ah
	movw $0x91, %dx
	outw %ax, %dx
	ret
off_pulse:
	movb $0xfd, %al
	jmp command

kbc:	movb $0xfe, %al
	jmp command
kbc_port:
	movb $0xd1, %al
	call command
	call kbc_ready
	movb $0xfe, %al
	outb %al, $0x60
	ret
port92:	inb $0x92, %al
	andb $0xfe, %al
	outb %al, $0x92
	orb $1, %al
	outb %al, $0x92
	ret
port92_wide:
	movw $0x0300, %ax
	movw $0x91, %dx
	outw %ax, %dx
	ret
triple:	lidtl no_idt
	int3
cf9:	movw $0xcf9, %dx
	xorb %al, %al
	outb %al, %dx
	movb $4, %al
	outb %al, %dx
	ret

/* AL to the keyboard controller. */
command:
	pushw %ax
	call kbc_ready
	popw %ax
	outb %al, $0x64
kbc_ready:
	inb $0x64, %al
	testb $2, %al
	jnz kbc_ready
	ret

read_shutdown:
	movb $0x0f, %al
	outb %al, $0x70
	inb $0x71, %al
	ret

/* Segments, a stack, COM1. SS is 0, and ES is FFFFh. */
setup:	cli
	cld
	xorw %bp, %bp
	popw %bx
	movw %bp, %ss
	movw $0x7c00, %sp
	movw %cs, %ax
	movw %ax, %ds
	movw $0xffff, %ax
	movw %ax, %es
	movw $COM1 + 3, %dx
	movb $3, %al
	outb %al, %dx
	jmp *%bx

puts:	lodsb
	testb %al, %al
	jz 6f
	call putc
	jmp puts
put_digit:
	addb $'0', %al
	cmpb $'9', %al
	jbe putc
	addb $'A' - '9' - 1, %al
putc:	pushw %dx
	pushw %ax
	movw $COM1 + 5, %dx
7:	inb %dx, %al
	testb $THR_EMPTY, %al
	jz 7b
	popw %ax
	movw $COM1, %dx
	outb %al, %dx
	popw %dx
6:	ret

no_idt:	.word 0
	.long 0
text_a20:
	.asciz "\na20: "
text_resets:
	.asciz "\nresets: "
text_last:
	.asciz "\nlast: "

	.section .note.GNU-stack, "", @progbits
