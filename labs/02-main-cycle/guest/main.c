// SPDX-License-Identifier: MIT
/*
 * The guest of lab 2: it sets all general registers but RSP to random values, executes an
 * instruction that exits, and looks which values they have afterwards.
 *
 * Command line: seed=N, of the random values. stay=1: it goes on until a q comes on COM1.
 */
#include "guests/lib/guest.h"
#include "guests/lib/random.h"

#include "arch/x86/cpu.h"

#define EXITS      1000
#define NR         16
#define CMOS_INDEX 0x70 /* a port that exits */

enum number { RAX, RCX, RDX, RBX, RSP };

u64 lab_values[NR], lab_rsp; /* of the registers, in the order of their numbers */
void exit_by_cpuid(void), exit_by_port(void);

#define EACH(move)                                                                                 \
	move(0, rax) move(1, rcx) move(2, rdx) move(3, rbx) move(5, rbp) move(6, rsi) move(7, rdi) \
		move(8, r8) move(9, r9) move(10, r10) move(11, r11) move(12, r12) move(13, r13)    \
			move(14, r14) move(15, r15)
#define LOAD(n, name)  "movq lab_values+" #n "*8, %" #name "\n\t"
#define STORE(n, name) "movq %" #name ", lab_values+" #n "*8\n\t"
#define PUSH           "pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
#define POP            "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\tpopq %rbx\n\t"
#define EXIT(name, instruction)                                                            \
	asm("	.text\n" name ":\n\t" PUSH "movq %rsp, lab_rsp\n\t" EACH(LOAD) instruction \
	    "\n\t" EACH(STORE) "movq %rsp, lab_values+4*8\n\tmovq lab_rsp, %rsp\n\t" POP "ret\n")
EXIT("exit_by_cpuid", "cpuid");
EXIT("exit_by_port", "inb %dx, %al");

static const char *const names[NR] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
				      "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};

static u64 state;

/* One exit with random registers. Returns the number of the first register that is wrong, or NR. */
static unsigned one_exit(bool port)
{
	u64 wanted[NR];

	for (unsigned i = 0; i < NR; i++)
		wanted[i] = lab_values[i] = xorshift64(&state);
	if (port) {
		lab_values[RDX] = wanted[RDX] = CMOS_INDEX;
		exit_by_port();
		wanted[RAX] = (wanted[RAX] & ~0xffull) | (lab_values[RAX] & 0xff);
	} else {
		struct cpuid_regs r = cpuid(0, 0);

		lab_values[RAX] = 0;
		exit_by_cpuid();
		wanted[RAX] = r.eax;
		wanted[RBX] = r.ebx;
		wanted[RCX] = r.ecx;
		wanted[RDX] = r.edx;
	}
	wanted[RSP] = lab_rsp;
	for (unsigned i = 0; i < NR; i++)
		if (lab_values[i] != wanted[i])
			return i;
	return NR;
}

void guest_main(void)
{
	unsigned exits = 0, wrong = NR;

	state = param_number("seed", 1) << 1 | 1;
	while (wrong == NR && exits < EXITS) {
		wrong = one_exit(xorshift64(&state) & 64);
		exits++;
	}
	if (wrong == NR)
		ok(true, "%u exits with random registers: all survive", exits);
	else
		ok(false, "exit %u with random registers: %s does not survive", exits,
		   names[wrong]);
	plan();
	while (param_number("stay", 0) && typed() != 'q')
		one_exit(xorshift64(&state) & 64);
}
