/* SPDX-License-Identifier: MIT */
/*
 * The INT 15h handler that stays resident in conventional memory when the guest starts from a boot sector. It
 * returns the guest's memory map and passes all other calls to the firmware.
 *
 * vmm/vm0/int15.c copies it into a segment, between struct int15_data (vmm/vm0/int15.h) and the E820 entries, and
 * bios.c sets the interrupt vector. It runs in the guest, in real or virtual-8086 mode, on the caller's stack.
 * Source: ACPI, "INT 15H, E820H - Query System Address Map".
 */
	.section .rodata, "a"
	.globl int15_code, int15_code_end, int15_entry

#define SMAP	   0x534d4150
#define ENTRY_SIZE 20
#define CARRY	   1

/* struct int15_data, from the start of the segment. */
#define OLD	  0	/* the firmware's handler, offset and segment */
#define KIB_ABOVE 4	/* AH=88h: KiB above 1 MiB */
#define KIB_LOW	  6	/* AX=E801h: KiB from 1 to 16 MiB */
#define BLOCKS	  8	/* and 64-KiB blocks from 16 MiB on */
#define COUNT	  10	/* E820 entries, and where they are */
#define ENTRIES	  12

	.code16
int15_code:
/* Return with the carry flag clear, in the caller's flags on the stack above IP and CS. */
done:
	pushw %bp
	movw %sp, %bp
	andb $~CARRY, 6(%bp)
	popw %bp
	iret

int15_entry:
	cmpw $0xe820, %ax
	je e820
	cmpw $0xe801, %ax
	je e801
	cmpw $0xe881, %ax
	je e801
	cmpb $0x88, %ah
	je above
call_firmware:
	ljmpw *%cs:OLD

above:
	movw %cs:KIB_ABOVE, %ax
	jmp done

/* E881h is the same in 32-bit registers. */
e801:
	movzwl %cs:KIB_LOW, %eax
	movzwl %cs:BLOCKS, %ebx
	movl %eax, %ecx
	movl %ebx, %edx
	jmp done

e820:
	cmpl $SMAP, %edx
	jne call_firmware
	cmpl $ENTRY_SIZE, %ecx
	jb refuse
	movzwl %cs:COUNT, %eax
	cmpl %eax, %ebx
	jae refuse
	pushw %si
	pushw %di
	imulw $ENTRY_SIZE, %bx, %si
	addw %cs:ENTRIES, %si
	movw $ENTRY_SIZE / 2, %cx
	cld
1:	movw %cs:(%si), %ax
	stosw
	addw $2, %si
	loop 1b
	popw %di
	popw %si
	movl $ENTRY_SIZE, %ecx
	movl $SMAP, %eax
	incl %ebx
	cmpw %cs:COUNT, %bx
	jb done
	xorl %ebx, %ebx
	jmp done

refuse:
	movb $0x86, %ah
	pushw %bp
	movw %sp, %bp
	orb $CARRY, 6(%bp)
	popw %bp
	iret
int15_code_end:

	.section .note.GNU-stack, "", @progbits
