/* SPDX-License-Identifier: MIT */
/*
 * void halt_until(const volatile u32 *flag): see trap.h.
 */
#include "arch/x86/halt_until.inc"

	.text
	.globl halt_until
halt_until:
	wait_for_flag
	ret

	.section .note.GNU-stack, "", @progbits
