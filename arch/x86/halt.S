/* SPDX-License-Identifier: MIT */
/*
 * void halt_until(const volatile u32 *flag). If an NMI came between the test and the HLT, the CPU would
 * halt although the flag is set. Therefore trap_handler makes every NMI between halt_until_test and
 * halt_until_end return to halt_until_end.
 */
	.text
	.globl halt_until, halt_until_test, halt_until_end
halt_until:
halt_until_test:
	cmpl $0, (%rdi)
	jne 1f
	hlt
halt_until_end:
	jmp halt_until
1:	ret

	.section .note.GNU-stack, "", @progbits
