/* SPDX-License-Identifier: MIT */
/*
 * Real-mode code that switches A20 off and resets the CPU, in all the ways of a PC. It is loaded at 7C00h with CS =
 * 7C0h, and prints on COM1:
 *   a20:    for each way to switch A20 off, 1 if 10:0500 wraps to 0:0500 afterwards, 2 if not
 *   resets: for each way to reset the CPU, its letter, and after the BIOS has come back by the vector at 40:67: R, u
 *           under Glasshouse or n without it, and the shutdown byte, which the BIOS clears; then what the other CPU does,
 *           before and after its start: s it stands still (or is not there), m it moves
 *   last:   a CPU-only reset by CF9h, which ends Glasshouse
 */
#define SEGMENT	0x7c0
#define COM1	0x3f8
#define THR_EMPTY 0x20
#define RETURN	0x0a		/* the shutdown code: jump by the vector at 40:67 */
#define GLAS	0x73616c47	/* CPUID 40000000h: "Glasshouse" */
#define LOW	0x500
#define AP_BASE	0x8000
#define AP_COUNT (AP_BASE + 0x80)	/* which the other CPU counts */
#define APIC_BASE	0x1b
#define X2APIC_ON	0xc00
#define X2APIC_ICR	0x830

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
	call start_ap
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
	call put_ap
	call start_ap
	call put_ap
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

/* INIT and two SIPIs to the CPU with APIC ID 1, by x2APIC mode, which works in real mode. If it waits for a SIPI already,
 * the INIT may stay pending until the first SIPI. */
start_ap:
	movw $ap_code, %si
	movw $AP_BASE, %di
	movw $ap_end - ap_code, %cx
5:	lodsb
	movb %al, %ss:(%di)
	incw %di
	loop 5b
	movl $APIC_BASE, %ecx
	rdmsr
	orl $X2APIC_ON, %eax
	wrmsr
	movl $X2APIC_ICR, %ecx
	movl $1, %edx
	movl $0x4500, %eax
	wrmsr
	call send_sipi
send_sipi:
	movw $0x1000, %cx
6:	inb $0x80, %al
	loop 6b
	movl $X2APIC_ICR, %ecx
	movl $0x4600 | AP_BASE >> 12, %eax
	wrmsr
	ret
ap_code:
	incl %cs:AP_COUNT - AP_BASE
	jmp ap_code
ap_end:

put_ap:	movl %ss:AP_COUNT, %ebx
	xorw %cx, %cx
7:	inb $0x80, %al
	movb $'m', %al
	cmpl %ebx, %ss:AP_COUNT
	jne putc
	loop 7b
	movb $'s', %al
	jmp putc

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
