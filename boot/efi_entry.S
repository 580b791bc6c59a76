/* SPDX-License-Identifier: MIT */
/*
 * Where enter_long_mode continues when the UEFI front door has called it (boot/efi/switch.S): in 64-bit mode, at the
 * linked addresses, on the boot stack.
 *
 * EDI: physical address of the struct efi_handoff. ESI: that of this CPU's struct firmware_state. EBP: that
 * of the image.
 */
	.section .text.boot, "ax"
	.globl efi_boot_cpu, efi_other_cpu
efi_boot_cpu:
	movl %edi, %edi
	movl %esi, %esi
	movl %ebp, %edx
	xorl %ebp, %ebp
	call efi_boot_cpu_main
	ud2

efi_other_cpu:
	movl %edi, %edi
	movl %esi, %esi
	xorl %ebp, %ebp
	call efi_other_cpu_main
	ud2

	.section .note.GNU-stack, "", @progbits
