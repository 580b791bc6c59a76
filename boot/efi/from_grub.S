/* SPDX-License-Identifier: MIT */
/*
 * The entry from GRUB under UEFI: Multiboot2 Specification, "EFI amd64 entry": 64-bit mode with the firmware's page
 * tables and GRUB's stack, boot services alive. EAX: magic, RBX: the boot information. The code is where GRUB has
 * loaded it, not where it is linked.
 */
	.text
	.globl multiboot2_efi_entry
multiboot2_efi_entry:
	movl %eax, %edi
	movq %rbx, %rsi
	andq $~15, %rsp
	xorl %ebp, %ebp
	call multiboot2_efi_main
	ud2

	.section .note.GNU-stack, "", @progbits
