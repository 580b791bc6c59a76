/* SPDX-License-Identifier: MIT */
/*
 * The entry from GRUB: the multiboot 2 header and, for BIOS machines, the 32-bit entry point.
 *
 * The state at entry ("Boot information format", "Machine state"): EAX = magic, EBX = physical address
 * of the boot information; CS, DS.. flat 32-bit; paging and interrupts off; no stack; the image at an
 * address that GRUB chose and does not pass.
 *
 * What the code does:
 *   1. computes its load address, by a CALL that pushes the return address into the reserved field of
 *      the boot information, which is zero and is cleared again;
 *   2. on a CPU without long mode or the execute-disable bit (XD) prints an error to COM1, port E9 and the
 *      screen, and stops;
 *   3. switches to 64-bit mode by enter_long_mode (arch/x86/long_mode.S) and calls
 *      multiboot2_main(magic, boot information, load address).
 */
#include "arch/x86/layout.h"
#include "arch/x86/long_mode.inc"

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define TAG_END			0
#define TAG_INFORMATION_REQUEST 1
#define TAG_MODULE_ALIGN	6
#define TAG_EFI_BOOT_SERVICES	7
#define TAG_EFI64_ENTRY		9
#define TAG_RELOCATABLE		10
#define PREFERENCE_HIGHEST	2

/* The information requested from the loader. */
#define MBI_CMDLINE	 1
#define MBI_MODULE	 3
#define MBI_MMAP	 6
#define MBI_FRAMEBUFFER	 8
#define MBI_ACPI_OLD	 14
#define MBI_ACPI_NEW	 15

#define PHYS(sym) ((sym) - IMAGE_BASE)

	.section .multiboot2, "a"
	.balign 8
header:
	.long MULTIBOOT2_HEADER_MAGIC, 0, header_end - header
	.long -(MULTIBOOT2_HEADER_MAGIC + 0 + (header_end - header))

	/* Optional requests: boot_info.c handles missing tags. */
	.balign 8
	.short TAG_INFORMATION_REQUEST, 1
	.long 32
	.long MBI_CMDLINE, MBI_MODULE, MBI_MMAP, MBI_FRAMEBUFFER, MBI_ACPI_OLD, MBI_ACPI_NEW

	.balign 8
	.short TAG_MODULE_ALIGN, 0
	.long 8

	/* Under UEFI: leave the boot services alive, and start at the 64-bit entry (boot/efi/from_grub.S). */
	.balign 8
	.short TAG_EFI_BOOT_SERVICES, 1
	.long 8

	.balign 8
	.short TAG_EFI64_ENTRY, 1
	.long 12
	.long PHYS(multiboot2_efi_entry) + IMAGE_LMA

	/* As high as possible below 4 GiB, so that low memory stays as the firmware left it. */
	.balign 8
	.short TAG_RELOCATABLE, 0
	.long 24, 0x100000, 0xffffffff, 4096, PREFERENCE_HIGHEST

	.balign 8
	.short TAG_END, 0
	.long 8
header_end:
	/* Room for the framebuffer tag that tools/image/graphics.py adds. Here it would make GRUB change to a
	 * graphics mode on each BIOS machine; without it GRUB never does. */
	.balign 8
	.skip 24

	.section .text.boot, "ax"
	.code32
	.globl multiboot2_entry
multiboot2_entry:
	cli
	cld
	/* 1. %ebp = the physical address of the image. */
	leal 8(%ebx), %esp
	call 1f
1:	popl %ebp
	movl $0, 4(%ebx)
	subl $PHYS(1b), %ebp
	leal PHYS(boot_stack_top)(%ebp), %esp
	movl %eax, %edi
	movl %ebx, %esi

	/* 2. Does the CPU have long mode, and XD, which firmware can switch off? */
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	leal PHYS(no_long_mode)(%ebp), %ecx
	jb refuse
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx
	leal PHYS(no_long_mode)(%ebp), %ecx
	jnc refuse
	lift_firmware_limits
	leal PHYS(no_xd)(%ebp), %ecx
	jnc refuse

	/* 3. Switch to 64-bit mode, with the boot page tables. */
	movl $PHYS(multiboot2_64), %edx
	jmp enter_long_mode

	.code64
multiboot2_64:
	movl %ebp, %edx
	xorl %ebp, %ebp
	call multiboot2_main
	ud2

	.code32
/*
 * Print the string at %ecx to COM1 (with a bounded wait, because the port may not exist), port E9 and the
 * first line of the VGA text screen; then stop.
 */
refuse:
	movl %ecx, %esi
	movl $0xb8000, %edi
	movw $0x3fb, %dx	/* 115200 baud, 8 bits: the firmware may have set 5 bits */
	movb $0x80, %al
	outb %al, %dx
	movw $0x3f8, %dx
	movw $1, %ax
	outw %ax, %dx
	movw $0x3fb, %dx
	movb $3, %al
	outb %al, %dx
2:	lodsb
	testb %al, %al
	jz 5f
	outb %al, $0xe9
	movb %al, (%edi)
	movb $0x4f, 1(%edi)
	addl $2, %edi
	movb %al, %bl
	movw $0x3fd, %dx
	movl $0x10000, %ecx
3:	inb %dx, %al
	testb $0x20, %al
	jnz 4f
	decl %ecx
	jnz 3b
4:	movb %bl, %al
	movw $0x3f8, %dx
	outb %al, %dx
	jmp 2b
5:	hlt
	jmp 5b

	.section .rodata, "a"
no_long_mode:
	.asciz "Glasshouse: this CPU has no 64-bit mode (CPUID 80000001h:EDX[29] is 0). Glasshouse needs a 64-bit Intel CPU with VT-x. Stopped.\r\n"
no_xd:
	.asciz "Glasshouse: this CPU has no execute-disable bit (CPUID 80000001h:EDX[20] is 0). Switch it on in the firmware's setup: XD, NX or \"No-Execute Memory Protection\". Stopped.\r\n"

	.section .note.GNU-stack, "", @progbits
