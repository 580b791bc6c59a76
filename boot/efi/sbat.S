/* SPDX-License-Identifier: MIT */
/*
 * What shim asks of a program that it starts: its generation, by which faulty ones can be told apart later. Source: shim's
 * SBAT.md, "Secure Boot Advanced Targeting".
 */
	.section .sbat, "a"
	.balign 4096
	.ascii "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
	.ascii "glasshouse,1,Glasshouse,glasshouse,1,-\n"

	.section .note.GNU-stack, "", @progbits
