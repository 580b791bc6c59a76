/* SPDX-License-Identifier: MIT */
/*
 * For the role raw, with mode=64: prints "raw" on COM1, with ACPI's root pointer "raw with ACPI", then executes CPUID for
 * ever, which exits.
 *
 * Before that it switches off the PIIX4's ports of power management, with which on OVMF does not come back after a reset:
 * see guests/initramfs/restart.
 */
#define COM1		0x3f8
#define PCI_ADDRESS	0xcf8
#define PCI_DATA	0xcfc
#define PMREGMISC	0x80000b80	/* of function 3 of device 1 */

	.text
	.code64
	.globl start
start:	movw $PCI_ADDRESS, %dx
	movl $PMREGMISC, %eax
	outl %eax, %dx
	movw $PCI_DATA, %dx
	xorl %eax, %eax
	outb %al, %dx

	movl $text_end - text, %ecx
	testl %esi, %esi
	jz 1f
	movq (%rsi), %rax
	cmpq signature(%rip), %rax
	jne 1f
	movl $text_acpi_end - text, %ecx
1:	leaq text(%rip), %rsi
	movw $COM1, %dx
	cld
	rep outsb
2:	xorl %eax, %eax
	cpuid
	jmp 2b

signature:
	.ascii "RSD PTR "
text:	.ascii "raw"
text_end:
	.ascii " with ACPI\n"
text_acpi_end:
