/* SPDX-License-Identifier: MIT */
/*
 * Calls the macros of lab 2 as vmx_run.S does, with all registers known.
 *
 * lab_load(vcpu): lab_registers[] is what load_guest_registers has made of the registers, [4] what it has made of RSP.
 * lab_save(vcpu): save_guest_registers, when the registers are lab_registers[]; [4] is RSP then,
 * and lab_word what is at 0(%rsp).
 */
#include "vmm/vmx/vmx_registers.inc"

#define AT(register) lab_registers+register(%rip)
#define OWN_RSP 4*8

	.macro begin
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, lab_rsp(%rip)
	.endm

	.macro end
	movq lab_rsp(%rip), %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
	.endm

	.text
	.globl lab_load, lab_save
lab_load:
	begin
	load_guest_registers
	movq %rax, AT(0*8)
	movq %rcx, AT(1*8)
	movq %rdx, AT(2*8)
	movq %rbx, AT(3*8)
	movq %rsp, AT(OWN_RSP)
	movq %rbp, AT(5*8)
	movq %rsi, AT(6*8)
	movq %rdi, AT(7*8)
	movq %r8, AT(8*8)
	movq %r9, AT(9*8)
	movq %r10, AT(10*8)
	movq %r11, AT(11*8)
	movq %r12, AT(12*8)
	movq %r13, AT(13*8)
	movq %r14, AT(14*8)
	movq %r15, AT(15*8)
	movq lab_rsp(%rip), %rax
	subq AT(OWN_RSP), %rax
	movq %rax, AT(OWN_RSP)
	end

lab_save:
	begin
	pushq %rdi
	movq AT(0*8), %rax
	movq AT(1*8), %rcx
	movq AT(2*8), %rdx
	movq AT(3*8), %rbx
	movq AT(5*8), %rbp
	movq AT(6*8), %rsi
	movq AT(7*8), %rdi
	movq AT(8*8), %r8
	movq AT(9*8), %r9
	movq AT(10*8), %r10
	movq AT(11*8), %r11
	movq AT(12*8), %r12
	movq AT(13*8), %r13
	movq AT(14*8), %r14
	movq AT(15*8), %r15
	save_guest_registers
	movq (%rsp), %rax
	movq %rax, lab_word(%rip)
	movq lab_rsp(%rip), %rax
	subq %rsp, %rax
	movq %rax, AT(OWN_RSP)
	end

	.bss
	.balign 8
	.globl lab_registers, lab_word
lab_registers:
	.skip 16*8
lab_rsp:
	.skip 8
lab_word:
	.skip 8

	.section .note.GNU-stack, "", @progbits
